"""What a scene is, how it is run, and what is read of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaign.calibration import Calibration, dump
from stillwatch.engines.contract import Observer
from stillwatch.engines.run import RunRequest, detect
from stillwatch.finding import Outcome
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys
from stillwatch.pseudonym import UNKEYED
from stillwatch.signals.registry import SIGNALS
from tests.scenes.world import World


@dataclass(frozen=True)
class Scene:
    """A small log and what a run says of it.

    `campaigns` are the pools that are named, each as a campaign of its own; nobody else may be. `outcomes` says what
    becomes of the family that most accounts of a pool carry. `speaks_for` and `speaks_against` are pairs of signal
    and pool whose family it speaks about. `skipped` are signals that cannot run on columns that are filled.
    """

    world: World
    campaigns: tuple[str, ...] = ()
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    speaks_for: tuple[tuple[str, str], ...] = ()
    speaks_against: tuple[tuple[str, str], ...] = ()
    skipped: frozenset[str] = frozenset()


def unfed(world: World) -> frozenset[str]:
    """Return the signals that cannot run on a world, since it fills no column they need."""
    filled = {
        name for row in (*world.events, *world.accounts) for name, value in row.items() if value not in (None, [])
    }
    return frozenset(signal.IDENT for signal in SIGNALS if not signal.NEEDS & filled)


class Silent:
    """A person who does not watch."""

    def begin(self, stage: str, total_bytes: int | None) -> None:
        pass

    def advance(self, rows: int, size_bytes: int) -> None:
        pass

    def end(self, stage: str, seconds: float, rows: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_calibration(folder: Path) -> Path:
    """Write the reference that all scenes rank against, so that a new shipped one changes none of them."""
    scores = [0.0] * 539 + [round(0.5 * (at / 60) ** 2, 6) for at in range(1, 61)]
    source = "made up for the scenes: nine in ten honest families score 0"
    path = folder / "calibration.json"
    path.write_text(dump(Calibration("scenes-1", source, tuple(scores))))
    return path


def run(world: World, folder: Path, engine: str = "embedded", observer: Observer | None = None) -> Path:
    """Write a world's log and run detection on it; return the run's directory."""
    folder.mkdir(parents=True, exist_ok=True)
    events = write_lines(folder / "events.jsonl", world.events)
    accounts = write_lines(folder / "accounts.jsonl", world.accounts)
    request = RunRequest(
        events=(str(events),), accounts=(str(accounts),), out=folder / "run", engine=engine,
        calibration=write_calibration(folder), power=False,
    )  # fmt: skip
    return detect(request, Silent(), observer).run_dir


@dataclass(frozen=True)
class Found:
    """A run's directory, read."""

    run: dict[str, Any]
    campaigns: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    accounts: list[dict[str, Any]]
    exchanges: list[dict[str, Any]]
    considered: list[dict[str, Any]]

    @staticmethod
    def read(run_dir: Path) -> Found:
        def lines(name: str) -> list[dict[str, Any]]:
            return [json.loads(line) for line in (run_dir / name).read_text().splitlines()]

        def table(name: str) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = pq.read_table(run_dir / name).to_pylist()
            return rows

        return Found(
            json.loads((run_dir / "run.json").read_text()), lines("campaigns.jsonl"), lines("groups.jsonl"),
            table("accounts.parquet"), table("exchanges.parquet"), table("considered.parquet"),
        )  # fmt: skip

    def named(self, campaign_id: str) -> set[str]:
        return {
            row["account_id"]
            for row in self.accounts
            if row["campaign_id"] == campaign_id and row["verdict"] == "campaign"
        }

    def family_of(self, accounts: Sequence[str]) -> dict[str, Any]:
        """Return the family that most of the accounts carry; among equals, the one with most of their calls."""
        key = TraceKeys.derive(UNKEYED).identifiers
        wanted = set(pseudonyms(pa.array(accounts), key).tolist())
        holders: Counter[str] = Counter()
        calls: Counter[str] = Counter()
        for row in self.considered:
            if row["account_key"] in wanted:
                holders[row["group_id"]] += 1
                calls[row["group_id"]] += row["calls"]
        best = max(holders, key=lambda group: (holders[group], calls[group], group))
        return next(group for group in self.groups if group["group_id"] == best)
