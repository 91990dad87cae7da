"""The words of the gate: a call, what is recognised of it, what is remembered, and the decision.

A door turns a foreign request into a `Call`. The snapshot recognises it (`Recognition`), the state remembers and counts
(`Observed`), both together are the `Facts` that a policy's conditions speak of, and the policy answers with a
`Decision`, which the door carries out. Identifiers and text live in `Call` alone: from `Recognition` on there are keyed
pseudonyms and integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, Protocol

Tier = Literal["none", "watch", "recognised", "suspected", "confirmed", "cleared"]
"""What is known of who calls. none: nothing. watch: a run lists the account beside a campaign and does not name it.
recognised: the account is unknown, and the call carries a campaign's signature. suspected: a run named the account.
confirmed: a person did. cleared: a person decided that nothing is to be done, whatever is found."""

Rung = Literal["allow", "tag", "shadow", "cap", "strip", "route", "step-up", "delay", "deny"]
"""What can be done with a call, gentlest first. None of them changes the correctness of an answer in silence."""

RUNGS: tuple[Rung, ...] = ("allow", "tag", "shadow", "cap", "strip", "route", "step-up", "delay", "deny")

Strip = Literal["logprobs", "n-best", "reasoning"]

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One model call as a door met it. Absent is None, an empty tuple, or an empty string for `account_id`.

    Units:   time_us are microseconds since the epoch.
    """

    time_us: int
    account_id: str
    request_model: str
    organization_id: str | None = None
    credential_id: str | None = None
    end_user_id: str | None = None
    session_id: str | None = None
    access_path: str | None = None
    client_ip: str | None = None
    tls_fingerprint: str | None = None
    user_agent: str | None = None
    operation: str | None = None
    system_prompt: str | None = None
    input_text: str | None = None
    turn_index: int | None = None
    tool_names: tuple[str, ...] = ()
    response_format: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    choice_count: int | None = None
    max_tokens: int | None = None
    logprobs: bool | None = None
    stream: bool | None = None
    reasoning_level: str | None = None
    presented_blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a snapshot knows of a call. Keys are 64-bit pseudonyms (`pseudonym.Key` of purpose `identifiers`), 0 absent.

    `tier` is the account's own; `cluster` is the campaign's number in the snapshot, 0 where there is none, and
    `campaign_id` its name. `signature` names the template family whose core the call carries (`signature_hits` of its
    shingles), and `outside_accounts` how many accounts outside the campaign carried it in the log that it was learnt
    from. `infrastructure` counts the campaign's rare values (addresses, clients) that the call carries.
    `signature_ban_us` is when accounts of that campaign were last closed, -1 where none was. `grant_id` names the grant
    that covers the call, whatever its volume.
    """

    account_key: int
    organization_key: int = 0
    model_key: int = 0
    tier: Tier = "none"
    cluster: int = 0
    campaign_id: str = ""
    verified: bool = False
    signature: str = ""
    signature_hits: int = 0
    outside_accounts: int = 0
    infrastructure: int = 0
    signature_ban_us: int = -1
    block_keys: tuple[int, ...] = ()
    grant_id: str = ""
    grant_calls_max: int = 0
    grant_output_tokens_max: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """What the state remembers when a call comes, this call counted in. `available` is false where it could not be
    asked: every count is then 0. `acted_already` tells whether this account is among the `acted_accounts_hour`, so that
    treating it again treats nobody new.

    Units:   first_seen_us is when the gate met the account first, this call's time for a new one.
    """

    available: bool = True
    first_seen_us: int = 0
    account_calls_hour: int = 0
    account_calls_day: int = 0
    account_tokens_hour: int = 0
    cluster_calls_hour: int = 0
    cluster_tokens_hour: int = 0
    cluster_accounts_hour: int = 0
    account_input_tokens_hour: int = 0
    cluster_input_tokens_hour: int = 0
    foreign_block: bool = False
    failover: bool = False
    grant_calls: int = 0
    grant_output_tokens: int = 0
    acted_accounts_hour: int = 0
    acted_verified_hour: int = 0
    acted_already: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition of a policy can speak of: every field is a CEL variable of the same name and type.

    `evidence_families` counts the independent kinds of evidence that stand behind the tier: a run or a person that
    named the account had two at least; a recognised call brings content, and infrastructure, provenance or lifecycle
    where they hold. `account_age_hours` is since the gate met the account first. `max_tokens` and `choice_count` are -1
    where the call asks for none.
    """

    tier: str
    campaign_id: str
    verified: bool
    signature: str
    signature_hits: int
    outside_accounts: int
    infrastructure: int
    foreign_block: bool
    failover: bool
    evidence_families: int
    account_age_hours: int
    account_calls_hour: int
    account_calls_day: int
    account_tokens_hour: int
    cluster_calls_hour: int
    cluster_tokens_hour: int
    cluster_accounts_hour: int
    state_available: bool
    model: str
    access_path: str
    operation: str
    stream: bool
    tools: bool
    logprobs: bool
    max_tokens: int
    choice_count: int
    reasoning_level: str
    turn_index: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What who is refused is told: a code, a sentence and a reference for an appeal; never which signal fired."""

    code: str
    text: str
    reference: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a decision is what it is, for the log and for `policy explain`; never for the caller."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a door does with one call. `rung` is the sternest of what applies.

    `tag` are header names and values for the provider's own systems. `max_tokens_max`, `choice_count_max` bound the
    request, None where nothing does; `retry_after_s` goes with a refusal by rate. `strip` is taken out of request and
    reply. `shadowed` are rules that would have applied were they live. `campaign_id` and `reasons` stay inside.

    Units:   delay_ms are milliseconds; retry_after_s are seconds.
    """

    rung: Rung = "allow"
    rule: str = ""
    policy: str = ""
    snapshot: str = ""
    tier: str = "none"
    campaign_id: str = ""
    tag: tuple[tuple[str, str], ...] = ()
    max_tokens_max: int | None = None
    choice_count_max: int | None = None
    strip: frozenset[Strip] = frozenset()
    route: str = ""
    delay_ms: int = 0
    retry_after_s: int = 0
    notice: Notice | None = None
    grant_id: str = ""
    shadowed: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    error: str = ""

    @property
    def is_refusal(self) -> bool:
        """Tell whether the call goes no further."""
        return self.rung in ("deny", "step-up")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call, for the state: recorded once after the decision, and once more when the reply is known.

    The tokens and `issued_block_keys` are of the reply; before it they are -1 and empty. `acted` tells whether the
    rung counts against the policy's limits on how many accounts an hour it may touch.
    """

    call_time_us: int
    recognition: Recognition
    decision: Decision
    acted: bool = False
    output_tokens: int = -1
    issued_block_keys: tuple[int, ...] = field(default=())
    input_tokens: int = -1


@dataclass(frozen=True, slots=True)
class Reply:
    """What is known of a reply once it is over or was given up. Absent is None; a refusal of ours has our status.

    Units:   duration_ms are milliseconds of the whole call.
    """

    status: int | None = None
    response_model: str | None = None
    finish_reason: str | None = None
    refused: bool | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    duration_ms: float | None = None
    issued_blocks: tuple[str, ...] = ()


CALL_COLUMNS = tuple(one.name for one in fields(Call) if one.name != "time_us")
REPLY_COLUMNS = tuple(one.name for one in fields(Reply))
"""Columns of a canonical event (`event.EVENT_SCHEMA`) that a call and its reply hold under the same names."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call that was decided, to be handed in again with its reply."""

    call: Call
    recognition: Recognition
    decision: Decision


class Snapshot(Protocol):
    """What detection and people have decided, ready to be asked (`gate.snapshot.OpenSnapshot`)."""

    @property
    def ident(self) -> str: ...

    def recognise(self, call: Call) -> Recognition:
        """Look one call up. Pure, no IO, some tens of microseconds."""
        ...


class State(Protocol):
    """What is remembered between calls: in one process (`gate.memory`), or shared (`gate.shared_state`, Redis)."""

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        """Count the call in, and return what is remembered; never raises: where it cannot be asked, not `available`."""
        ...

    async def record(self, outcome: Outcome) -> None:
        """Take note of what became of a call; never raises, and loses the note where it cannot be kept (counted)."""
        ...

    async def close(self) -> None: ...


class Policy(Protocol):
    """Rules that were compiled once (`gate.policy`)."""

    @property
    def ident(self) -> str: ...

    def decide(self, call: Call, recognition: Recognition, observed: Observed) -> Decision:
        """Decide one call. Pure: the time is the call's own, and jitter comes from a keyed hash of the call."""
        ...

    def without_answer(self, ident: str) -> Decision:
        """Return what the policy chose for a call that could not be decided (open or closed); `ident` says why."""
        ...


class Meter(Protocol):
    """Counts what a gate does (`gate.metrics`); no label ever holds an identifier."""

    def decided(self, door: str, decision: Decision, seconds: float) -> None: ...

    def alarm(self, ident: str) -> None:
        """Count something that a person must look at, by its kebab name."""
        ...


class Capture(Protocol):
    """Keeps calls as canonical events (`gate.capture`)."""

    def keep(self, ticket: Ticket, reply: Reply) -> None:
        """Take one call, at once and without waiting; where there is no room it is dropped and counted."""
        ...
