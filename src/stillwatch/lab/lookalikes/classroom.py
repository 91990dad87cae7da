"""A class: new accounts behind one address, the same few assignments, within one hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import network
from stillwatch.lab.habits import CHATS
from stillwatch.lab.roster import CONSUMER, enrol, move_to
from stillwatch.lab.streams import mix
from stillwatch.lab.traffic import HOUR_US, Actor, Ground, Planned, plan_calls, settle_plan
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class Classroom:
    """`items` assignments; `at_hour` is when the lesson begins."""

    name: str = "classroom"
    accounts: int = 120
    calls_each: float = 8.0
    items: int = 6
    at_hour: float = 10.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return pupils who signed up for the lesson and paste, reword and ask again."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, CONSUMER, ground.start_us)
        move_to(roster, network.one_address(rng, self.accounts))
        roster["other_address"] = 0
        roster["payment"] = 0
        roster["verification"] = 1
        roster["plan"] = 0
        today = rng.random(self.accounts) < 0.7
        before = np.where(today, rng.uniform(0.05, 1.5, self.accounts), rng.uniform(20, 240, self.accounts))
        roster["created"] = ground.at(self.at_hour) - (before * HOUR_US).astype(np.int64)
        school = rng.integers(1 << 40, 1 << 62, dtype=np.uint64)
        roster["domain"] = np.where(rng.random(self.accounts) < 0.7, school, roster["domain"])
        roster["programme"] = np.where(rng.random(self.accounts) < 0.6, 0, -1)

        each = np.maximum(rng.poisson(self.calls_each, self.accounts), 1)
        calls = plan_calls(int(each.sum()), ground, "class_prompt", CHATS[0], 0)
        calls["account"] = np.repeat(np.arange(self.accounts), each)
        place = np.arange(len(calls)) - np.repeat(np.cumsum(each) - each, each)
        pace = np.repeat(each, each)
        calls["time"] = ground.at(self.at_hour) + ((place + rng.random(len(calls))) / pace * HOUR_US).astype(np.int64)
        entry = np.minimum(place * self.items // pace, self.items - 1).astype(np.uint64)
        calls["item"] = mix(entry + np.uint64(int(school) >> 8), 1)
        calls["topic"] = rng.integers(0, len(language.TOPICS))
        calls["system"] = language.language().symbol("platform_chat")
        calls["session"] = mix(roster["key"][calls["account"]], entry)
        calls["turn"] = place % np.maximum(pace // self.items, 1)
        return Planned(self.name, "classroom", roster, settle_plan(calls, roster, rng), ground)
