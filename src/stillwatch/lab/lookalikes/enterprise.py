"""An enterprise: many seats behind one address, one owner, a house prompt and each employee's own work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch, habits, network
from stillwatch.lab.roster import BUSINESS, enrol, move_to
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Crowd, Ground, Kind


@dataclass(frozen=True, slots=True)
class Enterprise:
    """Seats of one company; `exits` addresses of its network."""

    name: str = "enterprise"
    accounts: int = 150
    calls_each: float = 30.0
    exits: int = 1

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the company's seats, opened in a few waves."""
        rng = ground.rng(self.name)
        roster = dispatch.one_organisation(rng, enrol(rng, self.accounts, BUSINESS, ground.start_us))
        move_to(roster, network.one_address(rng, self.accounts, self.exits))
        wave = rng.choice(np.sort(roster["created"])[:: max(self.accounts // 4, 1)], self.accounts)
        roster["created"] = wave + rng.integers(0, 5 * 3_600_000_000, self.accounts)
        roster["plan"] = 5
        kinds = (
            Kind(first=("enterprise_mail",), profiles=habits.API, sessions=False, own=True),
            Kind(
                first=("enterprise_mail", "free", "free", "recipe"),
                follow=("follow_up",),
                profiles=habits.CHATS,
                turns=2.0,
            ),
        )
        kind = rng.choice(2, self.accounts, p=(0.4, 0.6))
        seated = np.flatnonzero(kind == 1)
        roster["agent"][seated], roster["tls"][seated] = network.draw_clients(rng, len(seated), {"app": 1.0})
        roster["path"][seated], roster["credentials"][seated] = 2, 0
        rhythm = habits.of_people(rng, habits.habits(rng, self.accounts, 15.0, 1.2, self.calls, top=0.08))
        crowd = Crowd(self.name, "enterprise", roster, habits.per_session(rhythm, kinds, kind), kinds, ground)
        crowd.assign(kind, rng)
        crowd.author[:] = name_key(ground.seed, self.name, "house prompt")
        return crowd
