"""Small worlds that several tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.world import World, simulate


@dataclass(frozen=True)
class Day:
    """A whole simulated day in memory, with the group of each event's account beside it."""

    world: World
    events: pa.Table
    group: np.ndarray
    told: dict[str, str]

    def of(self, group: str) -> pa.Table:
        return self.events.filter(pa.array(self.group == group))


def read(world: World) -> Day:
    chunks = list(world.chunks())
    events = pa.Table.from_batches([chunk.events for chunk in chunks])
    truth = pa.Table.from_batches([chunk.truth for chunk in chunks])
    accounts = world.truth_accounts()
    group_of = dict(zip(accounts["account_id"].to_pylist(), accounts["group"].to_pylist(), strict=True))
    group = np.array([group_of[account] for account in events["account_id"].to_pylist()])
    told = dict(zip(truth["event_id"].to_pylist(), truth["campaign"].to_pylist(), strict=True))
    return Day(world, events, group, told)


@cache
def demo_day() -> Day:
    """The demo at its usual size: its groups are the ones that the documents describe."""
    return read(simulate(scenario_named("demo"), 0, 250_000))


def small_world(seed: int = 0, calls: int = 6_000, scenario: str = "demo") -> World:
    return simulate(scenario_named(scenario), seed, calls)
