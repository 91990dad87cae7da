"""What a benchmark does: its tasks as data, and the two lists of them that people ask for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from stillwatch.errors import Error
from stillwatch.lab.scenario import DEVELOPMENT, FULL_RATE, NULL, SCENARIOS

KINDS = ("scenario", "null", "power", "opponent")
PROFILES = ("quick", "short", "full")

HONEST_SCENARIO = "quiet"
HONEST_SEED = 9_000
HONEST_CALLS = 60_000
"""The honest log that baselines may calibrate on: another seed of the same population, one for all tasks."""

QUICK_SEED = 7_000
FULL_SEED = 4_001
"""Seeds from either on are drawn by no test, demo or calibration, nor by the other profile."""

NULL_WORLDS = 200
"""Of some 1,500 accounts that call: 300,000 in all, which is what a bound of 1e-5 takes."""

CHOSEN_ON = DEVELOPMENT
"""Scenarios that thresholds and wordings were chosen on, or whose kinds the calibration knows, under other seeds."""

BLIND = ("ledger-c8b", "ledger-c11", "evasion-3", "evasion-10")
"""Beginnings of the scenarios in which single calls are ordinary people's, or drawn as theirs are."""

POWER_SCENARIO = "evasion-8-attribute-clean"
POWER_SCALE = 0.25
POWER_ACCOUNTS = (10, 20, 40, 80, 160, 320)
POWER_WORLDS = 4
"""One held-out campaign that shares nothing but its prompt and its time, among 60,000 calls of others."""

OPPONENTS = ("detector", "volume", "fellegi-sunter")
"""Who is played against: the detector, a threshold anybody would set first, and linkage by what accounts share."""

ROUNDS_MAX = 6
"""Days of a game: the first, and one for each of the knobs that are tried first."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to measure.

    `kind`: a `scenario` with everything beside it, a `null` world without campaigns, the `power` at one size of pool,
    or a game of the `opponent`, whose `scenario` is whom it plays against. `scale` is a share of the scenario's usual
    calls. `accounts` replaces the size of the scenario's first campaign, all others being left out; 0 changes nothing.
    """

    kind: str
    scenario: str
    seed: int
    scale: float = 1.0
    accounts: int = 0
    rivals: bool = True
    delays: bool = True
    rounds: int = ROUNDS_MAX

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

    `blind` names scenarios in which the ingress of calls shows nothing, by their beginnings.
    `chosen_on` names those that a threshold or a wording was chosen on: their figures are not held out.
    """

    profile: str
    tasks: tuple[Task, ...]
    blind: tuple[str, ...] = ()
    chosen_on: tuple[str, ...] = ()


def plan_named(profile: str) -> Plan:
    """Return the plan of a profile: `quick` (minutes), `short` (a quarter of an hour on two cores) or `full` (an hour).

    Raises:  Error("unknown-profile").
    """
    if profile not in PROFILES:
        raise Error("unknown-profile", "there is no profile of that name", hint=f"choose one of {', '.join(PROFILES)}")
    return {"quick": quick, "short": short, "full": full}[profile]()


def quick() -> Plan:
    """Return a plan of a few minutes: a handful of scenarios in small, some null worlds, three sizes of a pool."""
    seed = QUICK_SEED
    tasks = [
        Task("scenario", "demo", seed, 0.24),
        Task("scenario", "bench", seed + 1, 0.06, delays=False),
        Task("scenario", "ledger-c10", seed + 2, 0.2, delays=False),
        Task("scenario", "evasion-8-attribute-clean", seed + 3, 0.25, delays=False),
        Task("scenario", "lookalikes", seed + 4, 0.25),
        Task("scenario", "evasion-1-low-and-slow", seed + 5, 0.3, delays=False),
        Task("scenario", "evasion-9-reasoning-replay", seed + 6, 0.3, delays=False),
        *(Task("null", NULL, seed + 100 + at) for at in range(10)),
        *(Task("power", POWER_SCENARIO, seed + 200, POWER_SCALE, size) for size in (20, 80, 320)),
        Task("opponent", "detector", seed + 300, rounds=3),
    ]
    return Plan("quick", tuple(tasks), BLIND, CHOSEN_ON)


BESIDE = ("demo", "ledger-c10", "evasion-4-paraphrase", "evasion-8-attribute-clean")
"""Scenarios that the short profile measures beside the baselines, and whose time to detection it looks for."""


def short() -> Plan:
    """Return the full plan with rivals and delays on a few scenarios only, and one game: a quarter of the work."""
    kept = [task for task in full().tasks if task.kind != "opponent" or task.scenario == "detector"]
    tasks = [
        task
        if task.kind != "scenario" or task.scenario in (*BESIDE, FULL_RATE)
        else replace(task, rivals=False, delays=False)
        for task in kept
    ]
    return Plan("short", tuple(tasks), BLIND, CHOSEN_ON)


def full() -> Plan:
    """Return the plan of the whole table, the longest tasks first; resumable at every task.

    No two worlds whose honest accounts are counted have a seed in common: the same people would be counted twice.
    """
    held_out = [name for name in SCENARIOS if name not in DEVELOPMENT]
    sizes = (("lookalikes-at-scale", 1.0), ("bench", 0.25), ("lookalikes", 1.0), ("demo", 1.0))
    asked = [*sizes, *((name, 1.0) for name in held_out)]
    tasks = [Task("scenario", name, FULL_SEED + at, scale, delays=name != "bench") for at, (name, scale) in
             enumerate(asked)]  # fmt: skip
    tasks.insert(1, Task("scenario", FULL_RATE, FULL_SEED + 90, rivals=False))
    tasks += [Task("opponent", name, FULL_SEED + 100) for name in OPPONENTS]
    tasks += [
        Task("power", POWER_SCENARIO, FULL_SEED + 200 + at, POWER_SCALE, size)
        for size in reversed(POWER_ACCOUNTS)
        for at in range(POWER_WORLDS)
    ]
    tasks += [Task("null", NULL, FULL_SEED + 1_000 + at) for at in range(NULL_WORLDS)]
    return Plan("full", tuple(tasks), BLIND, CHOSEN_ON)
