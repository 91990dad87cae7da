"""Fit the shipped calibration: what honest families score, over many simulated worlds without a campaign.

Run by hand from the repository's root (about ten seconds a world on two cores):

    .venv/bin/python tools/fit_calibration.py --worlds 60 --first-seed 10000

Seeds from 10000 on are used for nothing else: no test, demo or benchmark draws them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from stillwatch.campaign.calibration import SHIPPED, Calibration, dump
from stillwatch.engines.contract import RunRequest
from stillwatch.engines.run import detect
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import simulate

TARGET = Path("src/stillwatch/campaign/calibrations") / f"{SHIPPED}.json"

CALLS = {"quiet": 250_000, "bench": 1_000_000}


class Silent:
    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def end(self, stage: str, seconds: float, rows: int) -> None: ...

    def note(self, text: str) -> None: ...


def honest_scores(name: str, seed: int) -> list[float]:
    """Return the extraction scores of the families tested in one honest world."""
    scenario = replace(scenario_named(name), campaigns=())
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-calibration-"))
    try:
        write_world(simulate(scenario, seed, CALLS[name]), folder / "world", "canonical", Silent())
        accounts = str(folder / "world" / "accounts.jsonl")
        request = RunRequest(events=(str(folder / "world" / "events"),), accounts=(accounts,), out=folder / "run")
        detect(request, Silent())
        scores: list[float] = json.loads((folder / "run" / "run.json").read_text())["extraction_scores"]
        return scores
    finally:
        shutil.rmtree(folder)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--worlds", type=int, default=60)
    options.add_argument("--first-seed", type=int, default=10_000)
    options.add_argument("--out", type=Path, default=TARGET)
    asked = options.parse_args()
    scores: list[float] = []
    for world in range(asked.worlds):
        name = "bench" if world % 4 == 3 else "quiet"
        found = honest_scores(name, asked.first_seed + world)
        scores += found
        print(
            f"world {world + 1} of {asked.worlds} ({name}): {len(found)} families, highest {max(found, default=0):.3f}"
        )
    source = (
        f"{asked.worlds} simulated worlds without campaigns, seeds {asked.first_seed} to "
        f"{asked.first_seed + asked.worlds - 1}, scenarios quiet and bench"
    )
    asked.out.write_text(dump(Calibration(SHIPPED, source, tuple(scores))))
    print(f"{len(scores)} families written to {asked.out}")


if __name__ == "__main__":
    main()
