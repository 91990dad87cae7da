"""The world of a task, written to disk, and the honest one beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stillwatch.lab.baselines.log import Log
from stillwatch.lab.benchmark.plan import HONEST_CALLS, HONEST_SCENARIO, HONEST_SEED, Task
from stillwatch.lab.scenario import CALLS_MIN, FULL_RATE, NULL, Scenario, full_rate, null_world, scenario_named
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import World, simulate


@dataclass(frozen=True, slots=True)
class Day:
    """A world on disk: its log, which everybody may read, and its truth, which only the score may."""

    log: Log
    truth: Path


class Silent:
    """Nobody waits for one world among hundreds."""

    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def note(self, text: str) -> None: ...


def written(task: Task, folder: Path) -> Day:
    """Simulate the world of a task into a folder that does not exist yet."""
    return _write(_world(task), folder)


def honest(folder: Path) -> Log:
    """Simulate the log that baselines calibrate on into a folder that does not exist yet."""
    return _write(simulate(scenario_named(HONEST_SCENARIO), HONEST_SEED, HONEST_CALLS), folder).log


def honest_day(folder: Path, calls: int) -> Log:
    """Simulate another honest log of the same population, on which a baseline's threshold may be set."""
    return _write(simulate(scenario_named(HONEST_SCENARIO), HONEST_SEED + 1, calls), folder).log


def _world(task: Task) -> World:
    made = {NULL: lambda: null_world(task.seed), FULL_RATE: full_rate}
    scenario = made[task.scenario]() if task.scenario in made else scenario_named(task.scenario)
    calls = max(round(scenario.calls * task.scale), CALLS_MIN)
    if task.accounts:
        scenario, calls = resized(scenario, calls, task.accounts)
    return simulate(scenario, task.seed, calls)


def resized(scenario: Scenario, calls: int, accounts: int) -> tuple[Scenario, int]:
    """Return the scenario with its first campaign alone, at `accounts` accounts, and its number of calls.

    The honest part stays what it is in a world of `calls` calls, so that only the pool grows.
    """
    campaigns = len(scenario.campaigns)
    cast = replace(scenario, scales=False).cast(min(calls, scenario.calls))
    lookalikes = cast[: len(cast) - campaigns]
    knobs: Any = scenario.campaigns[0]
    campaign = replace(knobs, accounts=accounts)
    total = round(calls - sum(spec.calls for spec in cast[len(lookalikes) :]) + campaign.calls)
    return replace(scenario, calls=total, lookalikes=lookalikes, campaigns=(campaign,), scales=False), total


def _write(world: World, folder: Path) -> Day:
    write_world(world, folder, "canonical", Silent())
    return Day(Log(folder / "events", folder / "accounts.jsonl"), folder / "truth")
