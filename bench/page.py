"""Write docs/benchmark.md and its charts from the figures kept beside it; nobody edits the page by hand.

.venv/bin/python -m bench.page                                   the page again, from the kept figures
.venv/bin/python -m bench.page --quality build/benchmark/full/results.json
.venv/bin/python -m bench.page --speed build/bench/*.json        new figures of bench/detection.py first
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Result, decode_share, giga, seconds, speed
from bench.scale_page import section
from stillwatch.lab.benchmark.charts import write_charts
from stillwatch.lab.benchmark.figures import count, paragraph, percent, table
from stillwatch.lab.benchmark.page import page

ROOT = Path(__file__).resolve().parent.parent
SPEED = ROOT / "docs" / "benchmark-speed.json"
QUALITY = ROOT / "docs" / "benchmark.json"
PAGE = ROOT / "docs" / "benchmark.md"
CHARTS = ROOT / "docs" / "images" / "benchmark"

PEAK_BYTES_MAX = 2_000_000_000
"""The ceiling that the product states for a log of any size."""

DECODE_SHARE_WANTED = 0.5
"""Above it reading would be half of the work, and little would be left to gain."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quality", type=Path, help="results.json of a finished benchmark")
    options.add_argument("--speed", type=Path, nargs="+", help="results of bench/detection.py")
    asked = options.parse_args()
    if asked.quality:
        found = json.loads(asked.quality.read_text(encoding="utf-8"))
        kept = {key: value for key, value in found.items() if key != "tasks"}
        QUALITY.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if asked.speed:
        results = [json.loads(path.read_text(encoding="utf-8")) for path in asked.speed]
        results.sort(key=lambda result: int(result["calls_asked"]))
        SPEED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(whole(), encoding="utf-8")
    write_charts(QUALITY, CHARTS)
    print(f"{PAGE.relative_to(ROOT)} is written")


def whole() -> str:
    """Return the page, made of the kept figures."""
    return page(QUALITY, of_speed())


def of_speed() -> str:
    """Return what is said of speed and memory: stage by stage, beside others, and as the log grows."""
    return effort(json.loads(SPEED.read_text(encoding="utf-8"))) + "\n\n" + section()


def effort(days: Sequence[Result]) -> str:
    """Return the section on speed and memory."""
    rows = [("", *(f"{count(day['detect']['events_count'])} calls" for day in days))]
    rows += [
        ("wall time", *(seconds(day["detect"]["wall_seconds"]) for day in days)),
        ("calls a second, end to end", *(count(speed(day)) for day in days)),
        ("peak resident memory", *(giga(day["detect"]["peak_bytes"]) for day in days)),
        ("Parquet files, size", *(f"{day['log']['files_count']}, {giga(day['log']['size_bytes'])}" for day in days)),
        (
            "processors, memory",
            *(f"{m['processors']}, {giga(m['memory_bytes'])}" for m in (d["machine"] for d in days)),
        ),
        ("Stillwatch, commit", *(_code(day["code"]) for day in days)),
    ]
    parts = ["## Speed and memory", table(rows)]
    for day in days:
        parts += [f"### {count(day['calls_asked'])} calls", _effort(day), *map(paragraph, of_effort(day))]
    return "\n\n".join([*parts, _again(days)])


def _effort(result: Result) -> str:
    took, decoded = result["detect"], result["decode"]
    rows = [("stage", "seconds", "rows", "peak resident", "of it not files")]
    for stage in took["stages"]:
        name = stage["name"]
        peaks = (took["stage_peak_bytes"].get(name), took["stage_anonymous_bytes"].get(name))
        seen = (giga(peak) if peak else "" for peak in peaks)
        rows.append((name, f"{stage['seconds']:,.1f}", count(stage["rows"]), *seen))
    total = (f"{took['wall_seconds']:,.1f}", count(took["events_count"]), giga(took["peak_bytes"]), "")
    rows.append(("whole command", *total))
    rows.append(("decoding only", f"{decoded['wall_seconds']:,.1f}", "", giga(decoded["peak_bytes"]), ""))
    said = (
        f"{count(speed(result))} calls a second end to end, {took['cpu_seconds']:,.0f} seconds of processor time; "
        f"the load was {took['load_before']:.1f} before. Decoding took {percent(decode_share(result))} of the wall "
        f"time and {percent(decoded['cpu_seconds'] / took['cpu_seconds'])} of the processor time."
    )
    hit = [f"`{each['bound']}` at {count(each['value'])} ({each['note']})" for each in took["saturated"]]
    return table(rows) + "\n\n" + paragraph(said + (f" Bounds that were hit: {'; '.join(hit)}." if hit else ""))


def of_effort(result: Result) -> Iterable[str]:
    """Yield a paragraph where a run took more memory, or more time beside decoding, than was wanted."""
    took = result["detect"]
    if took["peak_bytes"] > PEAK_BYTES_MAX:
        worst = max(took["stage_peak_bytes"], key=lambda name: took["stage_peak_bytes"][name])
        yield (
            f"**Memory.** The peak of {giga(took['peak_bytes'])}, in the stage *{worst}*, is over the ceiling of "
            f"{giga(PEAK_BYTES_MAX)}. Holding less there at once, and more on disk, would cure it."
        )
    if decode_share(result) < DECODE_SHARE_WANTED:
        slowest = max(took["stages"], key=lambda stage: float(stage["seconds"]))
        share = slowest["seconds"] / took["wall_seconds"]
        yield (
            f"**Speed.** Decoding alone is {1 / decode_share(result):.1f} times as fast as the whole run. The stage "
            f"*{slowest['name']}* takes {percent(share, 0)} of the time: were it free, the run would be "
            f"{1 / max(1 - share, 0.01):.1f} times as fast."
        )


def _again(days: Sequence[Result]) -> str:
    commands = "".join(
        f".venv/bin/python bench/detection.py --calls {day['calls_asked']} --seed {day['seed']}\n" for day in days
    )
    size = max(day["log"]["size_bytes"] for day in days)
    told = (
        "The same seed gives the same log, and the same log the same findings; times and memory are the machine's own. "
        "*Decoding* reads the same columns of the same files with the same library and threads, and throws them away. "
        f"Finished steps are kept in `build/bench` and not repeated. The largest log takes {giga(size)} of disk, and "
        "the run more than twice as much while it lasts."
    )
    block = f"```sh\nmake bench\n{commands}```"
    return "\n\n".join(["### Again", block, paragraph(told)])


def _code(code: dict[str, Any]) -> str:
    return f"{code['tool_version']}, `{code['commit']}`" + (" with changes" if code["uncommitted"] else "")


if __name__ == "__main__":
    main()
