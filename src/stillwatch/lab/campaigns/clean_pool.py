"""A pool without a shared attribute: what joins its accounts is the work alone.

Each account has its own payment, address, sign-up day and mail, writes a preamble of its own before
the task, and carries some organic traffic. The work queue is passed over again on another model.
Source:  published evasions: sticky private addresses, unique virtual cards, load balancing, cover traffic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import dispatch, habits
from stillwatch.lab.roster import DEVELOPER, enrol
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import (
    Actor,
    Crowd,
    Ground,
    Joint,
    Planned,
    Profile,
    Records,
    plan_calls,
    settle_plan,
)
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class CleanPool:
    """`form` is the task behind the preamble; `second_pass` the share of the queue that is passed again.

    `cover` is organic traffic as a share of an account's calls.
    """

    name: str = "clean-pool"
    accounts: int = 300
    calls_each: float = 25.0
    form: str = "queue_with_preamble"
    second_pass: float = 0.6
    cover: float = 0.15
    topics: int = 4

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each / (1.0 - self.cover)

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts with their share of the queue and their cover."""
        rng = ground.rng(self.name)
        roster = enrol_one_by_one(rng, self.accounts, ground)
        work = Planned(self.name, "campaign", roster, self._queue(rng, ground, roster), ground)
        kinds = (habits.FREE_API, habits.RECIPES, habits.QUICKSTART)
        kind = rng.integers(0, len(kinds), self.accounts)
        cover_each = self.calls_each * self.cover / (1.0 - self.cover)
        rhythm = habits.habits(rng, self.accounts, cover_each, 0.7, cover_each * self.accounts, top=0.05)
        rhythm = habits.per_session(habits.of_people(rng, rhythm), kinds, kind)
        cover = Crowd(f"{self.name} cover", "campaign", roster, rhythm, kinds, ground)
        cover.assign(kind, rng)
        return Joint(self.name, "campaign", roster, (work, cover))

    def _queue(self, rng: np.random.Generator, ground: Ground, roster: Records) -> Records:
        """Return both passes over the queue: no repeats within a pass, another order the second time."""
        total = int(self.accounts * self.calls_each)
        first = math.ceil(total / (1.0 + self.second_pass))
        items = rng.integers(1, 1 << 63, first, np.uint64)
        topic = rng.choice(rng.permutation(len(language.TOPICS))[: self.topics], first)
        again = rng.permutation(first)[: total - first]
        profiles = (
            Profile(temperature=1.0, max_tokens=4_096, output=(900.0, 0.6), refusal=0.015),
            Profile(model="aurora-3", temperature=1.0, max_tokens=4_096, output=(800.0, 0.6), refusal=0.015),
        )
        calls = plan_calls(total, ground, self.form, profiles[0], name_key(ground.seed, self.name, "prompt"))
        calls["item"] = np.concatenate([items, items[again]])
        calls["topic"] = np.concatenate([topic, topic[again]])
        calls["profile"][first:] = ground.profile(profiles[1])
        calls["account"] = np.concatenate(
            [
                dispatch.next_free(rng, self.accounts, first),
                dispatch.next_free(rng, self.accounts, total - first),
            ]
        )
        calls["time"] = np.concatenate(
            [
                dispatch.times(rng, first, ground, ((1.0, 6.0, 0.1), (6.0, 15.5, 0.9))),
                dispatch.times(rng, total - first, ground, ((15.0, 23.8, 1.0),)),
            ]
        )
        calls["organised"] = True
        return settle_plan(calls, roster, rng)


def enrol_one_by_one(rng: np.random.Generator, count: int, ground: Ground) -> Records:
    """Draw accounts that share nothing: own payment, own home address, own mail, sign-ups like anybody's."""
    style = replace(DEVELOPER, access={"home": 1.0}, paid=1.0, company=0.3, paths={0: 1.0}, roaming=0.0)
    roster = enrol(rng, count, style, ground.start_us)
    for column in ("payment", "email", "phone"):
        roster[column] = rng.integers(1, 1 << 63, count, np.uint64)
    roster["credentials"] = 1
    return roster
