"""What happens to an actor's calls after they are drawn; above all, accounts come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stillwatch.lab.roster import DAY_US
from stillwatch.lab.streams import Numbers
from stillwatch.lab.traffic import HOUR_US, Actor, Ground, Ints, Records, Slot

Change = Callable[[Records], Records]
"""A pure function of each call: the same whatever calls stand beside it."""


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
    return Lives(since, until)
