"""Write docs/scale.md, its chart and the section on speed from the figures kept in docs/benchmark-scale.json.

    .venv/bin/python -m bench.scale_page                              the page again, from the kept figures
    .venv/bin/python -m bench.scale_page --take build/bench           new figures of the other three first
    .venv/bin/python -m bench.scale_page --spark FILE --store FILE    and those of the cluster and of the store

FILE of `--spark` holds `calls`, `embedded_cpu_seconds_per_million`, `workers` (for one and for two of them each:
`count`, `cpu_seconds_per_million`, `wall_seconds`), `shuffle_bytes_per_call` and `driver_peak_bytes`; FILE of `--store`
holds `bytes_per_call`, of a day that is closed. Nobody edits the page by hand, and what was not measured it says so of.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.detection import ROOT
from bench.figures import giga
from bench.scale_figures import NOT_YET, chart, grown, growth, speed
from stillwatch import trace
from stillwatch.lab.benchmark.figures import count, number, paragraph, table

Found = dict[str, Any]

KEPT = ROOT / "docs" / "benchmark-scale.json"
PAGE = ROOT / "docs" / "scale.md"
CHART = ROOT / "docs" / "images" / "benchmark" / "scale.svg"

PARTS = ("sketching", "assembled", "scale", "spark", "store")

DAY_CALLS = 1_000_000_000
DAY_SECONDS = 86_400
BUSIEST = 2.0
"""Calls of the busiest hour over the mean hour's. An assumption: a day's curve is the provider's own."""

WINDOW_DAYS = 30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--take", type=Path, help="folder with sketching.json, assembled.json, scale.json")
    options.add_argument("--spark", type=Path)
    options.add_argument("--store", type=Path)
    asked = options.parse_args()
    found = kept()
    for part in PARTS:
        given = getattr(asked, part, None) or (asked.take / f"{part}.json" if asked.take else None)
        if given and given.exists():
            found[part] = json.loads(given.read_text(encoding="utf-8"))
    KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(whole(found), encoding="utf-8")
    if sizes(found):
        CHART.parent.mkdir(parents=True, exist_ok=True)
        CHART.write_text(chart(sizes(found)), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")


def kept() -> Found:
    """Return the kept figures; a part that was never measured is None."""
    held = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    return {part: held.get(part) for part in PARTS}


def section() -> str:
    """Return the section on speed for docs/benchmark.md, from the kept figures."""
    found = kept()
    return speed(found) + ("\n\n![Processor time as the log grows](images/benchmark/scale.svg)" if sizes(found) else "")


def sizes(found: Found) -> list[Found]:
    rows: list[Found] = found["scale"]["rows"] if found["scale"] else []
    return rows


def whole(found: Found) -> str:
    """Return the page."""
    parts = [
        "# To a billion calls a day",
        "*Made by `python -m bench.scale_page` from measured figures; edit neither by hand.*",
        paragraph(
            "What one machine did, and the arithmetic from there to a large provider's day. Measured figures are on "
            "simulated logs; what follows from them is a calculation, and its assumptions stand below it."
        ),
        "## Measured on one machine",
        growth(found["scale"]).partition("\n\n")[2],
    ]
    if sizes(found):
        parts.append("![Processor time as the log grows](images/benchmark/scale.svg)")
    parts += ["## On a cluster", spark(found["spark"]), *arithmetic(found), "## Again", AGAIN]
    return "\n\n".join(parts) + "\n"


AGAIN = """```sh
make bench-speed    # the sketch beside its peers, the whole run beside what could be assembled
make bench-scale    # 2, 20 and 176 million calls; goes on where it stopped
```"""


def spark(found: Found | None) -> str:
    """Return what Spark took beside the embedded engine."""
    if not found:
        return f"Processor time on one and two workers beside the embedded engine is {NOT_YET}."
    own = found["embedded_cpu_seconds_per_million"]
    rows = [("", "processor seconds a million calls", "÷ embedded", "wall seconds")]
    rows.append(("embedded", number(own), number(1.0), ""))
    for each in found["workers"]:
        spent = each["cpu_seconds_per_million"]
        rows.append(
            (f"Spark, {each['count']} workers", number(spent), number(spent / own), number(each["wall_seconds"]))
        )
    told = (
        f"On {count(found['calls'])} calls. {number(found['shuffle_bytes_per_call'])} bytes a call were shuffled, and "
        f"the driver held {giga(found['driver_peak_bytes'])} at most."
    )
    return table(rows) + "\n\n" + paragraph(told)


def arithmetic(found: Found) -> list[str]:
    """Return the calculation for a day of a billion calls, from the largest log of each length of prompts."""
    largest: dict[int, Found] = {}
    for each in sorted(sizes(found), key=lambda each: int(each["events_count"])):
        largest[each["prompt_bytes"]] = each
    days = list(largest.values())
    heads = [f"prompts of {count(day['prompt_bytes'])} bytes" for day in days] or ["value"]
    rows = [("a day of N = 1,000,000,000 calls", "formula", *heads), *_rows(days, found)]
    assumed = (
        f"Assumptions: cost a call stays what it was in the largest log measured{_growth(found)}; the busiest hour has "
        f"{BUSIEST:g} times the calls of the mean hour; accounts grow with calls as in the simulated log; a processor "
        "of the cluster is like one measured here; every byte is read over the network or from a disk that delivers it "
        "as fast. No price is assumed: multiply processor hours, bytes kept and bytes moved with your own."
    )
    return ["## A billion calls a day", table(rows, (0, 1)), paragraph(assumed), "## What is a bound", paragraph(BOUND)]


BOUND = (
    "A trace row has a fixed width, so that what one exchange of all traces over the network would carry is known "
    "without measuring: it is in the table as an upper bound for each exchange. Statements that add up within a "
    "partition first carry less. Families that are tested, calls of a family in memory and links are bounded by "
    "constants in the code that do not grow with the log, and a bound that is hit is reported in `run.json`."
)


def _rows(days: Sequence[Found], found: Found) -> Iterable[tuple[str, ...]]:
    """Yield one line of the calculation after another; a figure that is not there is said to be missing."""
    n = DAY_CALLS

    def of(name: str, formula: str, value: Any) -> tuple[str, ...]:
        return name, formula, *([value(day) for day in days] or [NOT_YET])

    yield of("log, Parquet", "N · bytes of log a call", lambda day: tera(n * _each(day, day["log"]["size_bytes"])))
    yield of(
        "reading it as it comes", "log ÷ 86,400 s",
        lambda day: f"{n * _each(day, day['log']['size_bytes']) / DAY_SECONDS / 1e6:,.0f} MB/s",
    )  # fmt: skip
    yield of(
        "processor time", "N · processor seconds a call",
        lambda day: f"{count(n / 1e6 * day['cpu_seconds_per_million'] / 3_600)} hours",
    )  # fmt: skip
    yield of(
        "processors, busy all day", "processor time ÷ 24 h",
        lambda day: number(n / 1e6 * day["cpu_seconds_per_million"] / DAY_SECONDS),
    )  # fmt: skip
    yield of(
        "processors that keep up with the busiest hour", f"{BUSIEST:g} · processors busy all day",
        lambda day: number(BUSIEST * n / 1e6 * day["cpu_seconds_per_million"] / DAY_SECONDS),
    )  # fmt: skip
    yield of(
        "calls a day that the measured machine takes", "calls a second · 86,400 s",
        lambda day: count(day["calls_per_second"] * DAY_SECONDS),
    )  # fmt: skip
    yield of(
        "disk of a run at its fullest", "N · bytes of the run's folder a call",
        lambda day: tera(n * _each(day, day["folder_peak_bytes"])),
    )  # fmt: skip
    yield of("memory of a run", "peak of the largest log", lambda day: giga(day["peak_bytes"]))
    wide = max(len(days), 1)
    raw = trace_bytes()
    yield ("one exchange of all traces, at most", f"N · {raw} bytes", *[tera(n * raw)] * wide)
    yield from _elsewhere(found, wide)


def _elsewhere(found: Found, wide: int) -> Iterable[tuple[str, ...]]:
    """Yield the lines whose figures the cluster and the store give."""
    n, cluster, store = DAY_CALLS, found["spark"], found["store"]
    closed = store["bytes_per_call"] if store else None
    yield ("store, a closed day", "N · bytes kept a call", *[tera(n * closed) if closed else NOT_YET] * wide)
    kept_all = tera(WINDOW_DAYS * n * closed) if closed else NOT_YET
    yield (f"store, {WINDOW_DAYS} days", f"{WINDOW_DAYS} · store of a closed day", *[kept_all] * wide)
    shuffled = tera(n * cluster["shuffle_bytes_per_call"]) if cluster else NOT_YET
    yield ("shuffled on Spark", "N · bytes shuffled a call", *[shuffled] * wide)
    busy = number(n / 1e6 * cluster["workers"][-1]["cpu_seconds_per_million"] / DAY_SECONDS) if cluster else NOT_YET
    yield ("processors on Spark, busy all day", "N · processor seconds a call there ÷ 86,400 s", *[busy] * wide)
    held = f"{giga(cluster['driver_peak_bytes'])} at {count(cluster['calls'])} calls" if cluster else NOT_YET
    yield ("memory of the driver", "as measured", *[held] * wide)


def _growth(found: Found) -> str:
    rows = sizes(found)
    if len(rows) < 2:
        return ""
    return f" (it grew {number(max(grown(rows)), 2)}-fold at most from the smallest log to the largest)"


def _each(day: Found, total: float) -> float:
    return float(total / day["events_count"])


def trace_bytes() -> int:
    """Return the width of one trace row: every column of `trace.TRACE_SCHEMA` is of a fixed width."""
    return sum(_width(field.type) for field in trace.TRACE_SCHEMA) // 8


def _width(kind: Any) -> int:
    wide: int = kind.bit_width if not hasattr(kind, "list_size") else kind.list_size * kind.value_type.bit_width
    return wide


def tera(size_bytes: float) -> str:
    return f"{size_bytes / 1e12:,.2f} TB" if size_bytes >= 1e11 else giga(size_bytes)


if __name__ == "__main__":
    main()
