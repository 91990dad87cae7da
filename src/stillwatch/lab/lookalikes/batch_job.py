"""A nightly backfill: one organisation, few accounts, one private prompt, a work list without repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words import language


@dataclass(frozen=True, slots=True)
class BatchJob:
    """`judge` makes it a grading pipeline: replies against a rubric, by two models, all day."""

    name: str = "batch-job"
    accounts: int = 5
    calls_each: float = 1_000.0
    judge: bool = False

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return one owner's workers, which take turns at the list."""
        rng = ground.rng(self.name)
        roster = dispatch.one_deployment(rng, enrol(rng, self.accounts, BUSINESS, ground.start_us))
        total = int(self.calls)
        profiles = (
            Profile(temperature=0.0, max_tokens=1_024, response_format="json_object", output=(120.0, 0.7)),
            Profile(model="aurora-3", temperature=0.0, max_tokens=1_024, output=(120.0, 0.7)),
        )
        form = "judge_rubric" if self.judge else "private_prompt"
        calls = plan_calls(total, ground, form, profiles[0], name_key(ground.seed, self.name, "prompt"))
        calls["account"] = np.arange(total) % self.accounts
        calls["item"] = rng.integers(1, 1 << 63, total, np.uint64)
        calls["topic"] = rng.integers(0, len(language.TOPICS))
        if self.judge:
            calls["item"] = np.repeat(calls["item"], 2)[:total]
            calls["profile"] = np.where(np.arange(total) % 2 == 0, calls["profile"], ground.profile(profiles[1]))
            calls["account"] = rng.integers(0, self.accounts, total)
            calls["time"] = dispatch.times(rng, total, ground, dispatch.every_day(ground, (7.0, 21.0, 1.0)))
        else:
            calls["time"] = dispatch.times(rng, total, ground, dispatch.every_day(ground, (1.0, 4.0, 1.0)))
        label = "judge" if self.judge else "batch-job"
        return Planned(self.name, label, roster, settle_plan(calls, roster, rng), ground)
