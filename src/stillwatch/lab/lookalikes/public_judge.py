"""A public judging recipe: many strangers grade their own models' answers with the same published prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.changes import fit
from stillwatch.lab.roster import DEVELOPER, enrol
from stillwatch.lab.traffic import Actor, Crowd, Ground, Kind


@dataclass(frozen=True, slots=True)
class PublicJudge:
    """`which` is the recipe."""

    name: str = "public-judge"
    accounts: int = 500
    calls_each: float = 12.0
    which: int = 0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return people who build with models, each in bursts of his own."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, DEVELOPER, ground.start_us)
        base = replace(habits.API[0], temperature=0.0, max_tokens=1_024, output=(160.0, 0.6))
        profiles = (base, base, replace(base, model="aurora-4-mini"), replace(base, temperature=None))
        kinds = (Kind(first=(f"public_judge_{self.which}",), profiles=profiles, sessions=False),)
        rhythm = habits.habits(rng, self.accounts, self.calls_each / 3, 1.5, self.calls, top=0.05)
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, np.zeros(self.accounts, np.int64))
        return Crowd(self.name, "public-judge", roster, rhythm, kinds, ground)
