"""Two policies over one log: who would be treated differently. A rehearsal touches nobody.

Each policy has a state of its own, since what a policy does is part of what its state remembers. Calls are taken in the
order of the log, and a call that a policy refuses had no reply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from stillwatch.adapters import choice
from stillwatch.adapters.contract import LogFile, ReadSettings, Reject, Rejection
from stillwatch.engines.reading import Meter as ReadBytes
from stillwatch.errors import Error
from stillwatch.gate.contract import (
    CALL_COLUMNS,
    REPLY_COLUMNS,
    Call,
    Decision,
    Meter,
    Recognition,
    Reply,
    Snapshot,
    State,
)
from stillwatch.gate.policy import CompiledPolicy
from stillwatch.gate.service import Gate
from stillwatch.grant import PSEUDONYM_PREFIX
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.pseudonym import Key

ACCOUNTS_MAX = 1_000_000
"""Accounts that are told apart, over all kinds of difference: some 100 MB; beyond, counts are `at least`."""

NAMED_MAX = 20
"""Accounts of one kind of difference that are named by pseudonym: enough to look some up."""

LISTS = frozenset({"tool_names", "presented_blocks", "issued_blocks"})
"""Columns of lists, which a call and a reply hold as tuples."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Calls that one policy treats in one way and the other in another. `wait` is a refusal by rate.

    `accounts_count` is a lower bound where the rehearsal says that it is full.
    """

    tier: str
    rung_before: str
    rung_after: str
    calls_count: int
    accounts_count: int
    verified_accounts_count: int
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a rehearsal found. `unknown_accounts_count` are accounts of tier none or watch, whom nobody has named, that
    would be treated more sternly than before."""

    before: str
    after: str
    calls_count: int
    rejected_count: int
    calls_differ_count: int
    accounts_differ_count: int
    verified_accounts_differ_count: int
    unknown_accounts_count: int
    is_full: bool
    differences: tuple[Difference, ...]
    shadowed: dict[str, int]


class Nobody:
    """A snapshot in which nobody is known: what a gate has before its first one, with pseudonyms for counting."""

    ident = "none"

    def __init__(self, key: Key) -> None:
        self._key = key

    def recognise(self, call: Call) -> Recognition:
        """Return the caller's pseudonyms and nothing else."""
        words = (call.account_id, call.organization_id, call.request_model, *call.presented_blocks)
        keys = [int(each) for each in pseudonyms(pa.array(words, pa.string()), self._key)]
        account, organization, model, *blocks = keys
        return Recognition(account, organization_key=organization, model_key=model, block_keys=tuple(blocks))


class Rehearsal:
    """Asks two policies about each call, and counts where they differ.

    `states` are two, equal and empty; `key` is that of identifiers.
    """

    def __init__(
        self,
        policies: tuple[CompiledPolicy, CompiledPolicy],
        snapshot: Snapshot,
        states: tuple[State, State],
        key: Key,
    ) -> None:
        once = _Once(snapshot)

        def key_of_block(block: str) -> int:
            return int(pseudonyms(pa.array([block]), key)[0])

        self._policies = policies
        self._gates = tuple(
            Gate(lambda: once, _always(policy), state, _Silent(), key_of_block)
            for policy, state in zip(policies, states, strict=True)
        )
        self._cells: dict[tuple[str, str, str], _Cell] = {}
        self._shadowed: Counter[str] = Counter()
        self._calls = self._rejected = self._told_apart = 0

    def reject(self, rejection: Rejection) -> None:
        """Count a record that could not be read."""
        self._rejected += 1

    async def add(self, call: Call, reply: Reply) -> None:
        """Take one call of the log."""
        decisions: list[Decision] = []
        recognition = Recognition(0)
        for gate in self._gates:
            ticket = await gate.decide(call, "replay")
            recognition = ticket.recognition
            decisions.append(ticket.decision)
            await gate.replied(ticket, Reply(status=403) if ticket.decision.is_refusal else reply)
        self._calls += 1
        before, after = decisions
        self._shadowed.update(after.shadowed)
        if _treatment(before) != _treatment(after):
            cell = self._cells.setdefault((after.tier, _rung(before), _rung(after)), _Cell())
            cell.calls += 1
            self._tell_apart(cell, recognition)

    def outlook(self) -> Outlook:
        """Return what was found.

        Raises:  no-events where the log held none.
        """
        if not self._calls:
            raise Error(
                "no-events",
                f"no event could be read, and {self._rejected} records were rejected",
                hint="see the formats that can be read with: stillwatch formats",
            )
        cells = sorted(self._cells.items(), key=lambda each: (-each[1].calls, each[0]))
        differ, verified, unknown = set[int](), set[int](), set[int]()
        for (tier, before, after), cell in cells:
            differ |= cell.accounts
            verified |= cell.verified
            if tier in ("none", "watch") and STERNNESS[after] > STERNNESS[before]:
                unknown |= cell.accounts
        return Outlook(
            before=self._policies[0].ident,
            after=self._policies[1].ident,
            calls_count=self._calls,
            rejected_count=self._rejected,
            calls_differ_count=sum(cell.calls for _, cell in cells),
            accounts_differ_count=len(differ),
            verified_accounts_differ_count=len(verified),
            unknown_accounts_count=len(unknown),
            is_full=self._told_apart >= ACCOUNTS_MAX,
            differences=tuple(cell.told(*kind) for kind, cell in cells),
            shadowed=dict(sorted(self._shadowed.items())),
        )

    def _tell_apart(self, cell: _Cell, recognition: Recognition) -> None:
        key = recognition.account_key
        if key in cell.accounts or self._told_apart >= ACCOUNTS_MAX:
            return
        self._told_apart += 1
        cell.accounts.add(key)
        if recognition.verified:
            cell.verified.add(key)


def read_calls(
    files: Sequence[LogFile],
    wanted: str,
    settings: ReadSettings,
    reject: Reject,
    tell: Callable[[int, int], None],
) -> Iterator[tuple[Call, Reply]]:
    """Yield the calls of a log with their replies, a batch in memory; `tell` hears of rows and bytes.

    Raises:  what choosing a dialect and reading raise.
    """
    adapter = choice.choose(files, wanted).adapter
    for file in files:
        meter = ReadBytes(file.size_bytes)
        for batch in adapter.read(replace(file, on_read=meter.add), settings, reject):
            yield from _rows(batch)
            tell(batch.num_rows, meter.news())
        tell(0, meter.rest())


STERNNESS = {
    rung: at for at, rung in enumerate(("allow", "tag", "cap", "strip", "route", "delay", "wait", "step-up", "deny"))
}
"""How much a caller feels, from not at all."""


def as_plain(outlook: Outlook) -> dict[str, object]:
    """Return an outlook as plain values."""
    return asdict(outlook)


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Call, Reply]]:
    times = batch["time"].cast(pa.int64()).to_pylist()
    for time_us, row in zip(times, batch.to_pylist(), strict=True):
        yield Call(time_us=time_us, **_held(row, CALL_COLUMNS)), Reply(**_held(row, REPLY_COLUMNS))


def _held(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: tuple(row[name] or ()) if name in LISTS else row[name] for name in names}


def _rung(decision: Decision) -> str:
    """Return how a decision feels: a shadow does nothing, and a refusal for now is a wait."""
    if decision.rung == "shadow":
        return "tag" if decision.tag else "allow"
    return "wait" if decision.rung == "deny" and decision.retry_after_s else decision.rung


def _treatment(decision: Decision) -> tuple[object, ...]:
    return (
        _rung(decision),
        decision.tag,
        decision.max_tokens_max,
        decision.choice_count_max,
        decision.strip,
        decision.route,
        decision.delay_ms > 0,
    )


def _always(policy: CompiledPolicy) -> Callable[[], CompiledPolicy]:
    return lambda: policy


@dataclass(slots=True)
class _Cell:
    calls: int = 0
    accounts: set[int] = field(default_factory=set)
    verified: set[int] = field(default_factory=set)

    def told(self, tier: str, before: str, after: str) -> Difference:
        named = tuple(f"{PSEUDONYM_PREFIX}{key:016x}" for key in sorted(self.accounts)[:NAMED_MAX])
        return Difference(tier, before, after, self.calls, len(self.accounts), len(self.verified), named)


class _Once:
    """Looks each call up once for both policies."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.ident = snapshot.ident
        self._call: Call | None = None
        self._found = Recognition(0)

    def recognise(self, call: Call) -> Recognition:
        if call is not self._call:
            self._call, self._found = call, self._snapshot.recognise(call)
        return self._found


class _Silent(Meter):
    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        """Count nothing."""

    def alarm(self, ident: str) -> None:
        """Count nothing."""
