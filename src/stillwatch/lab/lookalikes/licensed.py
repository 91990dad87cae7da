"""Customers who may: a synthetic-data job, reasons kept for an audit, a student distilled under a grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from stillwatch.lab import dispatch
from stillwatch.lab.roster import BUSINESS, PLANS, VERIFICATIONS, enrol
from stillwatch.lab.streams import name_key
from stillwatch.lab.traffic import Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words.language import TOPICS


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked, how, how often each item, on how many topics, and in which hours of a day."""

    form: str
    profile: Profile
    samples: int
    topics: int
    shifts: tuple[tuple[float, float, float], ...]


WORKS: Mapping[str, Work] = MappingProxyType(
    {
        "synthetic-data": Work(
            "synthetic_prompt", Profile(temperature=1.0, max_tokens=4_096, output=(700.0, 0.6)), 1, 3,
            ((0.0, 24.0, 1.0),),
        ),
        "reasoning-audit": Work(
            "audit_prompt",
            Profile(temperature=0.0, max_tokens=4_096, response_format="json_object", output=(650.0, 0.6)), 1, 1,
            ((7.0, 19.0, 0.9), (19.0, 24.0, 0.1)),
        ),
        "authorised-distillation": Work(
            "student_prompt", Profile(temperature=0.8, max_tokens=8_192, output=(1_500.0, 0.6)), 2, 8,
            ((0.0, 24.0, 1.0),),
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Licensed:
    """`work` is one of `WORKS`, and the class; all accounts are one owner's, who is known to the provider."""

    name: str = "authorised-distillation"
    accounts: int = 48
    calls_each: float = 150.0
    work: str = "authorised-distillation"

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the owner's accounts; the least loaded takes the next item."""
        work, rng = WORKS[self.work], ground.rng(self.name)
        roster = dispatch.one_deployment(rng, enrol(rng, self.accounts, BUSINESS, ground.start_us))
        roster["verification"], roster["plan"] = VERIFICATIONS.index("identity"), PLANS.index("enterprise")
        total = int(self.calls)
        calls = plan_calls(total, ground, work.form, work.profile, name_key(ground.seed, self.name, "prompt"))
        items = -(-total // work.samples)
        calls["item"] = np.repeat(rng.integers(1, 1 << 63, items, np.uint64), work.samples)[:total]
        topics = rng.permutation(len(TOPICS))[: work.topics]
        calls["topic"] = np.repeat(rng.choice(topics, items), work.samples)[:total]
        calls["account"] = dispatch.least_loaded(rng, self.accounts, total)
        calls["time"] = dispatch.times(rng, total, ground, dispatch.every_day(ground, *work.shifts))
        return Planned(self.name, self.work, roster, settle_plan(calls, roster, rng), ground)
