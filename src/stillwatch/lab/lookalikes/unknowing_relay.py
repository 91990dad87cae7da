"""Academics on a relay: they pay for access that, unknown to them, runs over somebody's pool of accounts.

The pool is dealt out evenly and shares cards, addresses and one program; what passes through it is
honest work of many people, and nobody keeps it for training.
Source:  studies count 187 papers whose experiments ran over such unofficial access.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch, habits, network
from stillwatch.lab.roster import DEVELOPER, enrol, move_to
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, plan_calls, settle_plan, topic_of
from stillwatch.lab.words.language import language

FORMS = ("study_prompt", "study_prompt", "free", "recipe", "evaluation_worked", "agent_task", "public_judge_0")
"""What an academic sends: his own study half of the time."""


@dataclass(frozen=True, slots=True)
class UnknowingRelay:
    """`users` academics for each account of the pool; `accounts_a_card` share a means of payment."""

    name: str = "unknowing-relay"
    accounts: int = 150
    calls_each: float = 30.0
    users: float = 3.0
    accounts_a_card: int = 12

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the pool, and the academics' calls wherever the relay sends them."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, DEVELOPER, ground.start_us)
        cards = rng.integers(1, 1 << 63, -(-self.accounts // self.accounts_a_card), np.uint64)
        roster["payment"] = cards[np.arange(self.accounts) // self.accounts_a_card]
        for column in ("agent", "tls"):
            roster[column] = roster[column][0]
        roster["org"], roster["other_address"], roster["path"], roster["verification"] = 0, 0, 0, 3
        move_to(roster, network.blocks(rng, self.accounts, 4))

        total, users = int(self.calls), max(int(self.accounts * self.users), 1)
        weight = rng.lognormal(0.0, 1.3, users)
        user = rng.choice(users, total, p=weight / weight.sum())
        profiles = np.array([ground.profile(p) for p in (*habits.API[:20], *habits.API_DEEP[:4])])
        calls = plan_calls(total, ground, FORMS[0], habits.API[0], 0)
        calls["author"] = rng.integers(1, 1 << 63, users, np.uint64)[user]
        calls["topic"] = topic_of(calls["author"])
        calls["profile"] = profiles[rng.integers(0, len(profiles), users)[user]]
        calls["form"] = np.array([language().symbol(f) for f in FORMS])[rng.integers(0, len(FORMS), users)[user]]
        calls["item"] = rng.integers(1, 1 << 63, total, np.uint64)
        first = np.uint64(name_key(ground.seed, "public items") >> 8)
        benchmarked = calls["form"] == language().symbol("evaluation_worked")
        place = rng.integers(0, 400, total).astype(np.uint64)
        calls["item"][benchmarked] = mix(first + place, 1)[benchmarked]
        calls["account"] = dispatch.next_free(rng, self.accounts, total)
        calls["time"] = dispatch.times(
            rng, total, ground, dispatch.every_day(ground, (7.0, 23.0, 0.85), (0.0, 24.0, 0.15))
        )
        return Planned(self.name, "unknowing-relay", roster, settle_plan(calls, roster, rng), ground)
