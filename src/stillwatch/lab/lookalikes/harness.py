"""A popular agent harness: hundreds of strangers with one fixed system prompt, each on work of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.roster import DEVELOPER, enrol
from stillwatch.lab.traffic import Actor, Crowd, Ground


@dataclass(frozen=True, slots=True)
class Harness:
    """`which` is the harness; half of its users meet it on the day of the window."""

    name: str = "harness"
    accounts: int = 600
    calls_each: float = 22.0
    which: int = 0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return strangers of every sort who run the same tool."""
        rng = ground.rng(self.name)
        style = replace(DEVELOPER, access={"home": 0.75, "office": 0.1, "cloud": 0.08, "vpn": 0.07}, new=0.3)
        roster = enrol(rng, self.accounts, style, ground.start_us)
        kinds = (habits.harness_kind(self.which),)
        rhythm = habits.habits(rng, self.accounts, self.calls_each / 2, 1.2, self.calls, top=0.05)
        rhythm = habits.of_people(rng, rhythm)
        rhythm = habits.per_session(rhythm, kinds, np.zeros(self.accounts, np.int64))
        return Crowd(self.name, "harness", roster, rhythm, kinds, ground)
