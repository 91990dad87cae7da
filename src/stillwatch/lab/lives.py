"""Accounts over a window of many days: who stays away, who is closed, and who tries a new model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from stillwatch.lab.streams import Keys, Numbers, unit
from stillwatch.lab.traffic import HOUR_US, RETRIES, Actor, Crowd, Ground, Joint, Planned, Records

REFUSED_FOR_US = HOUR_US
"""A banned account's machines go on calling for an hour, and are told 403."""

PRESENCE = (0.7, 1.6)
PRESENCE_MEAN = PRESENCE[0] / sum(PRESENCE)
"""Beta law of the share of days on which an account calls: mean 0.30. Our assumption, chosen so that the busiest
of fourteen days holds a third to a half of a median account's calls (ServeGen: .20 to .49)."""

WEEKEND = {"developer": 0.6, "company": 0.65}
"""What is left of the work on Saturday and Sunday; people at home keep their habits. Our assumption."""

FIRST_SATURDAY = 4
"""Worlds begin on a Tuesday."""

BANNED_A_DAY = 0.0006
"""Honest accounts are banned too: for spam, for payment, by mistake. Our assumption; one provider closed 1.45
million accounts in half a year."""

NEW_MODEL = "aurora-5"
TRIED = MappingProxyType(
    {
        "consumer": 0.5, "university": 0.5, "viral": 0.5, "reseller": 0.5,
        "developer": 0.45, "harness": 0.45, "hackathon": 0.45, "shared-key": 0.45,
        "company": 0.12, "enterprise": 0.12,
    }
)  # fmt: skip
"""How many of a class try a new model on their own account; jobs and services name theirs and keep to it."""

TRIED_AFTER_HOURS = 9.0
KEEN, STAYS, FADE_DAYS = 0.7, 0.2, 1.5
"""They first try it nine hours after the release on average, with 70 % of their sessions; the share falls to a fifth,
most of the way within three days. Our assumption: nobody publishes such a curve."""


def within_life(calls: Records, roster: Records) -> Records:
    """Drop calls before their account existed; after a ban answer 403 for an hour, then nothing."""
    account, time = calls["account"], calls["time"]
    closed = roster["closed"][account]
    over = (closed > 0) & (time >= closed)
    gone = time < roster["created"][account]
    if not gone.any() and not over.any():
        return calls
    gone |= over & ((time >= closed + REFUSED_FOR_US) | ~roster["banned"][account])
    calls["status"][over] = 403
    left: Records = calls[~gone]
    return left


def spend_weeks(actors: Sequence[Actor], ground: Ground) -> None:
    """Let crowds live through a long window: each account is away on most days, a few are banned.

    Their calls over the window become `PRESENCE_MEAN` times what they were.
    """
    days = ground.hours // 24
    for actor in actors:
        crowd = getattr(actor, "actor", actor)
        if not isinstance(crowd, Crowd):
            continue
        rng = ground.rng(crowd.name, "weeks")
        share = rng.beta(*PRESENCE, len(crowd.roster)).clip(0.03)
        left = [WEEKEND.get(crowd.name, 1.0) if (day - FIRST_SATURDAY) % 7 < 2 else 1.0 for day in range(days)]
        crowd.present = rng.random((days, len(share))) < share * np.array(left)[:, None]
        rate = crowd.habit["rate"]
        if not (rate * crowd.present).any():
            crowd.present[:] = True
        crowd.habit["rate"] = rate * (PRESENCE_MEAN * days * rate.sum() / (rate * crowd.present).sum())
        _ban_some(rng, crowd.roster, ground)


def _ban_some(rng: np.random.Generator, roster: Records, ground: Ground) -> None:
    when = ground.start_us + (rng.random(len(roster)) * ground.hours * HOUR_US).astype(np.int64)
    banned = rng.random(len(roster)) < BANNED_A_DAY * ground.hours / 24.0
    banned &= (when > roster["created"]) & (roster["closed"] == 0)
    roster["closed"][banned], roster["banned"][banned] = when[banned], True


def expected_calls(actor: Actor, ground: Ground) -> float | None:
    """Return the calls of an actor in the whole window; None for one of another make, which knows best."""
    if isinstance(actor, Planned):
        return len(actor.plan) * (1.0 + RETRIES)
    if isinstance(actor, Crowd):
        each = np.array([kind.calls_each for kind in actor.kinds])[actor.kind]
        days = ground.hours / 24.0 if actor.present is None else actor.present.sum(axis=0)
        return float((actor.habit["rate"] * each * days).sum()) * (1.0 + RETRIES)
    if isinstance(actor, Joint):
        parts = [expected_calls(part, ground) for part in actor.parts]
        return None if None in parts else sum(part for part in parts if part is not None)
    return None


class Release:
    """A new model in the window: which calls of honest accounts ask for it, and since when."""

    def __init__(self, ground: Ground) -> None:
        assert ground.release_us > 0
        self._start_us = ground.release_us
        known = ground.profiles[:]
        self._twin = np.array([ground.profile(replace(each, model=NEW_MODEL)) for each in known])

    def adopt(self, calls: Records, account: Keys, label: str) -> None:
        """Move some sessions of those who try to the new model, in place; campaigns decide for themselves."""
        tried = TRIED.get(label, 0.0)
        if tried == 0.0:
            return
        chance = unit(account, 60)
        first = TRIED_AFTER_HOURS * -np.log1p(-np.minimum(chance / tried, 1.0 - 1e-12))
        hours: Numbers = (calls["time"] - self._start_us) / HOUR_US - first
        pull = STAYS + (KEEN - STAYS) * np.exp(-np.maximum(hours, 0.0) / (24.0 * FADE_DAYS))
        session = np.where(calls["session"] > 0, calls["session"], calls["draw"])
        moves = (chance < tried) & (hours >= 0.0) & (unit(session, 61) < pull) & ~calls["organised"]
        calls["profile"][moves] = self._twin[calls["profile"][moves]]
