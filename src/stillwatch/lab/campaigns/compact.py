"""A compact, heavy campaign: few accounts, hundreds of calls each, grading and cleaning of reasoning.

Source:  the report of 10 Sep 2026: 273 accounts, up to 733 calls an account and day, 23 % of them
         for cleaning another model's chains of thought, the rest judging.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch
from stillwatch.lab.campaigns.pool import Pool, enrol_in_bulk
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words.language import TOPICS, language


@dataclass(frozen=True, slots=True)
class Compact:
    """`cleaning` is the share of calls that clean reasoning; the others grade."""

    name: str = "compact"
    accounts: int = 60
    calls_each: float = 350.0
    cleaning: float = 0.23

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts, busy around the clock."""
        rng = ground.rng(self.name)
        shared = Pool(self.name, self.accounts, cards=max(self.accounts // 8, 2), blocks=4, signup_days=9.0)
        roster = enrol_in_bulk(rng, shared, ground)
        total = int(self.calls)
        profile = Profile(temperature=0.3, max_tokens=8_192, output=(1_200.0, 0.7), refusal=0.02)
        calls = plan_calls(total, ground, "queue_task", profile, name_key(ground.seed, self.name, "prompt"))
        calls["form"][rng.random(total) < self.cleaning] = language().symbol("clean_trace")
        calls["item"] = rng.integers(1, 1 << 63, total, np.uint64)
        calls["topic"] = rng.choice(rng.permutation(len(TOPICS))[:5], total)
        calls["account"] = dispatch.next_free(rng, self.accounts, total)
        calls["time"] = dispatch.times(rng, total, ground, ((0.0, 24.0, 1.0),))
        calls["organised"] = True
        return Planned(self.name, "campaign", roster, settle_plan(calls, roster, rng), ground)
