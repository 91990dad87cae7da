"""A small log with a campaign in it, and people who watch a run and act while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.engines.run import RunRequest
from tests.scenes.scene import Silent, write_calibration, write_lines
from tests.scenes.world import Queue, World, campaign, strangers


def small_world() -> World:
    world = World(41)
    strangers(world, count=40)
    campaign(world, "pool", Queue(items=150, samples=3), count=30)
    return world


WORLD = small_world()
"""Built from a seed once, never changed."""


def request(folder: Path, events: Sequence[dict[str, Any]] = WORLD.events, **settings: Any) -> RunRequest:
    log = write_lines(folder / "events.jsonl", list(events))
    accounts = write_lines(folder / "accounts.jsonl", WORLD.accounts)
    plain = RunRequest(
        (str(log),), folder / "out" / "run", (str(accounts),), calibration=write_calibration(folder), power=False
    )
    return replace(plain, **settings)


@dataclass
class ActsAt(Silent):
    """Does something when a stage begins."""

    stage: str
    act: Callable[[], object]

    def begin(self, stage: str, total_bytes: int | None) -> None:
        if stage == self.stage:
            self.act()


class BrokenError(Exception):
    """What the observers of these tests fail with."""


@dataclass
class FailsAt:
    """An observer that fails, at its first call or when the run is about to be published."""

    where: str

    def add(self, batch: pa.RecordBatch, campaign_ids: Sequence[str | None]) -> None:
        if self.where == "add":
            raise BrokenError

    def finish(self, run_dir: Path) -> None:
        if self.where == "finish":
            raise BrokenError
