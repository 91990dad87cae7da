"""A popular agent harness: hundreds of strangers or more with one fixed system prompt, each on work of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.changes import Altered, Lives, fit
from stillwatch.lab.roster import DEVELOPER, enrol
from stillwatch.lab.traffic import HOUR_US, Actor, Crowd, Ground


@dataclass(frozen=True, slots=True)
class Harness:
    """`which` is the harness; the share `adopting` of its users meet it on the day `on_day` of the window."""

    name: str = "harness"
    accounts: int = 600
    calls_each: float = 22.0
    which: int = 0
    adopting: float = 0.5
    on_day: int = 0

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
        since = np.full(self.accounts, ground.start_us)
        adopts = rng.random(self.accounts) < self.adopting
        hour = 24.0 * self.on_day + 16.0 * rng.beta(2.0, 3.0, self.accounts)
        since[adopts] += (hour[adopts] * HOUR_US).astype(np.int64)
        lives = Lives(since, np.full(self.accounts, ground.at(ground.hours)))
        rhythm = habits.per_session(fit(rhythm, self.calls, ground, lives), kinds, np.zeros(self.accounts, np.int64))
        return Altered(Crowd(self.name, "harness", roster, rhythm, kinds, ground), (lives,))
