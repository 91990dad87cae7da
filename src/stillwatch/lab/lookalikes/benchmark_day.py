"""The day a new model is out: thousands of strangers run public benchmark items on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab.lives import NEW_MODEL
from stillwatch.lab.roster import DEVELOPER, enrol
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import HOUR_US, Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words.language import TOPICS, language

FORMS = ("evaluation_worked", "evaluation_choice", "evaluation_code")
SET_ITEMS = 500


@dataclass(frozen=True, slots=True)
class BenchmarkDay:
    """Strangers begin `spread_hours` after the release on average; a quarter compare with the old model."""

    name: str = "benchmark-day"
    accounts: int = 2_000
    calls_each: float = 20.0
    at_hour: float = 10.0
    spread_hours: float = 4.0
    model: str = NEW_MODEL

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return people with a script: the first items of a public set, a random part, or another part."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, DEVELOPER, ground.start_us)
        share = rng.lognormal(0.0, 0.9, self.accounts)
        each = rng.poisson(np.minimum(share / share.mean() * self.calls_each, SET_ITEMS))
        owner = np.repeat(np.arange(self.accounts), each)
        total = len(owner)
        place = np.arange(total) - np.repeat(np.cumsum(each) - each, each)
        profiles = [
            Profile(model=m, temperature=0.0, max_tokens=1_024, output=(180.0, 0.8)) for m in (self.model, "aurora-4")
        ]
        calls = plan_calls(total, ground, FORMS[0], profiles[0], 0)
        calls["account"] = owner
        form = np.array([language().symbol(name) for name in FORMS])
        calls["form"] = form[rng.choice(3, self.accounts, p=(0.5, 0.3, 0.2))][owner]
        compares = rng.random(self.accounts) < 0.25
        old = compares[owner] & (place % 2 == 1)
        calls["profile"] = np.where(old, ground.profile(profiles[1]), ground.profile(profiles[0]))
        way = rng.choice(3, self.accounts, p=(0.5, 0.3, 0.2))[owner]
        step = np.where(compares[owner], place // 2, place)
        begin = rng.integers(0, SET_ITEMS, self.accounts)[owner]
        scattered = (mix(roster["key"][owner], step.astype(np.uint64)) % np.uint64(SET_ITEMS)).astype(np.int64)
        entry = np.where(way == 0, step, np.where(way == 1, scattered, begin + step)) % SET_ITEMS
        first = np.uint64(name_key(ground.seed, "public items") >> 8)
        calls["item"] = mix(first + entry.astype(np.uint64), 1)
        calls["topic"] = (mix(calls["item"], 2) % np.uint64(len(TOPICS))).astype(np.int64)
        out = min(self.at_hour, ground.hours - 1.0)
        room = ground.hours - out - 0.5
        wait = rng.exponential(self.spread_hours, self.accounts) % room
        pace = rng.lognormal(1.2, 0.7, self.accounts)
        late = wait[owner] * HOUR_US + (place + rng.random(total)) * pace[owner] * 1e6
        calls["time"] = ground.at(out) + np.minimum(late, (room + 0.4) * HOUR_US).astype(np.int64)
        return Planned(self.name, "benchmark-day", roster, settle_plan(calls, roster, rng), ground)
