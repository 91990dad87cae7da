"""A hackathon: hundreds of new accounts on credits, one weekend, one starter kit, as many subjects as teams."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab import habits, network
from stillwatch.lab.changes import Altered, Lives, fit
from stillwatch.lab.roster import DEVELOPER, PLANS, PROGRAMMES, enrol, move_to
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import HOUR_US, Actor, Crowd, Ground, Kind


@dataclass(frozen=True, slots=True)
class Hackathon:
    """`team` accounts share a project; it begins `from_hour` and lasts `hours`."""

    name: str = "hackathon"
    accounts: int = 300
    calls_each: float = 25.0
    team: int = 3
    from_hour: float = 8.0
    hours: float = 36.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return teams, most of them at the venue, who signed up for the credits when it began."""
        rng = ground.rng(self.name)
        style = replace(DEVELOPER, access={"home": 0.8, "mobile": 0.15, "vpn": 0.05}, paid=0.1, phone=0.8, roaming=0.3)
        roster = enrol(rng, self.accounts, style, ground.start_us)
        venue = np.flatnonzero(rng.random(self.accounts) < 0.6)
        at_venue = roster[venue]
        move_to(at_venue, network.one_address(rng, len(venue), 2))
        roster[venue] = at_venue
        roster["programme"], roster["plan"] = PROGRAMMES.index("startup"), PLANS.index("payg")
        late = rng.exponential(2.0, self.accounts) - 1.0
        begin = min(self.from_hour, ground.hours - 1.0)
        since = np.minimum(ground.at(begin) + (late * HOUR_US).astype(np.int64), ground.at(ground.hours - 0.5))
        roster["created"] = since - (rng.exponential(0.2, self.accounts) * HOUR_US).astype(np.int64)
        lives = Lives(since, np.full(self.accounts, ground.at(min(begin + self.hours, ground.hours))))
        kinds = (
            Kind(
                first=("hackathon_call", "hackathon_call", "agent_task"), follow=("follow_up", "hackathon_call"),
                system=("hackathon_starter",), profiles=(*habits.API[:12], *habits.EMBEDDED_AGENTS[:4]), turns=1.8,
            ),
        )  # fmt: skip
        rhythm = habits.of_people(rng, habits.habits(rng, self.accounts, 10.0, 1.1, self.calls, top=0.08))
        rhythm["from_hour"] = (begin + rng.exponential(3.0, self.accounts)) % 24.0
        rhythm["hours"] = np.clip(rng.normal(13.0, 4.0, self.accounts), 4.0, 24.0)
        rhythm = habits.per_session(fit(rhythm, self.calls, ground, lives), kinds, np.zeros(self.accounts, np.int64))
        crowd = Crowd(self.name, "hackathon", roster, rhythm, kinds, ground)
        projects = [name_key(ground.seed, self.name, number) >> 1 for number in range(-(-self.accounts // self.team))]
        crowd.author[:] = np.array(projects, np.uint64)[np.arange(self.accounts) // self.team]
        return Altered(crowd, (lives,))
