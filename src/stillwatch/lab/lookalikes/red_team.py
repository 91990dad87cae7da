"""Red teams: few accounts of a research programme, one goal in a hundred disguises, many refusals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch
from stillwatch.lab.roster import BUSINESS, PROGRAMMES, enrol
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class RedTeam:
    """`organisations` work on `goals` each, half of which come from a public list."""

    name: str = "red-team"
    accounts: int = 24
    calls_each: float = 120.0
    organisations: int = 6
    goals: int = 20
    refused: float = 0.45

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return testers who try whatever goal is next on whatever account is free."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        owner = np.arange(self.accounts) % self.organisations
        for number in range(min(self.organisations, self.accounts)):
            members = np.flatnonzero(owner == number)
            roster[members] = dispatch.one_organisation(rng, roster[members])
        roster["programme"] = PROGRAMMES.index("security-research")
        total = int(self.calls)
        profile = Profile(temperature=1.0, max_tokens=1_024, output=(190.0, 1.0), refusal=self.refused)
        calls = plan_calls(total, ground, "red_team", profile, 0)
        calls["account"] = rng.integers(0, self.accounts, total)
        goal = rng.integers(0, self.goals, total)
        public = np.uint64(name_key(ground.seed, "public goals") >> 8) + goal.astype(np.uint64)
        private = mix(public, np.uint64(name_key(ground.seed, self.name)) + owner[calls["account"]].astype(np.uint64))
        calls["item"] = np.where(goal % 2 == 0, mix(public, 1), private)
        calls["topic"] = (mix(calls["item"], 2) % np.uint64(len(language.TOPICS))).astype(np.int64)
        calls["time"] = dispatch.times(
            rng, total, ground, dispatch.every_day(ground, (8.0, 19.0, 0.9), (19.0, 23.9, 0.1))
        )
        return Planned(self.name, "red-team", roster, settle_plan(calls, roster, rng), ground)
