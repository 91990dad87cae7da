"""The benchmark: the detector as it is shipped, measured beside its rivals on many simulated worlds."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch import __file__ as package_file
from stillwatch import __version__
from stillwatch.cli.options import console, json_option, path, print_json, progress, progress_option

if TYPE_CHECKING:
    import pyarrow as pa

PROFILES = ("quick", "short", "full")
"""Written down so that completion loads no laboratory; tests/test_cli.py keeps the two in step."""


@dataclass(frozen=True, slots=True)
class Stillwatch:
    """The detector that the laboratory measures: the whole run, without its report and its outlook."""

    version: str

    @staticmethod
    def installed() -> Stillwatch:
        """Return the installed detector; its version is a digest of the whole package, the laboratory's too."""
        held = hashlib.blake2b(digest_size=8)
        root = Path(package_file).parent
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                held.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
        return Stillwatch(f"{__version__} {held.hexdigest()}")

    def run(self, events: Path, accounts: Path, out: Path, seed: int, power: bool = False) -> Path:
        """Detect, and return the run's directory."""
        from stillwatch.engines import run as engine
        from stillwatch.engines.contract import RunRequest

        request = RunRequest(events=(str(events),), accounts=(str(accounts),), out=out, seed=seed, power=power)
        return engine.detect(request, _Silent(), _Unread()).run_dir


class _Silent:
    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def end(self, stage: str, seconds: float, rows: int) -> None: ...

    def note(self, text: str) -> None: ...


class _Unread:
    """Stands where the report would look at calls again: reading them twice is part of what is measured."""

    def add(self, batch: pa.RecordBatch, campaign_ids: object) -> None: ...

    def finish(self, run_dir: Path) -> None: ...


@click.command()
@click.option("--profile", type=click.Choice(PROFILES), default="quick", help="Minutes, or hours.")
@path("--out", default="stillwatch-bench", metavar="DIR", help="Where results, the page and its charts go.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Tasks at a time. [default: one a core]")
@json_option
@progress_option
def bench(profile: str, out: Path, workers: int | None, as_json: bool, no_progress: bool) -> None:
    """Measure detection on many simulated worlds.

    What is measured is kept in --out and not measured again, so that a bench that was interrupted goes on.

    \b
    Examples:
      stillwatch bench --out bench
      stillwatch bench --profile full --out bench-full --json
    """
    results = measure(profile, out, workers or os.cpu_count() or 1, no_progress)
    found = json.loads(results.read_text(encoding="utf-8"))
    if as_json:
        print_json({"profile": found["profile"], "detector": found["detector"], "summary": found["summary"]})
    else:
        _say(found, results.parent / "benchmark.md")


def measure(profile: str, out: Path, workers: int, no_progress: bool, effort: str = "") -> Path:
    """Do what is left of a profile's plan, write its page and charts, and return the path of its results."""
    from stillwatch.lab.benchmark.charts import write_charts
    from stillwatch.lab.benchmark.page import page
    from stillwatch.lab.benchmark.plan import plan_named
    from stillwatch.lab.benchmark.run import run_benchmark

    with progress(no_progress) as told:
        results = run_benchmark(plan_named(profile), Stillwatch.installed(), out, told, workers)
    (out / "benchmark.md").write_text(page(results, effort), encoding="utf-8")
    write_charts(results, out / "images" / "benchmark")
    return results


def _say(found: dict[str, Any], page: Path) -> None:
    from rich.table import Table

    from stillwatch.lab.benchmark.targets import targets
    from stillwatch.report.terminal import trimmed

    table = Table(box=None, pad_edge=False)
    for name in ("Promise", "Limit", "Measured", "Missed by"):
        table.add_column(name, justify="left" if name == "Promise" else "right")
    for one in targets(found):
        sign = "≥" if one.at_least else "≤"
        measured = "not measured" if one.measured is None else f"{one.measured:.3g}"
        table.add_row(one.name, f"{sign} {one.limit:.3g}", measured, f"{one.missed_by:.2g}" if one.missed_by else "")
    screen = console()
    with trimmed(screen):
        screen.print(table)
    click.echo(f"\nPage: {page}")
