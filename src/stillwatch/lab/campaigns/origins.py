"""How a campaign came by its accounts, and who takes over when some are banned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import network
from stillwatch.lab.roster import (
    BUSINESS,
    CONSUMER,
    DAY_US,
    DEVELOPER,
    DISPOSABLE_DOMAINS,
    PUBLIC_DOMAINS,
    Style,
    enrol,
    move_to,
)
from stillwatch.lab.streams import Keys
from stillwatch.lab.traffic import HOUR_US, Ground, Ints, Records

MINUTE_US = 60_000_000

FREE = replace(CONSUMER, clients={"python": 0.7, "node": 0.3}, paid=0.0, phone=0.9, paths={0: 1.0}, plans=(0,),
               roaming=0.0)  # fmt: skip
API_CUSTOMER = replace(DEVELOPER, paid=1.0, company=0.0, paths={0: 1.0}, roaming=0.0)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a campaign's accounts share, as accounts to one of each; 0 where each has its own.

    `per_org` are the accounts of one organisation behind one address. With `signup_days` all signed up
    within so many days, else like anybody. `paths` are drawn for each account. `stolen` accounts are
    ordinary customers, their calls come from somewhere else.
    """

    styles: tuple[Style, ...] = (API_CUSTOMER,)
    per_card: float = 15.0
    per_block: float = 40.0
    per_org: float = 0.0
    signup_days: float = 4.0
    waves: int = 1
    disposable: float = 0.7
    clients: int = 2
    paths: tuple[int, ...] = ()
    programme: int = -1
    use: int = -1
    stolen: bool = False

    def enrol(self, rng: np.random.Generator, count: int, ground: Ground) -> Records:
        """Draw the accounts."""
        sizes = np.diff(np.linspace(0, count, len(self.styles) + 1).round().astype(int))
        parts = [enrol(rng, int(size), style, ground.start_us) for size, style in zip(sizes, self.styles, strict=True)]
        roster = np.concatenate(parts)
        if self.stolen:
            return roster
        roster["org"], roster["programme"], roster["use"], roster["other_address"] = 0, self.programme, self.use, 0
        roster["email"] = rng.integers(1, 1 << 63, count, np.uint64)
        for column in ("payment", "phone"):
            held = roster[column] > 0
            roster[column][held] = rng.integers(1, 1 << 63, int(held.sum()), np.uint64)
        roster["domain"] = roster["domain"] % np.uint64(PUBLIC_DOMAINS)
        roster["credentials"] = np.where(roster["path"] == 2, 0, 1)
        self._share(rng, roster, ground)
        return roster

    def _share(self, rng: np.random.Generator, roster: Records, ground: Ground) -> None:
        count = len(roster)
        if self.per_card:
            roster["payment"] = _groups(rng, count, self.per_card)[1]
            roster["verification"] = 3
        if self.per_block:
            move_to(roster, network.blocks(rng, count, max(round(count / self.per_block), 1)))
        else:
            move_to(roster, network.places(rng, count, {"home": 0.8, "mobile": 0.2}))
        if self.per_org:
            group, keys = _groups(rng, count, self.per_org)
            roster["org"], roster["domain"], roster["payment"] = keys, keys | np.uint64(1 << 20), keys >> np.uint64(1)
            for which in np.unique(group):
                members = np.flatnonzero(group == which)
                where = network.one_address(rng, len(members))
                for column, value in (("address", where.address), ("signup_ip", where.address), ("span", where.span)):
                    roster[column][members] = value
        if self.signup_days:
            begin = ground.start_us - (rng.uniform(6, 30, self.waves) * DAY_US).astype(np.int64)
            spread = (rng.random(count) * self.signup_days / self.waves * DAY_US).astype(np.int64)
            late = begin[rng.integers(0, self.waves, count)] + spread
            roster["created"] = np.minimum(late, ground.start_us - rng.integers(HOUR_US, DAY_US, count))
        thrown = rng.random(count) < self.disposable
        few = (PUBLIC_DOMAINS + rng.integers(0, DISPOSABLE_DOMAINS, 6)).astype(np.uint64)
        roster["domain"][thrown] = rng.choice(few, int(thrown.sum()))
        if self.clients:
            agent, tls = network.draw_clients(rng, self.clients, {"python": 0.8, "node": 0.2})
            which = (rng.random(count) ** 2 * self.clients).astype(np.int64)
            roster["agent"], roster["tls"] = agent[which], tls[which]
        if self.paths:
            roster["path"] = np.array(self.paths)[rng.permutation(count) % len(self.paths)]


WORKSHOP = Origin()
"""Made in bulk within days: few cards, few address blocks, throw-away mail, one program."""

PRIVATE = Origin(per_card=0, per_block=0, signup_days=0, disposable=0, clients=0)
"""Nothing in common: own card, own home, own mail, own client, signed up like anybody."""

SWARM = Origin((FREE,), per_card=0, per_block=0, signup_days=6.0, waves=3, disposable=0.3)
"""Free accounts from homes and phones, made in three waves."""

VIRTUAL = Origin(per_card=6.0, per_block=0, signup_days=14.0)
"""Home proxies, throw-away mail, virtual cards that a few accounts share."""

MIXED = Origin(
    (CONSUMER, replace(DEVELOPER, paid=1.0), BUSINESS),
    per_card=25.0,
    per_block=0,
    signup_days=0,
    disposable=0.1,
    clients=0,
)
"""Account types of every sort, on every path."""


def _groups(rng: np.random.Generator, count: int, size: float) -> tuple[Ints, Keys]:
    groups = max(round(count / size), 1)
    which = rng.integers(0, groups, count)
    return which, rng.integers(1 << 40, 1 << 62, groups, np.uint64)[which]


@dataclass(frozen=True, slots=True)
class Tenure:
    """Which account holds each seat of the pool, and since when. Shapes: [n], sorted by seat, then time."""

    seats: int
    seat: Ints
    since: Ints
    account: Ints
    ground: Ground

    def place(self, seat: Ints, time: Ints) -> Ints:
        """Return the row that is in force for each seat at each time."""
        span = self.ground.hours * HOUR_US + 1
        begins = self.seat * span + np.maximum(self.since - self.ground.start_us, 0)
        since = np.clip(time - self.ground.start_us, 0, span - 1)
        found: Ints = np.searchsorted(begins, seat * span + since, side="right") - 1
        return found

    def generations(self, accounts: int) -> Ints:
        """Return of each account how many held its seat before it, and itself; of several seats the least."""
        first = np.maximum.accumulate(np.where(np.diff(self.seat, prepend=-1) != 0, np.arange(len(self.seat)), 0))
        found = np.full(accounts, len(self.seat) + 1)
        np.minimum.at(found, self.account, np.arange(len(self.seat)) - first + 1)
        return np.where(found > len(self.seat), 1, found)


Handover = Callable[[np.random.Generator, Records, Ground], Tenure]
"""Who holds the seats; it writes births and bans into the roster."""


def no_handover(rng: np.random.Generator, roster: Records, ground: Ground) -> Tenure:
    """Let every account keep its seat."""
    place = np.arange(len(roster))
    return Tenure(len(roster), place, np.full(len(roster), ground.start_us), place, ground)


@dataclass(frozen=True, slots=True)
class Failover:
    """A first pool is banned within hours at a share `at` of the window; a second, born before, takes over.

    `first` is the first pool's share of the accounts. Each seat is taken within `minutes`.
    """

    first: float = 0.59
    at: float = 0.5
    wave_hours: float = 2.0
    born_days: tuple[float, float] = (3.0, 20.0)
    minutes: tuple[float, float] = (3.0, 50.0)

    def __call__(self, rng: np.random.Generator, roster: Records, ground: Ground) -> Tenure:
        """Return the seats of the first pool and their two holders."""
        seats = max(round(len(roster) * self.first), 1)
        ban = ground.at(self.at * ground.hours) + (rng.random(seats) * self.wave_hours * HOUR_US).astype(np.int64)
        spare = max(len(roster) - seats, 1)
        heir = np.minimum(seats + np.arange(seats) % spare, len(roster) - 1)
        _close(roster, np.arange(seats), ban)
        age = rng.uniform(*self.born_days, len(roster) - seats)
        roster["created"][seats:] = ground.at(self.at * ground.hours) - (age * DAY_US).astype(np.int64)
        return _succeeded(np.arange(seats), ban, heir, self.minutes, rng, ground)


@dataclass(frozen=True, slots=True)
class PathBlock:
    """One access path is closed to the campaign in the middle of the window; its work moves to the others."""

    path: int = 0
    at: float = 0.5
    minutes: tuple[float, float] = (2.0, 15.0)

    def __call__(self, rng: np.random.Generator, roster: Records, ground: Ground) -> Tenure:
        """Return a seat for each account; those on the closed path get a second holder elsewhere."""
        lost = np.flatnonzero(roster["path"] == self.path)
        others = np.flatnonzero(roster["path"] != self.path)
        ban = np.full(len(roster), np.int64(ground.at(ground.hours) + 1))
        heir = np.arange(len(roster))
        if len(others):
            ban[lost] = ground.at(self.at * ground.hours) + rng.integers(0, 20 * MINUTE_US, len(lost))
            _close(roster, lost, ban[lost])
            heir[lost] = rng.choice(others, len(lost))
        return _succeeded(np.arange(len(roster)), ban, heir, self.minutes, rng, ground)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Every account lives `life_days`, then is banned; a standby born `standby_days` before takes its seat."""

    life_days: tuple[float, float] = (1.0, 4.0)
    standby_days: tuple[float, float] = (7.0, 30.0)
    minutes: tuple[float, float] = (2.0, 55.0)

    def __call__(self, rng: np.random.Generator, roster: Records, ground: Ground) -> Tenure:
        """Return as many seats as the accounts can fill to the end of the window."""
        end = ground.at(ground.hours)
        seats = max(int(len(roster) / (1.0 + ground.hours / 24.0 / np.mean(self.life_days))), 1)
        free = len(roster) - seats
        rows = [(seat, ground.start_us, seat) for seat in range(seats)]
        due = [(ground.start_us + self._life(rng, first=True), seat, seat) for seat in range(seats)]
        for ban, seat, account in due:
            if ban >= end or not free:
                continue
            _close(roster, np.array([account]), np.array([ban]))
            heir = len(roster) - free
            free -= 1
            since = ban + int(rng.uniform(*self.minutes) * MINUTE_US)
            roster["created"][heir] = ban - int(rng.uniform(*self.standby_days) * DAY_US)
            rows.append((seat, since, heir))
            due.append((since + self._life(rng), seat, heir))
        seat, since_us, account_of = np.array(sorted(rows), np.int64).T
        return Tenure(seats, seat, since_us, account_of, ground)

    def _life(self, rng: np.random.Generator, first: bool = False) -> int:
        low, high = self.life_days
        return int(rng.uniform(0.3 * low if first else low, high) * DAY_US)


def _close(roster: Records, accounts: Ints, when: Ints) -> None:
    roster["closed"][accounts] = when
    roster["banned"][accounts] = True


def _succeeded(
    seats: Ints, ban: Ints, heir: Ints, minutes: tuple[float, float], rng: np.random.Generator, ground: Ground
) -> Tenure:
    """Return two holders for each seat: itself, and the heir some minutes after the ban."""
    since = ban + (rng.uniform(*minutes, len(seats)) * MINUTE_US).astype(np.int64)
    since = np.minimum(since, ground.at(ground.hours) + 1)
    rows = np.lexsort((np.r_[np.zeros(len(seats)), np.ones(len(seats))], np.r_[seats, seats]))
    begin = np.full(len(seats), ground.start_us)
    return Tenure(len(seats), np.r_[seats, seats][rows], np.r_[begin, since][rows], np.r_[seats, heir][rows], ground)
