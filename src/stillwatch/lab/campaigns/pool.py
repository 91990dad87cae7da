"""A pool of bulk-made accounts that works through a task grid with one fixed elicitation prompt.

Source:  public reports of 23 Feb and 10 Sep 2026: shared payment, load balancing, one fixed prompt,
         volume at narrow capabilities. Account and call counts are knobs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch, network
from stillwatch.lab.roster import DAY_US, DEVELOPER, DISPOSABLE_DOMAINS, PUBLIC_DOMAINS, enrol, move_to
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, Records, plan_calls, settle_plan
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class Pool:
    """`samples` answers to each item; `cards`, `blocks` and `signup_days` are what the pool shares."""

    name: str = "pool"
    accounts: int = 240
    calls_each: float = 40.0
    samples: int = 4
    cards: int = 14
    blocks: int = 6
    signup_days: float = 4.0
    topics: int = 3

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the pool and its day: each item to several accounts, the least loaded first."""
        rng = ground.rng(self.name)
        roster = enrol_in_bulk(rng, self, ground)
        total = int(self.calls)
        profile = Profile(temperature=0.7, max_tokens=8_192, stream=False, output=(1_900.0, 0.6), refusal=0.03)
        calls = plan_calls(total, ground, "elicit_prompt", profile, name_key(ground.seed, self.name, "prompt"))
        items = -(-total // self.samples)
        calls["item"] = np.repeat(rng.integers(1, 1 << 63, items, np.uint64), self.samples)[:total]
        wanted = rng.permutation(len(language.TOPICS))[: self.topics]
        calls["topic"] = np.repeat(rng.choice(wanted, items), self.samples)[:total]
        calls["account"] = dispatch.least_loaded(rng, self.accounts, total)
        calls["time"] = dispatch.times(
            rng, total, ground, ((0.5, 5.0, 0.12), (6.5, 12.0, 0.3), (12.0, 18.5, 0.33), (18.5, 23.9, 0.25))
        )
        calls["organised"] = True
        return Planned(self.name, "campaign", roster, settle_plan(calls, roster, rng), ground)


def enrol_in_bulk(rng: np.random.Generator, pool: Pool, ground: Ground) -> Records:
    """Draw accounts of one workshop: few cards, few address blocks, throw-away mail, days of sign-ups."""
    roster = enrol(rng, pool.accounts, DEVELOPER, ground.start_us)
    cards = rng.integers(1, 1 << 63, pool.cards, np.uint64)
    roster["payment"] = cards[rng.integers(0, pool.cards, pool.accounts)]
    roster["verification"], roster["org"], roster["other_address"], roster["path"] = 3, 0, 0, 0
    move_to(roster, network.blocks(rng, pool.accounts, pool.blocks))
    thrown = rng.random(pool.accounts) < 0.7
    few = (PUBLIC_DOMAINS + rng.integers(0, DISPOSABLE_DOMAINS, 5)).astype(np.uint64)
    roster["domain"] = np.where(thrown, rng.choice(few, pool.accounts), roster["domain"] % np.uint64(PUBLIC_DOMAINS))
    begin = ground.start_us - int(rng.uniform(9, 30) * DAY_US)
    roster["created"] = begin + (rng.random(pool.accounts) * pool.signup_days * DAY_US).astype(np.int64)
    agent, tls = network.draw_clients(rng, 2, {"python": 1.0})
    which = (rng.random(pool.accounts) < 0.2).astype(np.int64)
    roster["agent"], roster["tls"], roster["signup_tls"] = agent[which], tls[which], tls[0]
    roster["credentials"] = 1
    return roster
