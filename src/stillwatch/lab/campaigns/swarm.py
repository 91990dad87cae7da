"""A low and slow swarm: thousands of free accounts with two to five calls each.

Source:  OpenAI's report of 30 Sep 2026: about 16,000 requests from over 4,000 users, about two a day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import dispatch, network
from stillwatch.lab.roster import CONSUMER, DAY_US, enrol
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class Swarm:
    """`cohorts` waves of sign-ups made the accounts; `low` to `high` calls each."""

    name: str = "swarm"
    accounts: int = 4_000
    low: int = 2
    high: int = 5
    cohorts: int = 3

    @property
    def calls(self) -> float:
        return self.accounts * (self.low + self.high) / 2

    def settle(self, ground: Ground) -> Actor:
        """Return the swarm; every account gets items that no other gets."""
        rng = ground.rng(self.name)
        style = replace(CONSUMER, access={"home": 0.8, "mobile": 0.2}, clients={"python": 0.6, "node": 0.4},
                        paid=0.0, phone=0.9, paths={0: 1.0}, plans=(0,), roaming=0.0)  # fmt: skip
        roster = enrol(rng, self.accounts, style, ground.start_us)
        wave = ground.start_us - (rng.uniform(4, 40, self.cohorts) * DAY_US).astype(np.int64)
        roster["created"] = wave[rng.integers(0, self.cohorts, self.accounts)] + rng.integers(
            0, 2 * DAY_US, self.accounts
        )
        roster["agent"], roster["tls"] = network.draw_clients(rng, self.accounts, {"python": 0.9, "node": 0.1})
        roster["credentials"] = 1
        each = rng.integers(self.low, self.high + 1, self.accounts)
        total = int(each.sum())
        profile = Profile(max_tokens=4_096, output=(1_500.0, 0.5), refusal=0.05)
        calls = plan_calls(total, ground, "swarm_prompt", profile, name_key(ground.seed, self.name, "prompt"))
        calls["account"] = rng.permutation(np.repeat(np.arange(self.accounts), each))
        calls["item"] = rng.integers(1, 1 << 63, total, np.uint64)
        calls["topic"] = rng.choice((language.SOFTWARE, language.DATA), total)
        calls["time"] = dispatch.times(rng, total, ground, ((0.0, 7.0, 0.2), (7.0, 23.9, 0.8)))
        calls["organised"] = True
        return Planned(self.name, "campaign", roster, settle_plan(calls, roster, rng), ground)
