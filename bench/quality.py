"""Measure how well detection does, beside its rivals, on many simulated worlds; compare or pin the quick table.

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

import pyarrow as pa

from bench.detection import ROOT, SOURCE, digest
from bench.page import SPEED, effort
from stillwatch import __version__
from stillwatch.engines import run as engine
from stillwatch.engines.contract import RunRequest
from stillwatch.lab.benchmark.charts import write_charts
from stillwatch.lab.benchmark.compare import compare, pinned
from stillwatch.lab.benchmark.page import page
from stillwatch.lab.benchmark.plan import PROFILES, plan_named
from stillwatch.lab.benchmark.run import run_benchmark

EXPECTED = ROOT / "bench" / "quick.json"


class Stillwatch:
    """The detector as it is shipped, without its report."""

    def __init__(self) -> None:
        self.version = f"{__version__} {digest(SOURCE)}"

    def run(self, events: Path, accounts: Path, out: Path, seed: int) -> Path:
        request = RunRequest(events=(str(events),), accounts=(str(accounts),), out=out, seed=seed)
        return engine.detect(request, _Silent(), _Unread()).run_dir


class _Silent:
    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def end(self, stage: str, seconds: float, rows: int) -> None: ...

    def note(self, text: str) -> None: ...


class _Unread:
    def add(self, batch: pa.RecordBatch, campaign_ids: object) -> None: ...

    def finish(self, run_dir: Path) -> None: ...


class _Said:
    def note(self, text: str) -> None:
        print(text, flush=True)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--profile", choices=PROFILES, default="quick")
    options.add_argument("--pin", action="store_true", help="write the quick figures down instead of comparing them")
    options.add_argument("--work", type=Path, default=ROOT / "build" / "benchmark", help="where results go")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="tasks at a time")
    asked = options.parse_args()
    results = run_benchmark(plan_named(asked.profile), Stillwatch(), asked.work / asked.profile, _Said(), asked.workers)
    told = effort(json.loads(SPEED.read_text(encoding="utf-8")))
    (results.parent / "benchmark.md").write_text(page(results, told), encoding="utf-8")
    write_charts(results, results.parent / "images" / "benchmark")
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
