"""One fixed segment injected into every request of otherwise varied coding work.

Source:  the report of 10 Sep 2026 on a pool of about 5,000 accounts on private proxies, disposable
         mail and virtual cards, with one fixed prompt in each request that forces reasoning into the text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import dispatch, network
from stillwatch.lab.campaigns.pool import Pool, enrol_in_bulk
from stillwatch.lab.habits import CODING_TOOLS
from stillwatch.lab.roster import move_to
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class Injected:
    """Accounts behind home addresses, paid with virtual cards that a few accounts share each."""

    name: str = "injected"
    accounts: int = 500
    calls_each: float = 20.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts; short conversations, each task once."""
        rng = ground.rng(self.name)
        shared = Pool(self.name, self.accounts, cards=max(self.accounts // 6, 2), blocks=1, signup_days=14.0)
        roster = enrol_in_bulk(rng, shared, ground)
        move_to(roster, network.places(rng, self.accounts, {"home": 1.0}))
        total = int(self.calls)
        profile = Profile(tools=CODING_TOOLS, max_tokens=16_384, context=(6_000.0, 0.9), output=(1_400.0, 0.8))
        calls = plan_calls(
            total,
            ground,
            "injected_prompt",
            replace(profile, refusal=0.02),
            name_key(ground.seed, self.name, "prompt"),
        )
        calls["item"] = rng.integers(1, 1 << 63, total, np.uint64)
        calls["topic"] = rng.choice((language.SOFTWARE, language.DATA, language.SOFTWARE, language.PHYSICS), total)
        calls["account"] = dispatch.next_free(rng, self.accounts, total)
        calls["time"] = dispatch.times(rng, total, ground, ((0.0, 24.0, 0.5), (6.0, 22.0, 0.5)))
        calls["session"] = mix(calls["item"], 1)
        calls["organised"] = True
        return Planned(self.name, "campaign", roster, settle_plan(calls, roster, rng), ground)
