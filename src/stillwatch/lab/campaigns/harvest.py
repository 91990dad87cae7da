"""One campaign of any kind: its accounts, its tasks, its rhythm, and how it hands work to accounts.

The ledger (`ledger.py`) and the evasions (`evasions.py`) are settings of this one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import dispatch, habits, lives, network
from stillwatch.lab.campaigns.origins import MINUTE_US, WORKSHOP, Handover, Origin, Tenure, no_handover
from stillwatch.lab.streams import mix, name_key, unit
from stillwatch.lab.traffic import (
    HOUR_US,
    Actor,
    Crowd,
    Ground,
    Ints,
    Joint,
    Planned,
    Profile,
    Records,
    block_key,
    converse,
    plan_calls,
    settle_plan,
    topic_of,
)
from stillwatch.lab.words.language import TOPICS, language

LONG = Profile(temperature=1.0, max_tokens=8_192, output=(1_500.0, 0.7), refusal=0.02)
"""Answers that are worth learning from: long, sampled, seldom refused."""


@dataclass(frozen=True, slots=True)
class Task:
    """One sort of work: a share of the campaign's calls.

    `systems` are chosen by the author of the prompt, who is the campaign or, with `end_users`, each of
    so many people whose requests are passed on. `window` and `seats` are the parts of the campaign's
    time and of its seats that the task takes. `presents` calls bring a block that another account was issued.
    """

    form: str
    share: float = 1.0
    profile: Profile = LONG
    topics: tuple[int, ...] = ()
    topic_count: int = 4
    samples: int = 1
    turns: float = 1.0
    steps: float = 1.0
    follow: str = ""
    systems: tuple[str, ...] = ()
    end_users: int = 0
    named: float = 0.0
    organised: bool = True
    presents: bool = False
    window: tuple[float, float] = (0.0, 1.0)
    seats: tuple[float, float] = (0.0, 1.0)

    @property
    def calls_each(self) -> float:
        """Mean calls of one piece of work."""
        return self.turns * self.steps


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When the work is done. Shifts are (first hour, last hour, share) of a day.

    With `ticks` it is done at so many moments a day, all accounts together; with `ramp` the last day
    has so many times the calls of the first; `weekend` is what is left of a working day.
    """

    shifts: tuple[tuple[float, float, float], ...] = ((0.0, 24.0, 0.6), (7.0, 20.0, 0.4))
    ticks: int = 0
    ramp: float = 1.0
    weekend: float = 1.0

    def times(self, rng: np.random.Generator, count: int, ground: Ground, window: tuple[float, float]) -> Ints:
        """Draw sorted times within a part of the window."""
        first, last = (share * ground.hours / 24.0 for share in window)
        days = np.arange(int(first), int(np.ceil(last)))
        weight = self.ramp ** (days / max(ground.hours / 24.0 - 1.0, 1.0))
        weight *= np.where((days - lives.FIRST_SATURDAY) % 7 < 2, self.weekend, 1.0)
        weight *= np.minimum(days + 1, last) - np.maximum(days, first)
        day = rng.choice(days, count, p=weight / weight.sum())
        share = np.array([shift[2] for shift in self.shifts])
        which = rng.choice(len(self.shifts), count, p=share / share.sum())
        low, high = np.array([shift[:2] for shift in self.shifts])[which].T
        hour = low + rng.random(count) * (high - low)
        if self.ticks:
            hour = np.floor(hour * self.ticks / 24.0) * 24.0 / self.ticks + rng.exponential(0.01, count)
        time = day * 24.0 + hour
        outside = (time < first * 24.0) | (time >= last * 24.0)
        time[outside] = rng.uniform(first * 24.0, last * 24.0, int(outside.sum()))
        return np.sort(ground.start_us + (np.minimum(time, ground.hours - 1e-3) * HOUR_US).astype(np.int64))


AROUND_THE_CLOCK = Rhythm()


@dataclass(frozen=True, slots=True)
class Harvest:
    """A campaign. `calls_each` are the calls of one account in all its `days`.

    `unevenness` is the log-normal sigma of the accounts' shares: 0 gives work to whoever is free next, and
    `lockstep` to the least loaded. With `band` every account makes so many calls a day and no more.
    `cover` is organic traffic as a share of an account's calls; `roam` are paths drawn for each call;
    `moved` is the share of calls that are told 429 and go to another account; `pivot` the share that
    asks for a new model within a day of its release. `replay_lag_hours` lie between a block's issue and
    its return.
    """

    name: str
    accounts: int
    calls_each: float
    days: int
    tasks: tuple[Task, ...]
    origin: Origin = WORKSHOP
    rhythm: Rhythm = AROUND_THE_CLOCK
    handover: Handover = no_handover
    unevenness: float = 0.0
    lockstep: bool = False
    band: tuple[int, int] = (0, 0)
    cover: float = 0.0
    roam: tuple[int, ...] = ()
    moved: float = 0.0
    pivot: float = 0.0
    replay_lag_hours: float = 1.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each / (1.0 - self.cover)

    def at(self, scale: float, days: int | None = None) -> Harvest:
        """Return it with more or fewer accounts, or over fewer days: an account's day stays what it was."""
        days = self.days if days is None else days
        accounts = max(round(self.accounts * scale), 2)
        return replace(self, accounts=accounts, calls_each=self.calls_each * days / self.days, days=days)

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts with their work and their cover."""
        rng = ground.rng(self.name)
        roster = self.origin.enrol(rng, self.accounts, ground)
        tenure = self.handover(rng, roster, ground)
        plan = self._plan(rng, ground, roster, tenure)
        work = Planned(self.name, "campaign", roster, plan, ground, tenure.generations(len(roster)))
        if self.cover == 0.0:
            return work
        return Joint(self.name, "campaign", roster, (work, self._cover(rng, ground, roster)))

    def _cover(self, rng: np.random.Generator, ground: Ground, roster: Records) -> Crowd:
        kinds = (habits.FREE_API, habits.RECIPES, habits.QUICKSTART)
        kind = rng.integers(0, len(kinds), self.accounts)
        each = self.calls_each * self.cover / (1.0 - self.cover) * 24.0 / ground.hours
        rhythm = habits.habits(rng, self.accounts, each, 0.7, each * self.accounts, top=0.05)
        rhythm = habits.per_session(habits.of_people(rng, rhythm), kinds, kind)
        crowd = Crowd(f"{self.name} cover", "campaign", roster, rhythm, kinds, ground)
        crowd.assign(kind, rng)
        return crowd

    def _plan(self, rng: np.random.Generator, ground: Ground, roster: Records, tenure: Tenure) -> Records:
        """Draw every task, hand it out, and return the calls in order of time."""
        parts = [self._opened(rng, ground, task, tenure, roster) for task in self.tasks]
        grown = [_grow(rng, task, part) for task, part in zip(self.tasks, parts, strict=True)]
        self._bring_back(rng, grown)
        if self.pivot and ground.release_us:
            for task, part in zip(self.tasks, grown, strict=True):
                self._move_on(rng, ground, task, part)
        calls = np.concatenate(grown)
        calls = calls[calls["time"] < ground.at(ground.hours)]
        if self.roam:
            calls["path"] = np.array(self.roam)[rng.integers(0, len(self.roam), len(calls))] + 1
        if self.origin.stolen:
            _call_from_elsewhere(rng, calls)
        drawn = calls["draw"].copy()
        order = np.argsort(calls["time"], kind="stable")
        plan = settle_plan(calls, roster, rng)
        plan["draw"] = drawn[order]
        return plan

    def _opened(self, rng: np.random.Generator, ground: Ground, task: Task, tenure: Tenure, roster: Records) -> Records:
        """Draw one task's pieces of work, when each begins and with whom."""
        count = max(round(self.accounts * self.calls_each * task.share / task.calls_each), 1)
        low, high = (round(share * tenure.seats) for share in task.seats)
        seats = max(high - low, 1)
        if self.band != (0, 0):
            time, seat = self._banded(rng, ground, seats, task)
        else:
            time = self.rhythm.times(rng, count, ground, task.window)
            seat = self._seats(rng, seats, count)
        seat = np.minimum(low + seat, tenure.seats - 1)
        calls = _draw_work(rng, ground, task, len(time), name_key(ground.seed, self.name, "prompt"))
        calls["time"] = time
        calls["account"] = tenure.account[tenure.place(seat, time)]
        return np.concatenate([calls, self._sent_again(rng, calls, seat, tenure, roster)])

    def _seats(self, rng: np.random.Generator, seats: int, count: int) -> Ints:
        if self.lockstep:
            return dispatch.least_loaded(rng, seats, count)
        if self.unevenness:
            weight = rng.lognormal(0.0, self.unevenness, seats)
            return rng.choice(seats, count, p=weight / weight.sum())
        return dispatch.next_free(rng, seats, count)

    def _banded(self, rng: np.random.Generator, ground: Ground, seats: int, task: Task) -> tuple[Ints, Ints]:
        """Give every account its calls of every day; each at its own time."""
        days = round(ground.hours / 24.0)
        times, who = [], []
        for day in range(days):
            each = rng.binomial(rng.integers(self.band[0], self.band[1] + 1, seats), task.share)
            times.append(self.rhythm.times(rng, int(each.sum()), ground, (day / days, (day + 1) / days)))
            who.append(rng.permutation(np.repeat(np.arange(seats), each)))
        return np.concatenate(times), np.concatenate(who)

    def _sent_again(
        self, rng: np.random.Generator, calls: Records, seat: Ints, tenure: Tenure, roster: Records
    ) -> Records:
        """Return the calls that another account repeats: after a ban, after a 429."""
        row = tenure.place(seat, calls["time"])
        closed = roster["closed"][tenure.account[row]]
        following = np.minimum(row + 1, len(tenure.seat) - 1)
        lost = (closed > 0) & (calls["time"] >= closed) & (tenure.seat[following] == seat)
        again: Records = calls[lost].copy()
        again["time"] = tenure.since[following][lost] + rng.integers(0, 10 * MINUTE_US, len(again))
        again["account"] = tenure.account[following][lost]
        if not self.moved:
            return again
        busy = np.flatnonzero(rng.random(len(calls)) < self.moved)
        elsewhere = calls[busy].copy()
        calls["status"][busy] = 429
        elsewhere["time"] += rng.integers(MINUTE_US // 2, 4 * MINUTE_US, len(busy))
        elsewhere["account"] = tenure.account[tenure.place(rng.integers(0, tenure.seats, len(busy)), elsewhere["time"])]
        return np.concatenate([again, elsewhere])

    def _bring_back(self, rng: np.random.Generator, parts: Sequence[Records]) -> None:
        """Let the presenting tasks bring blocks that other accounts were issued some time before."""
        issuing = [
            part[part["step"] == 0]
            for task, part in zip(self.tasks, parts, strict=True)
            if task.profile.reasoning_level and not task.presents
        ]
        if not issuing:
            return
        issued = np.concatenate(issuing)
        issued = issued[np.argsort(issued["time"], kind="stable")]
        for task, part in zip(self.tasks, parts, strict=True):
            if task.presents:
                known = np.searchsorted(issued["time"], part["time"] - int(self.replay_lag_hours * HOUR_US))
                chosen = (rng.random(len(part)) * known).astype(np.int64)
                chosen = np.where(issued["account"][chosen] == part["account"], np.maximum(chosen - 1, 0), chosen)
                block = block_key(issued["session"][chosen], issued["turn"][chosen])
                before = rng.integers(1, 1 << 63, len(part), np.uint64)  # issued before the window began
                part["block"] = np.where(known > 0, block, before)

    def _move_on(self, rng: np.random.Generator, ground: Ground, task: Task, part: Records) -> None:
        """Let part of the work ask for the new model, within a day of its release."""
        twin = ground.profile(replace(task.profile, model=lives.NEW_MODEL))
        ready = (part["time"] - ground.release_us) / (12.0 * HOUR_US)
        part["profile"][rng.random(len(part)) < self.pivot * np.clip(ready, 0.0, 1.0)] = twin


def _draw_work(rng: np.random.Generator, ground: Ground, task: Task, count: int, author: int) -> Records:
    """Return pieces of work, without time and account."""
    calls = plan_calls(count, ground, task.form, task.profile, author)
    calls["draw"] = rng.integers(1, 1 << 63, count, np.uint64)
    items = -(-count // task.samples)
    calls["item"] = np.repeat(rng.integers(1, 1 << 63, items, np.uint64), task.samples)[:count]
    topics = np.array(task.topics or tuple(rng.permutation(len(TOPICS))[: task.topic_count]))
    calls["topic"] = np.repeat(rng.choice(topics, items), task.samples)[:count]
    calls["organised"] = task.organised
    if task.end_users:
        entry = (unit(calls["draw"], 6) ** 2 * task.end_users).astype(np.uint64)
        calls["author"] = mix(np.uint64(author) ^ entry, 7)
        calls["topic"] = topic_of(calls["author"])
        calls["end_user"] = np.where(unit(calls["author"], 8) < task.named, calls["author"], np.uint64(0))
    if task.systems:
        symbols = np.array([language().symbol(name) if name else -1 for name in task.systems])
        calls["system"] = symbols[(unit(calls["author"], 9) * len(symbols)).astype(np.int64)]
    if task.calls_each > 1.0 or task.profile.reasoning_level:
        calls["session"] = mix(calls["draw"], 5)
    return calls


def _grow(rng: np.random.Generator, task: Task, calls: Records) -> Records:
    """Let each piece of work become its conversation."""
    if task.calls_each <= 1.0:
        return calls
    calls = converse(calls, task.turns, task.steps, rng)
    if task.follow:
        calls["form"][calls["turn"] > 0] = language().symbol(task.follow)
    return calls


def _call_from_elsewhere(rng: np.random.Generator, calls: Records) -> None:
    """Make the calls come from few rented places and programs, whoever the account belongs to."""
    where = network.blocks(rng, 64, 5).address
    homes = network.places(rng, 400, {"home": 1.0}).address
    rented = rng.random(len(calls)) < 0.4
    calls["address"] = np.where(rented, rng.choice(where, len(calls)), rng.choice(homes, len(calls)))
    agents = network.draw_clients(rng, 3, {"python": 1.0})[0]
    calls["agent"] = rng.choice(agents, len(calls)) + 1
