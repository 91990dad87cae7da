"""Sessions balanced over several accounts: each turn goes to any of them, and brings the reasoning another was issued.

Two sorts: one organisation that spreads its own product's sessions for want of limits, and a gateway that deals its
customers' sessions out over accounts of which no log says who owns them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch, habits, network
from stillwatch.lab.roster import BUSINESS, enrol, move_to
from stillwatch.lab.streams import mix
from stillwatch.lab.traffic import Actor, Ground, Planned, converse, plan_calls, settle_plan, topic_of
from stillwatch.lab.words.language import language


@dataclass(frozen=True, slots=True)
class SessionBalancer:
    """`users` people for each account; conversations have `turns` turns. A `gateway` has accounts of unknown owners."""

    name: str = "session-balancer"
    accounts: int = 8
    calls_each: float = 40.0
    turns: float = 3.0
    users: float = 6.0
    gateway: bool = False

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts and the day's conversations, turn by turn wherever the balancer sends them."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        if self.gateway:
            for column in ("agent", "tls", "path"):
                roster[column] = roster[column][0]
            move_to(roster, network.blocks(rng, self.accounts, 1, "cloud"))
            roster["org"], roster["other_address"] = 0, 0
        else:
            roster = dispatch.one_deployment(rng, roster)
        users = rng.integers(1, 1 << 63, max(int(self.accounts * self.users), 1), np.uint64)
        count = max(round(self.calls / self.turns), 1)
        user = users[(rng.random(count) ** 2 * len(users)).astype(np.int64)]
        calls = plan_calls(count, ground, "free_first" if self.gateway else "support_message", habits.API_DEEP[0], 0)
        profiles = np.array([ground.profile(each) for each in habits.API_DEEP[:6]])
        if self.gateway:
            calls["author"], calls["topic"] = user, topic_of(user)
            calls["profile"] = profiles[(mix(user, 3) % np.uint64(len(profiles))).astype(np.int64)]
        else:
            owner = rng.integers(1, 1 << 63, 1, np.uint64)
            calls["author"], calls["topic"] = owner, topic_of(owner)
            calls["system"] = language().symbol("product_system")
        calls["end_user"] = user
        calls["item"], calls["session"] = rng.integers(1, 1 << 63, (2, count), np.uint64)
        shifts = dispatch.every_day(ground, (7.0, 22.0, 0.85), (0.0, 24.0, 0.15))
        calls["time"] = dispatch.times(rng, count, ground, shifts)
        calls["draw"] = rng.integers(1, 1 << 63, count, np.uint64)
        calls = converse(calls, self.turns, 1.0, rng)
        calls["form"][calls["turn"] > 0] = language().symbol("follow_up")
        calls["account"] = dispatch.next_free(rng, self.accounts, len(calls))
        return Planned(self.name, "session-balancer", roster, settle_plan(calls, roster, rng), ground)
