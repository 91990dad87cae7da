"""Worlds of the held-out scenarios, and their campaigns' calls before they have text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from stillwatch.lab.lives import within_life
from stillwatch.lab.scenario import START_US, Scenario, scenario_named
from stillwatch.lab.traffic import HOUR_US, Actor, Ground, Records, Slot
from stillwatch.lab.world import simulate
from tests.lab.worlds import Day, read


@dataclass(frozen=True)
class Played:
    """One campaign, drafted alone: every call of its accounts, cover included."""

    actor: Actor
    calls: Records
    ground: Ground

    @property
    def work(self) -> Records:
        return self.calls[self.calls["organised"]]

    @property
    def hours(self) -> np.ndarray:
        return (self.work["time"] - START_US) / HOUR_US


@cache
def played(name: str) -> Played:
    scenario = scenario_named(name)
    ground = Ground(5, START_US, scenario.hours)
    ground.release_us = ground.at(scenario.release_hour) if scenario.release_hour else 0
    actor = scenario.campaigns[0].settle(ground)
    slots = [Slot(h, START_US + h * HOUR_US, START_US + (h + 1) * HOUR_US) for h in range(scenario.hours)]
    calls = np.concatenate([within_life(actor.draft(slot), actor.roster) for slot in slots])
    return Played(actor, calls[np.argsort(calls["time"], kind="stable")], ground)


def small(scenario: Scenario, calls: int = 20_000, seed: int = 2) -> Day:
    return read(simulate(scenario, seed, calls))
