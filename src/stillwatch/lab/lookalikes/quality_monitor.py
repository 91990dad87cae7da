"""A quality monitor: the same probes from a few accounts every hour, for days, to notice a model that drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import dispatch
from stillwatch.lab.roster import BUSINESS, enrol
from stillwatch.lab.streams import mix, name_key
from stillwatch.lab.traffic import HOUR_US, Actor, Ground, Planned, Profile, plan_calls, settle_plan
from stillwatch.lab.words import language

MODELS = ("aurora-4", "aurora-4-mini", "aurora-3", "aurora-4-deep")
APART_US = 2_000_000
"""A round sends a probe every two seconds."""


@dataclass(frozen=True, slots=True)
class QualityMonitor:
    """`owners` run the same public set of probes; each account watches one model."""

    name: str = "quality-monitor"
    accounts: int = 6
    calls_each: float = 240.0
    owners: int = 2

    @property
    def calls(self) -> float:
        return self.accounts * self.calls_each

    def settle(self, ground: Ground) -> Actor:
        """Return the accounts with one round an hour, a few minutes apart from each other."""
        rng = ground.rng(self.name)
        roster = enrol(rng, self.accounts, BUSINESS, ground.start_us)
        owner = np.arange(self.accounts) % self.owners
        for number in range(min(self.owners, self.accounts)):
            members = np.flatnonzero(owner == number)
            roster[members] = dispatch.one_deployment(rng, roster[members])
        each = max(int(self.calls_each), 1)
        probes = -(-each // ground.hours)
        round_number, probe = np.divmod(np.tile(np.arange(each), self.accounts), probes)
        asked = [Profile(model=m, temperature=0.0, max_tokens=512, output=(60.0, 0.8)) for m in MODELS]
        calls = plan_calls(each * self.accounts, ground, "monitor_probe", asked[0], 0)
        account = np.repeat(np.arange(self.accounts), each)
        calls["account"] = account
        first = np.uint64(name_key(ground.seed, "public probes") >> 8)
        # The root rule is drawn from the call's key: the probe's own, so that it is the same text each time.
        calls["item"] = mix(first + probe.astype(np.uint64), 1)
        calls["topic"] = (mix(calls["item"], 2) % np.uint64(len(language.TOPICS))).astype(np.int64)
        calls["profile"] = np.array([ground.profile(p) for p in asked])[account // self.owners % len(MODELS)]
        minute = rng.integers(0, 20, self.accounts) * 60_000_000
        jitter = rng.integers(0, APART_US // 2, len(calls))
        calls["time"] = ground.start_us + round_number * HOUR_US + minute[account] + probe * APART_US + jitter
        plan = settle_plan(calls, roster, rng)
        plan["draw"] = plan["item"]
        return Planned(self.name, "quality-monitor", roster, plan, ground)
