"""Hand-written values that stand behind the doors in tests: a snapshot, a policy and a state, each of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stillwatch.errors import Error
from stillwatch.gate.assembly import Assembly, put_together, told_by
from stillwatch.gate.contract import Call, Decision, Notice, Observed, Outcome, Recognition, Reply, Ticket, Tier
from stillwatch.gate.parts import Parts, now_us
from stillwatch.gate.settings import Admin, GateSettings, Limits, Listen, PolicyFile, SnapshotFile, Telemetry

KNOWN: Mapping[str, Tier] = {
    "acct-confirmed": "confirmed",
    "acct-capped": "suspected",
    "acct-stepped-up": "recognised",
    "acct-rated": "watch",
}

SIGNATURE = "grade this answer from one to ten"
"""What a test's campaign asks, whoever sends it."""

DECISIONS: Mapping[Tier, Decision] = {
    "confirmed": Decision(
        rung="deny",
        rule="closed-campaign",
        tier="confirmed",
        campaign_id="c-1",
        notice=Notice("account-held", "This account is held. Write to appeals@provider.example.", "ref-0001"),
        policy="test@1",
        snapshot="snap-1",
    ),
    "suspected": Decision(
        rung="strip",
        rule="suspected-cap",
        tier="suspected",
        campaign_id="c-1",
        max_tokens_max=256,
        choice_count_max=1,
        strip=frozenset({"logprobs", "reasoning"}),
        tag=(("x-risk", "suspected"),),
    ),
    "recognised": Decision(
        rung="step-up", tier="recognised", notice=Notice("terms", "Please accept the terms again.", "ref-0002")
    ),
    "watch": Decision(
        rung="deny", tier="watch", retry_after_s=30, notice=Notice("too-fast", "Too many calls.", "ref-0003")
    ),
}


@dataclass(frozen=True)
class Head:
    sequence: int
    created_us: int = 0


@dataclass
class FewAccounts:
    """A snapshot that knows some accounts by name, and one text."""

    ident: str = "snap-1"
    sequence: int = 1
    known: Mapping[str, Tier] = field(default_factory=lambda: KNOWN)
    fault: Exception | None = None

    @property
    def head(self) -> Head:
        return Head(self.sequence)

    def recognise(self, call: Call) -> Recognition:
        if self.fault is not None:
            raise self.fault
        tier = self.known.get(call.account_id, "none")
        if SIGNATURE in (call.input_text or ""):
            tier = "confirmed"
        return Recognition(account_key=len(call.account_id), tier=tier)


@dataclass
class ByTier:
    """A policy with one decision for each tier; it is closed or open where there is no answer."""

    ident: str = "test@1"
    closed: bool = False
    delay_ms: int = 0

    def decide(self, call: Call, recognition: Recognition, observed: Observed) -> Decision:
        return replace(DECISIONS.get(recognition.tier, Decision()), delay_ms=self.delay_ms)

    def without_answer(self, ident: str) -> Decision:
        if self.closed:
            return Decision(rung="deny", error=ident, retry_after_s=5, notice=Notice("try-again", "Try again.", ""))
        return Decision(error=ident)


@dataclass
class Notes:
    """A state that remembers what it was told, and can take its time."""

    seen: list[Call] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    closed: bool = False

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        self.seen.append(call)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return Observed()

    async def record(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    async def close(self) -> None:
        self.closed = True


@dataclass
class Kept:
    """A capture that keeps everything in a list."""

    calls: list[tuple[Ticket, Reply]] = field(default_factory=list)

    def keep(self, ticket: Ticket, reply: Reply) -> None:
        self.calls.append((ticket, reply))


@dataclass
class OneSnapshot:
    """A keeper whose next snapshot a test puts down."""

    snapshot: FewAccounts | None = field(default_factory=FewAccounts)
    next: FewAccounts | None = None

    def current(self) -> FewAccounts | None:
        return self.snapshot

    def refresh(self, now_us: int) -> bool:
        if self.next is None:
            return False
        self.snapshot, self.next = self.next, None
        return True


@dataclass
class Standing:
    """Everything behind the doors of one test, to be looked at and changed while the gate runs."""

    keeper: OneSnapshot = field(default_factory=OneSnapshot)
    policy: ByTier = field(default_factory=ByTier)
    state: Notes = field(default_factory=Notes)
    capture: Kept = field(default_factory=Kept)
    lines: list[str] = field(default_factory=list)
    policy_fault: Error | None = None

    def read_policy(self, now_us: int) -> ByTier:
        if self.policy_fault is not None:
            raise self.policy_fault
        return self.policy

    def parts(self) -> Parts:
        return Parts(self.keeper, self.read_policy, self.state, hash, call_of_headers, self.capture)

    def assembly(self, settings: GateSettings) -> Assembly:
        told = told_by(settings, self.lines.append, now_us)
        return put_together(settings, self.parts(), told, now_us)


def call_of_headers(path: str, lines: Sequence[tuple[str, str]], time_us: int) -> Call | None:
    """The least that reads a request of headers: an account, where the path is a chat's."""
    if not path.partition("?")[0].endswith("/chat/completions"):
        return None
    headers = dict(lines)
    return Call(
        time_us, headers.get("x-user-id", ""), headers.get("x-model", ""), client_ip=headers.get("x-forwarded-for")
    )


def settings_of(folder: Path, **changed: object) -> GateSettings:
    """Settings on free ports of this machine; `changed` replaces whole tables."""
    tables: dict[str, object] = {
        "key_file": "stillwatch.key",
        "snapshot": SnapshotFile("snapshot.bin", ("issuer.pub",), refresh_seconds=0.02),
        "policy": PolicyFile("policy.yaml"),
        "listen": Listen(port=0),
        "admin": Admin(port=0),
        "limits": Limits(deadline_ms=2_000, drain_seconds=5),
        "telemetry": Telemetry(log_level="debug"),
        "folder": str(folder),
    }
    return GateSettings(**{**tables, **changed})  # type: ignore[arg-type]
