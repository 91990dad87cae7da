"""Campaigns of run after run → lineages that keep one name, and events that say what became of each.

A run names a campaign by a digest of its members, so one account more gives it another name. A *lineage* is a campaign
through time: it keeps its name as long as it keeps most of its accounts. Every account belongs to one lineage at most,
the one that it was named in last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from stillwatch.campaign.state_files import replace_state
from stillwatch.errors import Error

STATE_VERSION = 1
EVENT_VERSION = 1

Kind = Literal["new", "split", "merged", "grown", "resumed", "ended"]
KINDS: tuple[Kind, ...] = ("new", "split", "merged", "grown", "resumed", "ended")
"""What can become of a lineage, in the order in which the events of one window are told.

new: a campaign that shares most of its accounts with no lineage. split: a campaign whose accounts come from a lineage
that another campaign goes on with. merged: most of its accounts are in the campaign of another lineage, to which all of
them pass. grown: further accounts were named. ended: no calls for a stated time. resumed: calls again after that."""

MOST = 2
"""A campaign goes on with a lineage where at least 1/MOST of its accounts were named in it, or of the accounts that
were named in the lineage last. With a half, each campaign has one lineage that it comes from, but for ties; with less,
a harness whose accounts are shared by two campaigns would make them one."""

ACCOUNTS_MAX = 4_000_000
"""Accounts remembered, some 100 MB of state: beyond, the lineages that ended first are forgotten, and begin anew if
they come back."""

STATE_BYTES_MAX = 1_000_000_000
"""Several times what ACCOUNTS_MAX accounts take; what is larger is another file."""


@dataclass(frozen=True, slots=True)
class Found:
    """One campaign of a run. `accounts` are pseudonyms of those that it names, or of the carriers where it names none.

    Units:   first_seen_us and last_seen_us are microseconds since the epoch.
    """

    campaign_id: str
    accounts: frozenset[str]
    first_seen_us: int
    last_seen_us: int
    events_count: int
    output_tokens: int
    q_value: float


@dataclass(frozen=True, slots=True)
class Lineage:
    """A campaign through time.

    `active` are the accounts that were named when it was found last, of those that still belong to it; `campaign_ids`
    are what that run called it; `merged_into` is the lineage that its accounts passed to.
    """

    lineage_id: str
    status: Literal["open", "ended", "merged"]
    first_seen_us: int
    last_seen_us: int
    active: tuple[str, ...] = ()
    campaign_ids: tuple[str, ...] = ()
    run: str = ""
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of `events.jsonl`; docs/watch.md says what each field means for each kind.

    Units:   times are microseconds since the epoch.
    """

    sequence: int
    kind: Kind
    lineage_id: str
    other_id: str | None
    window_us: tuple[int, int]
    run: str
    campaign_id: str | None
    first_seen_us: int
    last_seen_us: int
    accounts_count: int
    accounts_added: tuple[str, ...]
    events_count: int | None
    output_tokens: int | None
    q_value: float | None
    version: int = EVENT_VERSION


@dataclass(frozen=True, slots=True)
class State:
    """All lineages so far and who belongs to which; `until_us` is the end of the last window, -1 before the first.

    `key` names the key of the pseudonyms. `told` are the events of the last window, kept until the next one so that
    whoever writes them can finish what was interrupted. `forgotten_count` counts lineages whose accounts were dropped.
    """

    key: str
    until_us: int = -1
    number: int = 0
    sequence: int = 0
    forgotten_count: int = 0
    lineages: Mapping[str, Lineage] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    told: tuple[Event, ...] = ()
    version: int = STATE_VERSION


def advance(
    state: State, window_us: tuple[int, int], run: str, found: Sequence[Found], quiet_us: int
) -> tuple[State, tuple[Event, ...]]:
    """Go on by one window: return the next state and the events that lead to it.

    A lineage has ended once `quiet_us` passed between its last call and the window's end, whether the run still found
    it or not. A window that does not end after the last one was told already and says nothing. The order of `found` and
    of the accounts does not matter.
    """
    if window_us[1] <= state.until_us:
        return state, ()
    if not found and not _ending(state.lineages, window_us[1], quiet_us):
        return replace(state, until_us=window_us[1], told=()), ()
    step = _Step(state, window_us, run, quiet_us)
    own = _own(found)
    step.match({one.campaign_id: one for one in found}, own)
    step.close()
    return step.finish()


def _own(found: Sequence[Found]) -> dict[str, tuple[str, ...]]:
    """Give each account to one of the campaigns that name it, the larger first; a campaign may be left without."""
    taken: set[str] = set()
    own = {}
    for one in sorted(found, key=lambda one: (-len(one.accounts), one.campaign_id)):
        own[one.campaign_id] = tuple(sorted(one.accounts - taken))
        taken |= one.accounts
    return own


@dataclass(slots=True)
class _Step:
    """One window on its way: what is known before it, and what becomes of that."""

    state: State
    window_us: tuple[int, int]
    run: str
    quiet_us: int
    lineages: dict[str, Lineage] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    drafts: list[Event] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.lineages = dict(self.state.lineages)
        self.accounts = dict(self.state.accounts)
        self.number = self.state.number

    def match(self, found: Mapping[str, Found], own: Mapping[str, tuple[str, ...]]) -> None:
        """Give each campaign its lineage, an old one or a new one, and let lineages pass into others."""
        links = self._links(own)
        lineage_of: dict[str, str] = {}
        for _, lineage_id, campaign_id in links:
            if campaign_id not in lineage_of and lineage_id not in lineage_of.values():
                lineage_of[campaign_id] = lineage_id
        swallowed = self._swallowed(lineage_of, own)
        fresh = sorted((own[name][0], name) for name in own if own[name] and name not in lineage_of)
        for campaign_id, lineage_id in lineage_of.items():
            arriving = {lineage_id, *(name for name, into in swallowed.items() if into == campaign_id)}
            self._go_on(lineage_id, found[campaign_id], own[campaign_id], arriving)
        for _, campaign_id in fresh:
            origin = next((lineage_id for _, lineage_id, name in links if name == campaign_id), None)
            lineage_of[campaign_id] = self._begin(found[campaign_id], own[campaign_id], origin)
        for lineage_id, campaign_id in sorted(swallowed.items()):
            self._merge(lineage_id, lineage_of[campaign_id])
        for campaign_id in (name for name in own if not own[name]):
            self._second_name(found[campaign_id])
        self._keep_active()

    def _links(self, own: Mapping[str, tuple[str, ...]]) -> list[tuple[int, str, str]]:
        """Return which campaigns may go on with which lineages, those that share most accounts first."""
        active = {name: frozenset(lineage.active) for name, lineage in self.lineages.items()}
        links = []
        for campaign_id, mine in own.items():
            shared = Counter(self.accounts[each] for each in mine if each in self.accounts)
            for lineage_id, count in shared.items():
                kept = sum(each in active[lineage_id] for each in mine)
                if MOST * count >= len(mine) or (kept and MOST * kept >= len(active[lineage_id])):
                    links.append((-count, lineage_id, campaign_id))
        return sorted(links, key=lambda link: (link[0], link[1], own[link[2]]))

    def _swallowed(self, lineage_of: Mapping[str, str], own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """Return the lineages that nobody goes on with, and the campaign that most of their accounts are in."""
        holder = {each: name for name in lineage_of for each in own[name]}
        gone = {}
        for lineage_id, lineage in self.lineages.items():
            if lineage_id in lineage_of.values() or not lineage.active:
                continue
            where = Counter(holder[each] for each in lineage.active if each in holder)
            if where:
                campaign_id = min(where, key=lambda name: (-where[name], lineage_of[name]))
                if MOST * where[campaign_id] >= len(lineage.active):
                    gone[lineage_id] = campaign_id
        return gone

    def _go_on(self, lineage_id: str, one: Found, accounts: tuple[str, ...], arriving: set[str]) -> None:
        added = tuple(each for each in accounts if self.accounts.get(each) not in arriving)
        self._found(lineage_id, self.lineages[lineage_id], one, accounts)
        if added:
            self._tell("grown", lineage_id, one, added)

    def _begin(self, one: Found, accounts: tuple[str, ...], origin: str | None) -> str:
        self.number += 1
        lineage_id = f"L{self.number:06d}"
        self._found(lineage_id, Lineage(lineage_id, "open", one.first_seen_us, one.last_seen_us), one, accounts)
        self._tell("split" if origin else "new", lineage_id, one, accounts, origin)
        return lineage_id

    def _found(self, lineage_id: str, before: Lineage, one: Found, accounts: tuple[str, ...]) -> None:
        self.accounts.update(dict.fromkeys(accounts, lineage_id))
        last_us = max(before.last_seen_us, one.last_seen_us)
        back = before.status == "ended" and not self._quiet(last_us)
        self.lineages[lineage_id] = replace(
            before,
            status="open" if back else before.status,
            first_seen_us=min(before.first_seen_us, one.first_seen_us),
            last_seen_us=last_us,
            active=accounts,
            campaign_ids=(one.campaign_id,),
            run=self.run,
        )
        if back:
            self._tell("resumed", lineage_id, one)

    def _merge(self, lineage_id: str, into: str) -> None:
        passed = [each for each, of in self.accounts.items() if of == lineage_id]
        self.accounts.update(dict.fromkeys(passed, into))
        heir, gone = self.lineages[into], self.lineages[lineage_id]
        self.lineages[into] = replace(heir, first_seen_us=min(heir.first_seen_us, gone.first_seen_us))
        self.lineages[lineage_id] = replace(gone, status="merged", merged_into=into)
        self._tell("merged", lineage_id, other=into)

    def _second_name(self, one: Found) -> None:
        """Let a campaign whose accounts are all counted in others go by the lineage that most of them are in."""
        where = Counter(self.accounts[each] for each in one.accounts)
        lineage_id = min(where, key=lambda name: (-where[name], name))
        lineage = self.lineages[lineage_id]
        self.lineages[lineage_id] = replace(lineage, campaign_ids=(*lineage.campaign_ids, one.campaign_id))

    def _keep_active(self) -> None:
        for lineage_id, lineage in self.lineages.items():
            kept = tuple(each for each in lineage.active if self.accounts[each] == lineage_id)
            if kept != lineage.active:
                self.lineages[lineage_id] = replace(lineage, active=kept)

    def close(self) -> None:
        """End the lineages that have been quiet for long enough."""
        for lineage_id in _ending(self.lineages, self.window_us[1], self.quiet_us):
            self.lineages[lineage_id] = replace(self.lineages[lineage_id], status="ended")
            self._tell("ended", lineage_id)

    def _quiet(self, last_us: int) -> bool:
        return self.window_us[1] - last_us >= self.quiet_us

    def _tell(
        self,
        kind: Kind,
        lineage_id: str,
        one: Found | None = None,
        added: tuple[str, ...] = (),
        other: str | None = None,
    ) -> None:
        lineage = self.lineages[lineage_id]
        self.drafts.append(
            Event(
                0, kind, lineage_id, other, self.window_us, self.run, one.campaign_id if one else None,
                lineage.first_seen_us, lineage.last_seen_us, len(lineage.active), added,
                one.events_count if one else None, one.output_tokens if one else None, one.q_value if one else None,
            )
        )  # fmt: skip

    def finish(self) -> tuple[State, tuple[Event, ...]]:
        """Number the events and bound what is remembered."""
        ordered = sorted(self.drafts, key=lambda event: (KINDS.index(event.kind), event.lineage_id))
        first = self.state.sequence + 1
        events = tuple(replace(event, sequence=first + at) for at, event in enumerate(ordered))
        forgotten = _forget(self.lineages, self.accounts)
        after = replace(
            self.state,
            until_us=self.window_us[1],
            number=self.number,
            sequence=self.state.sequence + len(events),
            forgotten_count=self.state.forgotten_count + forgotten,
            lineages=dict(sorted(self.lineages.items())),
            accounts=dict(sorted(self.accounts.items())),
            told=events,
        )
        return after, events


def _ending(lineages: Mapping[str, Lineage], until_us: int, quiet_us: int) -> list[str]:
    """List the open lineages that have been quiet for long enough."""
    return [
        one.lineage_id for one in lineages.values() if one.status == "open" and until_us - one.last_seen_us >= quiet_us
    ]


def _forget(lineages: dict[str, Lineage], accounts: dict[str, str]) -> int:
    """Drop the accounts of the lineages that ended first until the rest fits; return how many lineages were hit."""
    if len(accounts) <= ACCOUNTS_MAX:
        return 0
    held: defaultdict[str, list[str]] = defaultdict(list)
    for account, lineage_id in accounts.items():
        held[lineage_id].append(account)
    count = 0
    ended_first = sorted((lineages[name].status == "open", lineages[name].last_seen_us, name) for name in held)
    for _, _, lineage_id in ended_first:
        if len(accounts) <= ACCOUNTS_MAX:
            break
        for account in held[lineage_id]:
            del accounts[account]
        lineages[lineage_id] = replace(lineages[lineage_id], active=())
        count += 1
    return count


def belonging(events: Iterable[Event]) -> tuple[dict[str, str], dict[str, str]]:
    """Rebuild from all events who belongs to which lineage, and the status of each lineage."""
    accounts: dict[str, str] = {}
    status: dict[str, str] = {}
    for event in events:
        if event.kind == "merged" and event.other_id is not None:
            accounts = {each: event.other_id if of == event.lineage_id else of for each, of in accounts.items()}
        accounts.update(dict.fromkeys(event.accounts_added, event.lineage_id))
        status[event.lineage_id] = {"merged": "merged", "ended": "ended", "resumed": "open"}.get(
            event.kind, status.get(event.lineage_id, "open")
        )
    return accounts, status


def load_state(path: Path, key: str) -> State:
    """Read a state file; where there is none, return the state before the first window.

    Raises:  bad-watch-state where the file is something else; watch-key-differs where its pseudonyms have another key.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(STATE_BYTES_MAX + 1)
        state = msgspec.json.decode(data, type=State)
    except FileNotFoundError:
        return State(key)
    except (OSError, msgspec.DecodeError) as error:
        raise _bad(path) from error
    if state.version != STATE_VERSION or len(data) > STATE_BYTES_MAX:
        raise _bad(path)
    if state.key != key:
        raise Error(
            "watch-key-differs",
            f"the campaigns so far were named under key {state.key}, got {key}",
            hint="go on with the same --key-file, or name another --out",
            where=str(path),
        )
    return state


def save_state(path: Path, state: State) -> None:
    """Replace a state file, whole or not at all."""
    replace_state(path, asdict(state))


def _bad(path: Path) -> Error:
    return Error(
        "bad-watch-state",
        "the file of the campaigns so far cannot be read: it is something else, was changed, or is of another version",
        hint="name the --out that earlier windows were written to, or another one to begin anew",
        where=str(path),
    )
