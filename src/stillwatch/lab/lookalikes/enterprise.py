"""Many behind one address: an enterprise with one owner and a house prompt, or a campus where each is his own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import dispatch, habits, network
from stillwatch.lab.changes import fit
from stillwatch.lab.roster import BUSINESS, CONSUMER, enrol, move_to
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Crowd, Ground, Kind, Records


@dataclass(frozen=True, slots=True)
class Enterprise:
    """Seats of one company; `exits` addresses of its network. With `campus` they are a university's people."""

    name: str = "enterprise"
    accounts: int = 150
    calls_each: float = 30.0
    exits: int = 1
    campus: bool = False

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the seats, opened in a few waves; on a campus the accounts that people made for themselves."""
        rng = ground.rng(self.name)
        kinds = (
            Kind(first=("enterprise_mail",), profiles=habits.API, sessions=False, own=True),
            Kind(
                first=("enterprise_mail", "free", "free", "recipe"),
                follow=("follow_up",),
                profiles=habits.CHATS,
                turns=2.0,
            ),
            replace(habits.CHAT, first=("free", "free", "recipe", "class_prompt")),
        )
        if self.campus:
            roster, kind = self._people(rng, ground), np.full(self.accounts, 2)
        else:
            roster = self._seats(rng, ground)
            kind = rng.choice(2, self.accounts, p=(0.4, 0.6))
        move_to(roster, network.one_address(rng, self.accounts, self.exits))
        seated = np.flatnonzero(kind >= 1)
        roster["agent"][seated], roster["tls"][seated] = network.draw_clients(rng, len(seated), {"app": 1.0})
        roster["path"][seated], roster["credentials"][seated] = 2, 0
        rhythm = habits.of_people(rng, habits.habits(rng, self.accounts, 15.0, 1.2, self.calls, top=0.08))
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, kind)
        label = "university" if self.campus else "enterprise"
        crowd = Crowd(self.name, label, roster, rhythm, kinds, ground)
        crowd.assign(kind, rng)
        crowd.author[:] = name_key(ground.seed, self.name, "house prompt")
        return crowd

    def _seats(self, rng: np.random.Generator, ground: Ground) -> Records:
        roster = dispatch.one_organisation(rng, enrol(rng, self.accounts, BUSINESS, ground.start_us))
        wave = rng.choice(np.sort(roster["created"])[:: max(self.accounts // 4, 1)], self.accounts)
        roster["created"] = np.minimum(wave + rng.integers(0, 5 * 3_600_000_000, self.accounts), ground.start_us - 1)
        roster["plan"] = 5
        return roster

    def _people(self, rng: np.random.Generator, ground: Ground) -> Records:
        roster = enrol(rng, self.accounts, replace(CONSUMER, roaming=0.0, new=0.25), ground.start_us)
        school = rng.integers(1 << 40, 1 << 62, dtype=np.uint64)
        roster["domain"] = np.where(rng.random(self.accounts) < 0.6, school, roster["domain"])
        roster["programme"] = np.where(rng.random(self.accounts) < 0.4, 0, -1)
        return roster
