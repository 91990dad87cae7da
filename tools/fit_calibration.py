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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from stillwatch.campaign.calibration import SHIPPED, Calibration, dump
from stillwatch.campaign.history import History, fit, read_histories
from stillwatch.engines.contract import RunRequest
from stillwatch.engines.run import detect
from stillwatch.lab.lookalikes.gallery import gallery
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import simulate
from stillwatch.report.calibration import curve_markdown

TARGET = Path("src/stillwatch/campaign/calibrations") / f"{SHIPPED}.json"

WORLDS = {
    "quiet": scenario_named("quiet"),
    "gallery": replace(scenario_named("quiet"), lookalikes=gallery(2_000), calls=300_000),
    "bench": replace(scenario_named("bench"), campaigns=(), calls=2_000_000),
    "week": replace(scenario_named("bench"), campaigns=(), hours=168),
}
"""Honest worlds by name: a day with the commonest look-alikes, with all of them, with large groups, and a week."""

CALLS = {"quiet": 250_000, "gallery": 300_000, "bench": 1_000_000, "week": 700_000}


class Silent:
    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def end(self, stage: str, seconds: float, rows: int) -> None: ...

    def note(self, text: str) -> None: ...


def honest_world(name: str, seed: int) -> History:
    """Return the families tested in one honest world, under a key of its own, so that no two worlds share a name."""
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-calibration-"))
    try:
        write_world(simulate(WORLDS[name], seed, CALLS[name]), folder / "world", "canonical", Silent())
        # What is reported plays no part, so nothing needs ranking yet.
        blank = folder / "calibration.json"
        blank.write_text(dump(Calibration("blank", "no families", (0.0,))))
        request = RunRequest(
            calibration=blank,
            events=(str(folder / "world" / "events"),),
            accounts=(str(folder / "world" / "accounts.jsonl"),),
            out=folder / "run",
            power=False,
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
    options.add_argument("--jobs", type=int, default=2, help="worlds at a time")
    options.add_argument("--out", type=Path, default=TARGET)
    asked = options.parse_args()
    names = [list(WORLDS)[world % len(WORLDS)] for world in range(asked.worlds)]
    seeds = range(asked.first_seed, asked.first_seed + asked.worlds)
    worlds: list[History] = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        for name, found in zip(names, pool.map(honest_world, names, seeds), strict=True):
            worlds.append(found)
            highest = max((family.score for family in found.families), default=0)
            print(
                f"world {len(worlds)} of {asked.worlds} ({name}): {len(found.families)} families, "
                f"highest {highest:.3f}",
                flush=True,
            )
    source = (
        f"{asked.worlds} simulated worlds without campaigns, seeds {asked.first_seed} to "
        f"{asked.first_seed + asked.worlds - 1}, kinds {', '.join(WORLDS)}"
    )
    fitted = fit(SHIPPED, source, worlds)
    asked.out.write_text(dump(fitted))
    print(f"{len(fitted.scores)} families written to {asked.out}")
    for ident, curve in fitted.curves.items():
        print(f"\nFor docs/signals/{ident}.md:\n\n{curve_markdown(curve)}")


if __name__ == "__main__":
    main()
