"""What happens to an actor's calls after they are drawn: accounts come and go, a new model is out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab.roster import DAY_US
from stillwatch.lab.streams import Numbers, unit
from stillwatch.lab.traffic import HOUR_US, Actor, Crowd, Ground, Ints, Records, Slot

Change = Callable[[Records], Records]
"""A pure function of each call: the same whatever calls stand beside it."""

NEW_MODEL = "aurora-5"
"""The model that comes out during a window; nobody can call it before."""


@dataclass(frozen=True, slots=True)
class Altered:
    """An actor whose calls pass through some changes, one after another."""

    actor: Actor
    changes: tuple[Change, ...]

    @property
    def name(self) -> str:
        return self.actor.name

    @property
    def label(self) -> str:
        return self.actor.label

    @property
    def roster(self) -> Records:
        return self.actor.roster

    def draft(self, slot: Slot) -> Records:
        """Return the actor's calls of this slot, changed."""
        calls = self.actor.draft(slot)
        for change in self.changes:
            calls = change(calls)
        return calls


@dataclass(frozen=True, slots=True)
class Lives:
    """Each account calls from `since` on and before `until`. Units: microseconds since the epoch."""

    since: Ints
    until: Ints

    def __call__(self, calls: Records) -> Records:
        account, time = calls["account"], calls["time"]
        alive: Records = calls[(time >= self.since[account]) & (time < self.until[account])]
        return alive


def fit(habit: Records, calls: float, ground: Ground, lives: Lives | None = None) -> Records:
    """Scale the rates so that all accounts together make `calls` calls in the whole window while they live."""
    begin, end = np.zeros(len(habit)), np.full(len(habit), float(ground.hours))
    if lives is not None:
        begin = np.clip((lives.since - ground.start_us) / HOUR_US, 0.0, ground.hours)
        end = np.clip((lives.until - ground.start_us) / HOUR_US, begin, ground.hours)
    days = (_active(habit, end) - _active(habit, begin)) / habit["hours"]
    # Where everybody lives outside the hours in which he is active, there is nothing to scale.
    made = float((habit["rate"] * days).sum())
    if made > 0.0:
        habit["rate"] *= calls / made
    return habit


def _active(habit: Records, hour: Numbers) -> Numbers:
    """Return how many active hours of each account lie before an hour of the window, up to a constant."""
    days, since = np.divmod(hour - habit["from_hour"], 24.0)
    active: Numbers = days * habit["hours"] + np.minimum(since, habit["hours"])
    return active


PASSING = 0.5
PASSING_DAYS = 2.0
LEAVING = 0.003
"""Half of the accounts that are new try things for two days on average and stop; of the others three in a
thousand stop each day. Our assumption: no provider publishes how long accounts last."""

CLOSED = 0.15
"""Share of those who stop that close their account as well; the others just fall silent."""


def draw_lives(rng: np.random.Generator, roster: Records, ground: Ground, new: float) -> Lives:
    """Let some accounts sign up during the window, as many a day as before it, and some stop during it.

    `new` is the share of accounts that signed up in the three days before the window.
    """
    count, days = len(roster), ground.hours / 24.0
    end_us = ground.at(ground.hours)
    since = np.full(count, ground.start_us)
    born = np.flatnonzero(rng.random(count) < new / 3.0 * days / (1.0 + new / 3.0 * days))
    hour = np.clip(rng.normal(14.5, 4.2, len(born)), 0.0, 23.99) / 24.0
    day = np.floor(rng.random(len(born)) * days)
    since[born] = ground.start_us + (np.minimum(day + hour, days - 0.01) * DAY_US).astype(np.int64)
    roster["created"][born] = since[born] - (rng.exponential(0.1, len(born)) * HOUR_US).astype(np.int64)
    fresh = roster["created"] > ground.start_us - 3 * DAY_US
    passing = fresh & (rng.random(count) < PASSING)
    left = np.where(passing, rng.exponential(PASSING_DAYS, count), rng.exponential(1.0 / LEAVING, count))
    until = since + (np.minimum(left, 2.0 * days + 1.0) * DAY_US).astype(np.int64)
    closed = np.flatnonzero((until < end_us) & (rng.random(count) < CLOSED))
    roster["closed"][closed] = until[closed]
    roster["key"][closed] |= np.uint64(1)  # an odd key: closed by its user, not by the provider
    return Lives(since, until)


@dataclass(frozen=True, slots=True)
class Release:
    """A new model is out at an hour of the window, and the population tries it.

    `tried` is the share of consumers, developers and companies that ever do, each for the first time
    `spread_hours` after the release on average; at first `keen` of a tester's sessions go to the new
    model, later `stays`, and the way from the one to the other takes about `fade_days`.
    Source:  the shape is our assumption; that accounts flock to a new model on its first day is why
             "moved to the new model within a day" is listed among indicators of distillation.
    """

    model: str = NEW_MODEL
    at_hour: float = 10.0
    tried: tuple[float, float, float] = (0.5, 0.45, 0.12)
    spread_hours: float = 9.0
    keen: float = 0.7
    stays: float = 0.2
    fade_days: float = 1.5


def trying(release: Release, tried: float, crowd: Crowd, rng: np.random.Generator) -> Change:
    """Return the change that sends some sessions of some of the crowd's accounts to the new model."""
    ground, count = crowd.ground, len(crowd.roster)
    first = ground.at(release.at_hour) + (rng.exponential(release.spread_hours, count) * HOUR_US).astype(np.int64)
    first[rng.random(count) >= tried] = np.iinfo(np.int64).max
    used = np.unique(crowd.profile)
    moved = np.arange(len(ground.profiles))
    moved[used] = [ground.profile(replace(ground.profiles[number], model=release.model)) for number in used.tolist()]

    def change(calls: Records) -> Records:
        since = calls["time"] - first[calls["account"]]
        days = np.maximum(since, 0) / DAY_US
        pull = release.stays + (release.keen - release.stays) * np.exp(-days / release.fade_days)
        session = np.where(calls["session"] > 0, calls["session"], calls["draw"])
        moves = (since >= 0) & (unit(session, 60) < pull)
        calls["profile"][moves] = moved[calls["profile"][moves]]
        return calls

    return change
