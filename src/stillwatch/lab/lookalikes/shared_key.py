"""A shared team key: one account, many people's addresses, programs and subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import habits, network
from stillwatch.lab.changes import Altered, fit
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import mix, unit
from stillwatch.lab.traffic import Actor, Crowd, Ground, Kind, Records
from stillwatch.lab.words.language import TOPICS


@dataclass(frozen=True, slots=True)
class SharedKey:
    """`people` use each account."""

    name: str = "shared-key"
    accounts: int = 3
    calls_each: float = 600.0
    people: int = 25

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the teams' accounts; who of the team calls is drawn for each session."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        roster["credentials"] = 1
        kinds = (
            Kind(
                first=("free", "free", "agent_task", "recipe", "private_prompt"), follow=("follow_up",),
                system=("team_system",), profiles=habits.API, turns=1.8,
            ),
        )  # fmt: skip
        rhythm = habits.habits(rng, self.accounts, self.calls_each, 0.7, self.calls, top=0.3)
        rhythm["hours"] = np.maximum(rhythm["hours"], 10.0)
        rhythm = habits.per_session(fit(rhythm, self.calls, ground), kinds, np.zeros(self.accounts, np.int64))
        seats = self.accounts * self.people
        where = network.places(rng, seats, {"home": 0.5, "office": 0.2, "cloud": 0.2, "vpn": 0.1}).address
        agent, _ = network.draw_clients(rng, seats, {"python": 0.5, "node": 0.3, "other": 0.2})

        def by_somebody(calls: Records) -> Records:
            place = (unit(calls["session"], 62) ** 1.5 * self.people).astype(np.int64)
            person = calls["account"] * self.people + place
            calls["address"], calls["agent"] = where[person], agent[person] + 1
            calls["topic"] = mix(roster["key"][calls["account"]], place.astype(np.uint64)) % np.uint64(len(TOPICS))
            return calls

        return Altered(Crowd(self.name, "shared-key", roster, rhythm, kinds, ground), (by_somebody,))
