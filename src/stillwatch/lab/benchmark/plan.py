"""What a benchmark does: its tasks as data, and the two lists of them that people ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

KINDS = ("scenario", "null", "power", "opponent")

HONEST_SCENARIO = "quiet"
HONEST_SEED = 9_000
HONEST_CALLS = 60_000
"""The honest log that baselines may calibrate on: another seed of the same population, one for all tasks."""

QUICK_SEED = 7_000
FULL_SEED = 8_000
POWER_SEED = 8_800
NULL_SEED = 20_000
"""Seeds from here on are drawn by no test, demo, calibration or other benchmark."""

NULL_WORLDS = 200
NULL_SCALE = 0.24
"""A quarter of the honest day has some 1,800 callers: 200 such worlds have the 300,000 that a bound of 1e-5 takes."""

QUICK_SCENARIOS: Mapping[str, float] = MappingProxyType({"demo": 0.24, "bench": 0.06})
"""Scenarios of the quick profile and their scale."""

CHOSEN_ON = ("demo", "quiet", "bench")
"""Scenarios that thresholds and wordings were chosen on before there was a benchmark."""

POWER_ACCOUNTS = (50, 100, 200, 400, 800, 1_600, 4_000, 15_000)
"""From the smallest pool worth the trouble to the largest published one (OpenAI, 30 Sep 2026)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to measure.

    `kind`: a `scenario` with everything beside it, a `null` world without campaigns, the `power` at one size of pool,
    or a game against an `opponent`. `scale` is a share of the scenario's usual calls. `accounts` replaces the size of
    the scenario's first campaign, all others being left out; 0 changes nothing.
    """

    kind: str
    scenario: str
    seed: int
    scale: float = 1.0
    accounts: int = 0
    rivals: bool = True
    delays: bool = True

    def key(self, version: str) -> str:
        """Return a name that changes when the question or who answers it does."""
        said = json.dumps([asdict(self), version], sort_keys=True)
        return hashlib.blake2b(said.encode(), digest_size=10).hexdigest()

    def title(self) -> str:
        """Return what a person who waits is told."""
        size = f", {self.accounts:,} accounts" if self.accounts else ""
        return f"{self.kind} {self.scenario}, seed {self.seed}{size}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The tasks of one benchmark, and which scenarios nobody expects to be found.

    `blind` names scenarios in which the ingress of calls shows nothing (an organic relay), by their beginnings.
    `chosen_on` names those that a threshold or a wording was chosen on: their figures are not held out.
    """

    profile: str
    tasks: tuple[Task, ...]
    blind: tuple[str, ...] = ()
    chosen_on: tuple[str, ...] = ()


def quick(scenarios: Mapping[str, float] = QUICK_SCENARIOS, timed: Sequence[str] = ("demo",)) -> Plan:
    """Return a plan of a few minutes: each scenario once at its scale, a few null worlds, three sizes of a pool.

    Only scenarios in `timed` are run on parts of the log as well, which takes most of the time.
    """
    tasks = [
        Task("scenario", name, QUICK_SEED + at, scale, delays=name in timed)
        for at, (name, scale) in enumerate(scenarios.items())
    ]
    tasks += [Task("null", HONEST_SCENARIO, QUICK_SEED + 100 + at, NULL_SCALE) for at in range(5)]
    tasks += [Task("power", "demo", QUICK_SEED + 200, 0.24, size) for size in (50, 200, 800)]
    return Plan("quick", tuple(tasks), chosen_on=CHOSEN_ON)


def full(
    scenarios: Sequence[str], *, seeds: int = 3, power: Sequence[str] = (), opponents: Sequence[str] = (),
    nulls: Sequence[str] = (HONEST_SCENARIO,), blind: Sequence[str] = (),
) -> Plan:  # fmt: skip
    """Return the plan of the whole table: hours on two cores, resumable at every task.

    `power` names scenarios whose first campaign is tried at every size; `opponents` those that are played against;
    `nulls` those without campaigns, in turn. No two worlds whose honest accounts are counted have a seed in common:
    the same people would be counted twice.
    """
    runs = [(name, at) for name in scenarios for at in range(seeds)]
    tasks = [Task("scenario", name, FULL_SEED + place) for place, (name, _) in enumerate(runs)]
    tasks += [Task("null", nulls[at % len(nulls)], NULL_SEED + at, NULL_SCALE) for at in range(NULL_WORLDS)]
    sizes = [(name, size) for name in power for size in POWER_ACCOUNTS]
    tasks += [Task("power", name, POWER_SEED + at, accounts=size) for name, size in sizes for at in range(seeds)]
    tasks += [Task("opponent", name, POWER_SEED + at) for name in opponents for at in range(seeds)]
    return Plan("full", tuple(tasks), tuple(blind), CHOSEN_ON)
