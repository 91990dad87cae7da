"""Evaluation harnesses: a few organisations run the same public set of items, some on several accounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, Records, plan_calls, settle_plan
from stillwatch.lab.words import language

MODELS = ("aurora-4", "aurora-4-mini", "aurora-3")
FORMS = ("evaluation_worked", "evaluation_choice", "evaluation_code")

RUN_US = 9_000_000_000
APART_US = 600_000_000
"""An account runs the set in two and a half hours; the next account starts ten minutes later."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Organisations by turns shard the set over their accounts, and run it whole on each account."""

    name: str = "evaluation"
    accounts: int = 20
    organisations: int = 4
    calls_each: float = 300.0

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts of all organisations with their runs."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        owner = np.arange(self.accounts) % self.organisations
        plans = []
        for number in range(self.organisations):
            members = np.flatnonzero(owner == number)
            if len(members):
                roster[members] = dispatch.one_deployment(rng, roster[members])
                plans.append(self._run(rng, ground, members, sharded=number % 2 == 0))
        return Planned(self.name, "evaluation", roster, settle_plan(np.concatenate(plans), roster, rng), ground)

    def _run(self, rng: np.random.Generator, ground: Ground, members: np.ndarray, *, sharded: bool) -> Records:
        """Return one organisation's calls: the set in its published order, once for each model."""
        each = max(int(self.calls_each), 1)
        total = each * len(members)
        items = max(total // len(MODELS), 1) if sharded else each
        lap, place = np.divmod(np.arange(total), items)
        asked = [Profile(model=m, temperature=0.0, max_tokens=1_024, output=(180.0, 0.8)) for m in MODELS]
        calls = plan_calls(total, ground, FORMS[int(rng.integers(0, len(FORMS)))], asked[0], 0)
        first_item = np.uint64(name_key(ground.seed, "public items") >> 8)
        calls["item"] = mix(first_item + place.astype(np.uint64), 1)
        calls["topic"] = (mix(calls["item"], 2) % np.uint64(len(language.TOPICS))).astype(np.int64)
        calls["profile"] = np.array([ground.profile(profile) for profile in asked])[lap % len(MODELS)]
        begin = float(rng.uniform(1.0, 16.0))
        if sharded:
            calls["account"] = members[place % len(members)]
            calls["time"] = dispatch.times(rng, total, ground, ((begin, begin + 3.0, 1.0),))
        else:
            calls["account"] = members[lap]
            calls["time"] = ground.at(begin) + (place / items * RUN_US + lap * APART_US).astype(np.int64)
        return calls
