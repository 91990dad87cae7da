"""A reseller or aggregator: few accounts, thousands of end users who want all sorts of things."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.changes import fit
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.traffic import HABIT, Actor, Crowd, Ground, Kind


@dataclass(frozen=True, slots=True)
class Reseller:
    """`end_users` of each account; every second account declares that it resells."""

    name: str = "reseller"
    accounts: int = 2
    calls_each: float = 2_500.0
    end_users: int = 4_000

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts; their traffic is what their end users happen to want."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, replace(BUSINESS, new=0.0), ground.start_us)
        kinds = (
            Kind(
                first=("free", "free", "recipe", "agent_task"), follow=("follow_up",), profiles=habits.API, turns=2.0,
                end_users=self.end_users, system=("", "quickstart_0"),
            ),
        )  # fmt: skip
        kind = np.zeros(self.accounts, np.int64)
        roster["reseller"] = np.arange(self.accounts) % 2 == 0
        roster["credentials"] = 3
        rhythm = np.zeros(self.accounts, HABIT)
        rhythm["rate"], rhythm["variation"], rhythm["hours"] = self.calls_each, 1.3, 24.0
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, kind)
        crowd = Crowd(self.name, "reseller", roster, rhythm, kinds, ground)
        crowd.wander[:] = 1.0
        return crowd
