"""The state of one process, in its memory: budgets, refusals that may move on, who was issued which reasoning block.

It begins empty: a restart forgets when an account was first seen, what was refused, issued and used of grants. Several
replicas each know their own calls only. Where either matters, use `gate.shared_state`.

Full, with every table at its bound, it takes some 330 MB; each bound below says its part.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stillwatch.gate.contract import HOUR_US, Call, Observed, Outcome, Recognition
from stillwatch.gate.remembering import (
    ACTED_ACCOUNTS_MAX,
    BLOCKS_OF_CALL_MAX,
    CLUSTER_ACCOUNTS_MAX,
    DAY_US,
    FAILOVER_WITHIN_US,
    is_closed,
    turns,
)

ACCOUNTS_MAX = 250_000
"""Accounts whose counts are kept; past it the one that called longest ago is forgotten. 0.3 kB each: 75 MB."""

CLUSTERS_MAX = 1_000
"""Campaigns that call at once, past it the one that called longest ago is forgotten. 131 kB each where each has all the
accounts that are told apart: 131 MB; some 10 kB each otherwise."""

BLOCKS_MAX = 400_000
"""Reasoning blocks whose owner is known; past it the one that was issued longest ago is forgotten, and nobody who
presents it is accused. 0.3 kB each: 120 MB, and an hour of a hundred replies a second."""

FAMILIES_MAX = 10_000
"""Signatures that were refused: as many as a snapshot holds. 0.4 kB each: 4 MB."""

GRANTS_MAX = 10_000
"""Grants whose use is counted: as many as a run takes into account. 0.3 kB each: 3 MB."""

NOBODY = (0, 0)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a state may remember, and for how long a refusal counts as just now.

    Units:   failover_within_us are microseconds.
    """

    accounts_max: int = ACCOUNTS_MAX
    clusters_max: int = CLUSTERS_MAX
    cluster_accounts_max: int = CLUSTER_ACCOUNTS_MAX
    blocks_max: int = BLOCKS_MAX
    families_max: int = FAMILIES_MAX
    grants_max: int = GRANTS_MAX
    failover_within_us: int = FAILOVER_WITHIN_US


class MemoryState:
    """The `State` of one process (`contract.State`). Nothing in it waits: a call sees all or nothing of another.

    A reasoning block belongs to the account and the organisation that it was issued to, and is foreign to all others.
    Which model issued it makes no difference: owners carry on a conversation with another model, and fallbacks do so
    unasked. A block that two owners were issued (a cached reply) is foreign to nobody, nor is one that nobody knows.

    Cost:    some 4 µs for `observe` and `record` of an ordinary call, and O(1) for each block of a call.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._accounts = _Recent[int, _Account](self._bounds.accounts_max)
        self._clusters = _Recent[str, _Cluster](self._bounds.clusters_max)
        self._families = _Recent[str, _Refusals](self._bounds.families_max)
        self._grants = _Recent[str, _Volume](self._bounds.grants_max)
        self._owners = _Recent[int, tuple[int, int]](self._bounds.blocks_max)
        self._acted = _Acted(0)
        self._saturated = 0

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        """Count the call in, and return what is remembered."""
        time_us = call.time_us
        hour = time_us // HOUR_US
        account = self._account(recognition.account_key, time_us, hour)
        acted = self._acted
        if turns(acted.hour, hour):
            acted = _Acted(hour)  # Shown and not kept: only what is acted on begins an hour.
        if not (recognition.campaign_id or recognition.grant_id or recognition.signature or recognition.block_keys):
            return Observed(
                first_seen_us=min(account.first_seen_us, time_us),
                account_calls_hour=account.calls_hour,
                account_calls_day=account.calls_day,
                account_tokens_hour=account.tokens_hour,
                account_input_tokens_hour=account.input_tokens_hour,
                acted_accounts_hour=len(acted.accounts),
                acted_verified_hour=acted.verified,
                acted_already=recognition.account_key in acted.accounts,
            )
        cluster = self._cluster(recognition, hour)
        volume = self._volume(recognition.grant_id)
        volume.calls += 1
        return Observed(
            first_seen_us=min(account.first_seen_us, time_us),
            account_calls_hour=account.calls_hour,
            account_calls_day=account.calls_day,
            account_tokens_hour=account.tokens_hour,
            account_input_tokens_hour=account.input_tokens_hour,
            cluster_calls_hour=cluster.calls,
            cluster_tokens_hour=cluster.tokens,
            cluster_input_tokens_hour=cluster.input_tokens,
            cluster_accounts_hour=len(cluster.accounts),
            foreign_block=self._is_foreign(recognition),
            failover=self._is_failover(recognition, time_us),
            grant_calls=volume.calls if recognition.grant_id else 0,
            grant_output_tokens=volume.output_tokens,
            acted_accounts_hour=len(acted.accounts),
            acted_verified_hour=acted.verified,
            acted_already=recognition.account_key in acted.accounts,
        )

    async def record(self, outcome: Outcome) -> None:
        """Take note of what became of a call."""
        recognition = outcome.recognition
        if outcome.acted:
            self._act(recognition, outcome.call_time_us // HOUR_US)
        if recognition.signature and is_closed(outcome.decision):
            self._refuse(recognition, outcome.call_time_us)
        if outcome.output_tokens > 0 or outcome.input_tokens > 0:
            self._spend(recognition, max(0, outcome.output_tokens), max(0, outcome.input_tokens))
        if outcome.issued_block_keys:
            self._issue(recognition, outcome.issued_block_keys)

    async def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def figures(self) -> dict[str, int]:
        """Return for each table how many entries it holds and how many it forgot because it was full, and how many
        calls came when a count of accounts stood at its bound."""
        tables = {
            "accounts": self._accounts.figures(),
            "clusters": self._clusters.figures(),
            "families": self._families.figures(),
            "grants": self._grants.figures(),
            "blocks": self._owners.figures(),
        }
        told = {f"{name}_{what}": count for name, of in tables.items() for what, count in of.items()}
        return {**told, "saturated": self._saturated}

    def _account(self, key: int, time_us: int, hour: int) -> _Account:
        day = time_us // DAY_US
        account = self._accounts.get(key)
        if account is None:
            account = _Account(time_us, hour, day)
            if key:
                self._accounts.put(key, account)
        if account.hour != hour and turns(account.hour, hour):
            account.hour, account.calls_hour = hour, 0
            account.tokens_hour = account.input_tokens_hour = 0
        if account.day != day and turns(account.day, day):
            account.day, account.calls_day = day, 0
        if key:
            account.calls_hour += 1
            account.calls_day += 1
        return account

    def _cluster(self, recognition: Recognition, hour: int) -> _Cluster:
        name = recognition.campaign_id
        if not name:
            return _Cluster(hour)
        cluster = self._clusters.get(name)
        if cluster is None or turns(cluster.hour, hour):
            cluster = _Cluster(hour)
            self._clusters.put(name, cluster)
        cluster.calls += 1
        if len(cluster.accounts) < self._bounds.cluster_accounts_max:
            cluster.accounts.add(recognition.account_key)
        else:
            self._saturated += 1
        return cluster

    def _volume(self, grant_id: str) -> _Volume:
        volume = self._grants.get(grant_id)
        if volume is None:
            volume = _Volume()
            if grant_id:
                self._grants.put(grant_id, volume)
        return volume

    def _is_foreign(self, recognition: Recognition) -> bool:
        me = (recognition.account_key, recognition.organization_key)
        if me == NOBODY:
            return False
        owner_of = self._owners.entries.get
        owners = (owner_of(key, NOBODY) for key in recognition.block_keys[-BLOCKS_OF_CALL_MAX:])
        return any(owner != NOBODY and not _is_same(owner, me) for owner in owners)

    def _is_failover(self, recognition: Recognition, time_us: int) -> bool:
        refusals = self._families.entries.get(recognition.signature)
        if refusals is None:
            return False
        another = refusals.before if refusals.last.account == recognition.account_key else refusals.last
        return another is not None and abs(time_us - another.time_us) <= self._bounds.failover_within_us

    def _act(self, recognition: Recognition, hour: int) -> None:
        if turns(self._acted.hour, hour):
            self._acted = _Acted(hour)
        acted, key = self._acted, recognition.account_key
        if len(acted.accounts) >= ACTED_ACCOUNTS_MAX:
            self._saturated += 1
        elif key not in acted.accounts:
            acted.accounts.add(key)
            acted.verified += recognition.verified

    def _refuse(self, recognition: Recognition, time_us: int) -> None:
        refusal = _Refusal(recognition.account_key, time_us)
        refusals = self._families.get(recognition.signature)
        if refusals is None:
            self._families.put(recognition.signature, _Refusals(refusal))
        else:
            if refusals.last.account != refusal.account:
                refusals.before = refusals.last
            refusals.last = refusal

    def _spend(self, recognition: Recognition, tokens: int, input_tokens: int) -> None:
        account = self._accounts.entries.get(recognition.account_key)
        if account is not None:
            account.tokens_hour += tokens
            account.input_tokens_hour += input_tokens
        cluster = self._clusters.entries.get(recognition.campaign_id)
        if cluster is not None:
            cluster.tokens += tokens
            cluster.input_tokens += input_tokens
        volume = self._grants.entries.get(recognition.grant_id)
        if volume is not None:
            volume.output_tokens += tokens

    def _issue(self, recognition: Recognition, keys: tuple[int, ...]) -> None:
        me = (recognition.account_key, recognition.organization_key)
        if me == NOBODY:
            return
        for key in keys[-BLOCKS_OF_CALL_MAX:]:
            owner = self._owners.entries.get(key)
            if owner is None:
                self._owners.put(key, me)
            elif not _is_same(owner, me):
                self._owners.entries[key] = NOBODY


def _is_same(owner: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two are one owner: the same account, or accounts of one organisation."""
    return (owner[0] == other[0] and owner[0] != 0) or (owner[1] == other[1] and owner[1] != 0)


@dataclass(slots=True)
class _Account:
    first_seen_us: int
    hour: int
    day: int
    calls_hour: int = 0
    calls_day: int = 0
    tokens_hour: int = 0
    input_tokens_hour: int = 0


@dataclass(slots=True)
class _Cluster:
    hour: int
    calls: int = 0
    tokens: int = 0
    input_tokens: int = 0
    accounts: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Acted:
    hour: int
    verified: int = 0
    accounts: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Refusal:
    account: int
    time_us: int


@dataclass(slots=True)
class _Refusals:
    """The last refusal of a signature, and the last of another account than that one's: enough to tell any account
    whether somebody else was refused."""

    last: _Refusal
    before: _Refusal | None = None


@dataclass(slots=True)
class _Volume:
    calls: int = 0
    output_tokens: int = 0


class _Recent(Generic[K, V]):
    """A table that, once it is full, forgets what was got or put longest ago, and counts that."""

    __slots__ = ("_count_max", "entries", "evicted")

    def __init__(self, count_max: int) -> None:
        self.entries: OrderedDict[K, V] = OrderedDict()
        self.evicted = 0
        self._count_max = count_max

    def get(self, key: K) -> V | None:
        entry = self.entries.get(key)
        if entry is not None:
            self.entries.move_to_end(key)
        return entry

    def put(self, key: K, entry: V) -> None:
        self.entries[key] = entry
        if len(self.entries) > self._count_max:
            self.entries.popitem(last=False)
            self.evicted += 1

    def figures(self) -> dict[str, int]:
        return {"kept": len(self.entries), "evicted": self.evicted}
