"""A reseller and a white-label product: few accounts, many keys, thousands of end users."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.traffic import HABIT, Actor, Crowd, Ground, Kind


@dataclass(frozen=True, slots=True)
class Reseller:
    """The first half of the accounts resell plain access, the others a product under their own name."""

    name: str = "reseller"
    accounts: int = 2
    calls_each: float = 2_500.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts; their traffic is what their end users happen to want."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, replace(BUSINESS, new=0.0), ground.start_us)
        kinds = (
            Kind(
                first=("resold_chat",), follow=("follow_up",), profiles=habits.API, turns=2.0,
                end_users=4_000, system=("", "quickstart_0"),
            ),
            replace(habits.PRODUCT_CHAT, end_users=5_000, first=("support_message", "free")),
        )  # fmt: skip
        kind = (np.arange(self.accounts) >= (self.accounts + 1) // 2).astype(np.int64)
        roster["reseller"] = kind == 0
        roster["credentials"] = np.where(kind == 0, 3, 60)
        rhythm = np.zeros(self.accounts, HABIT)
        rhythm["rate"], rhythm["variation"], rhythm["hours"] = self.calls_each, 1.3, 24.0
        crowd = Crowd(self.name, "reseller", roster, habits.per_session(rhythm, kinds, kind), kinds, ground)
        crowd.assign(kind, rng)
        crowd.wander[:] = np.where(kind == 0, 1.0, 0.15)
        return crowd
