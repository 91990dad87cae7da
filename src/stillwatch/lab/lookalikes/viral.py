"""A viral prompt: hundreds of consumers copy one text on one day, with a word of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.changes import Altered, Lives, fit
from stillwatch.lab.roster import CONSUMER, enrol
from stillwatch.lab.traffic import Actor, Crowd, Ground


@dataclass(frozen=True, slots=True)
class Viral:
    """`which` is the prompt; two of three conversations of the day `on_day` begin with it."""

    name: str = "viral"
    accounts: int = 400
    calls_each: float = 4.0
    which: int = 0
    on_day: int = 0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return consumers who try it in the afternoon, many of them new."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, replace(CONSUMER, new=0.35), ground.start_us)
        kinds = (replace(habits.CHAT, first=(f"viral_{self.which}", f"viral_{self.which}", "free"), turns=1.7),)
        rhythm = habits.of_people(rng, habits.habits(rng, self.accounts, self.calls_each, 0.6, self.calls, top=0.05))
        rhythm["from_hour"] = rng.normal(14.0, 2.0, self.accounts) % 24.0
        lives = Lives(
            np.full(self.accounts, ground.at(24.0 * self.on_day)),
            np.full(self.accounts, ground.at(24.0 * self.on_day + 24.0)),
        )
        rhythm = habits.per_session(fit(rhythm, self.calls, ground, lives), kinds, np.zeros(self.accounts, np.int64))
        crowd = Crowd(self.name, "viral", roster, rhythm, kinds, ground)
        crowd.wander[:] = 0.8
        return Altered(crowd, (lives,))
