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

from stillwatch.campaign.calibration import SHIPPED, dump
from stillwatch.campaign.history import History, fit, read_histories
from stillwatch.engines.contract import RunRequest
from stillwatch.engines.run import detect
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import simulate
from stillwatch.report.calibration import curve_markdown

TARGET = Path("src/stillwatch/campaign/calibrations") / f"{SHIPPED}.json"

CALLS = {"quiet": 250_000, "bench": 1_000_000}


class Silent:
    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def end(self, stage: str, seconds: float, rows: int) -> None: ...

    def note(self, text: str) -> None: ...


def honest_world(name: str, seed: int) -> History:
    """Return the families tested in one honest world, under a key of its own, so that no two worlds share a name."""
    scenario = replace(scenario_named(name), campaigns=())
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-calibration-"))
    try:
        write_world(simulate(scenario, seed, CALLS[name]), folder / "world", "canonical", Silent())
        request = RunRequest(
            events=(str(folder / "world" / "events"),),
            accounts=(str(folder / "world" / "accounts.jsonl"),),
            out=folder / "run",
            key=f"calibration world {seed}".encode(),
        )
        detect(request, Silent())
        # Nothing is hidden here, so whatever a run reports is an honest family that scored high.
        reported = (json.loads(line) for line in (folder / "run" / "groups.jsonl").read_text().splitlines())
        keep = frozenset(group["group_id"] for group in reported if group["campaign_id"])
        return read_histories([folder / "run"], keep=keep)[0]
    finally:
        shutil.rmtree(folder)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--worlds", type=int, default=60)
    options.add_argument("--first-seed", type=int, default=10_000)
    options.add_argument("--out", type=Path, default=TARGET)
    asked = options.parse_args()
    worlds: list[History] = []
    for world in range(asked.worlds):
        name = "bench" if world % 4 == 3 else "quiet"
        found = honest_world(name, asked.first_seed + world)
        worlds.append(found)
        highest = max((family.score for family in found.families), default=0)
        print(
            f"world {world + 1} of {asked.worlds} ({name}): {len(found.families)} families, highest {highest:.3f}",
            flush=True,
        )
    source = (
        f"{asked.worlds} simulated worlds without campaigns, seeds {asked.first_seed} to "
        f"{asked.first_seed + asked.worlds - 1}, scenarios quiet and bench"
    )
    fitted = fit(SHIPPED, source, worlds)
    asked.out.write_text(dump(fitted))
    print(f"{len(fitted.scores)} families written to {asked.out}")
    for ident, curve in fitted.curves.items():
        print(f"\nFor docs/signals/{ident}.md:\n\n{curve_markdown(curve)}")


if __name__ == "__main__":
    main()
