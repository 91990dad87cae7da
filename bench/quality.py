"""Measure how well detection does, as `stillwatch bench` does, and compare or pin the quick table.

    .venv/bin/python -m bench.quality                      the quick profile, compared with bench/quick.json
    .venv/bin/python -m bench.quality --pin                write its figures down anew
    .venv/bin/python -m bench.quality --profile full       every scenario; goes on where it was interrupted

Ends with status 1 where a pinned figure moved.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench.detection import ROOT
from bench.page import of_speed
from stillwatch.cli.benching import PROFILES, measure
from stillwatch.lab.benchmark.compare import compare, pinned

EXPECTED = ROOT / "bench" / "quick.json"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--profile", choices=PROFILES, default="quick")
    options.add_argument("--pin", action="store_true", help="write the quick figures down instead of comparing them")
    options.add_argument("--work", type=Path, default=ROOT / "build" / "benchmark", help="where results go")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="tasks at a time")
    asked = options.parse_args()
    results = measure(asked.profile, asked.work / asked.profile, asked.workers, False, of_speed())
    if asked.profile != "quick":
        return 0
    if asked.pin:
        EXPECTED.write_text(json.dumps(pinned(results), indent=1) + "\n", encoding="utf-8")
        return 0
    moved = compare(results, EXPECTED)
    for sentence in moved:
        print(sentence)
    return 1 if moved else 0


if __name__ == "__main__":
    sys.exit(main())
