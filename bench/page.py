"""Write docs/benchmark.md from the figures in docs/benchmark.json; nobody edits the page by hand.

.venv/bin/python -m bench.page                     the page again, from the kept figures
.venv/bin/python -m bench.page RESULT.json ...     new figures of bench/detection.py first
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Result, count, decode_share, giga, paragraph, percent, recall, seconds, speed, table
from bench.panel import panel
from bench.shortfalls import of_effort, shortfalls

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "benchmark.json"
PAGE = ROOT / "docs" / "benchmark.md"


def main(paths: Sequence[str]) -> None:
    if paths:
        results = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
        results.sort(key=lambda result: (int(result["calls_asked"]), int(result["seed"])))
        FIGURES.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")


def page(results: Sequence[Result]) -> str:
    """Return the page on the given results. A size with several days is shown as a panel, else day by day."""
    sizes = sorted({int(result["calls_asked"]) for result in results})
    worlds = [[result for result in results if result["calls_asked"] == size] for size in sizes]
    days = [same[0] for same in worlds if len(same) == 1]
    panels = [same for same in worlds if len(same) > 1]
    parts = [INTRODUCTION, *([_short(days)] if days else []), _asked([*([day] for day in days), *panels])]
    for day in days:
        parts += [f"## {count(day['calls_asked'])} calls", _campaigns(day), _classes(day), _effort(day), _lacks(day)]
    parts += [panel(same) for same in panels]
    return "\n\n".join([*parts, USED_FOR, READING, _again(worlds)]) + "\n"


def effort(results: Sequence[Result]) -> str:
    """Return the section on speed and memory alone, for the page that the laboratory's benchmark makes."""
    sizes = sorted({int(result["calls_asked"]) for result in results})
    worlds = [[result for result in results if result["calls_asked"] == size] for size in sizes]
    days = [same[0] for same in worlds if len(same) == 1]
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
    return "\n\n".join([*parts, _again([[day] for day in days]).replace("## Again", "### Again")])


def _lacks(day: Result) -> str:
    said = shortfalls(day) or ["Nothing that this page has a limit for."]
    return "\n\n".join(["### What falls short", *map(paragraph, said)])


INTRODUCTION = """\
# Benchmark

*Made by `bench/page.py` from `docs/benchmark.json`; a test compares the two. Edit neither by hand.*

Six kinds of campaigns hide in a simulated day, among honest accounts and the look-alikes that a detector must not
accuse. [The laboratory](lab.md) says what it simulates and what it does not. Detection ran as a user would run it,
without a setting changed. These are results on simulated traffic: they say what the method can do where its
assumptions hold, not what it will do on a provider's log."""

USED_FOR = """\
## What was used for what

- **Calibration.** The shipped reference of honest families comes from worlds without campaigns, scenarios `quiet` and
  `bench`, seeds from 10000 on (`tools/fit_calibration.py`). No test, demo or benchmark draws those seeds.
- **Benchmark.** The seeds above are drawn by no test, demo or calibration. They are not blind, though: earlier
  versions were measured on them, and what those missed was read before the detector was improved.
- **The lexicon of extraction phrases is not held out.** It was extended after reading the laboratory's grammar, so
  the wording of these campaigns is known to the detector. Campaigns worded otherwise will score lower on
  `extraction-intent`, and the recall here is an upper estimate in that respect.
- **The scenarios are not held out either.** The look-alikes and campaigns are the kinds that the detector was developed
  with, though prompts, accounts and times are drawn anew from the seed. Nothing here measures a kind that nobody
  thought of."""

READING = """\
## How to read the tables

- A hidden campaign is *found* when some reported campaign consists mostly of its accounts. *Purity* is the share of
  its own accounts in those. A campaign that is named under another's report is not found, even where every account is.
- Honest classes count the accounts that made a call. *At most* is the exact one-sided 95 % bound of Clopper and
  Pearson on the share of accounts named. It takes accounts for independent, which holds for the population and not for
  look-alikes: a class room is accused as a whole or not at all. So the number of *groups* stands beside it, and with
  nobody named in g of them the bound on the share of groups is 1 − 0.05^(1/g).
- *Decoding* reads the same columns of the same files with the same library and threads, and throws them away.
- Wall time varies with what else the machine does (its load before the run is given); processor time varies less.
  Files were in the page cache where they fit. Kernels were compiled before; the first run on a machine takes some
  seconds more."""


def _short(results: Sequence[Result]) -> str:
    rows = [("", *(f"{count(r['detect']['events_count'])} calls" for r in results))]
    rows += [
        ("campaigns found", *(_found(r) for r in results)),
        ("accounts of campaigns named", *(percent(recall(r, "accounts")) for r in results)),
        ("calls of campaigns named", *(percent(recall(r, "calls")) for r in results)),
        ("honest accounts named", *(_honest(r) for r in results)),
        ("... at most, with 95 % confidence", *(percent(r["grade"]["honest"]["upper_bound"], 4) for r in results)),
        ("precision over accounts", *(percent(r["grade"]["accounts_precision"]) for r in results)),
        ("B-cubed F over accounts", *(f"{r['grade']['b_cubed_f']:.3f}" for r in results)),
        ("accounts under watch, unnamed", *(count(r["grade"]["watched_count"]) for r in results)),
        ("wall time", *(seconds(r["detect"]["wall_seconds"]) for r in results)),
        ("calls a second, end to end", *(count(speed(r)) for r in results)),
        ("peak resident memory", *(giga(r["detect"]["peak_bytes"]) for r in results)),
    ]
    return table(rows)


def _asked(worlds: Sequence[Sequence[Result]]) -> str:
    firsts = [same[0] for same in worlds]
    machines = [r["machine"] for r in firsts]
    rows = [
        ("", *(f"{count(r['calls_asked'])} calls asked for" for r in firsts)),
        ("scenario, seed", *(f"`{same[0]['scenario']}`, {_seeds(same)}" for same in worlds)),
        ("calls, accounts that called", *(_size(r["detect"]) for r in firsts)),
        ("Parquet files, size", *(f"{r['log']['files_count']}, {giga(r['log']['size_bytes'])}" for r in firsts)),
        ("Stillwatch, commit", *(_code(r["code"]) for r in firsts)),
        ("false-discovery rate", *(percent(r["detect"]["fdr"]) for r in firsts)),
        ("calibration", *(_calibration(r["detect"]["calibration"]) for r in firsts)),
        ("processors, memory", *(f"{m['processors']}, {giga(m['memory_bytes'])}" for m in machines)),
        ("system, Python", *(f"{m['system']}, {m['python']}" for m in machines)),
        ("libraries", *(", ".join(f"{n} {v}" for n, v in m["libraries"].items()) for m in machines)),
    ]
    return (
        "## What was run\n\n" + table(rows) + "\n\nWhere a column stands for several days, its sizes are the first's."
    )


def _seeds(same: Sequence[Result]) -> str:
    return str(same[0]["seed"]) if len(same) == 1 else f"{same[0]['seed']} to {same[-1]['seed']}"


def _campaigns(result: Result) -> str:
    rows = [("hidden campaign", "accounts", "named", "calls", "named", "purity", "found")]
    rows += [
        (
            f"`{one['campaign']}`",
            count(one["accounts_count"]),
            percent(one["accounts_recall"]),
            count(one["calls_count"]),
            percent(one["calls_recall"]),
            percent(one["purity"]) if one["found"] else "",
            "yes" if one["found"] else "**no**",
        )
        for one in result["grade"]["campaigns"]
    ]
    return table(rows)


def _classes(result: Result) -> str:
    rows = [("honest class", "groups", "accounts", "named", "at most", "watched", "its groups were judged")]
    rows += [
        (
            each["name"],
            count(each["groups_count"]) if each.get("groups_count") else "",
            count(each["accounts_count"]),
            count(each["named_count"]),
            percent(each["upper_bound"], 3),
            count(each["watched_count"]),
            ", ".join(f"{outcome} {count}" for outcome, count in each.get("judged", {}).items()),
        )
        for each in (*result["grade"]["classes"], result["grade"]["honest"])
    ]
    return table(rows)


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


def _again(worlds: Sequence[Sequence[Result]]) -> str:
    commands = "".join(
        f".venv/bin/python bench/detection.py --calls {same[0]['calls_asked']} --seed {same[0]['seed']}"
        + (f" --worlds {len(same)} --discard" if len(same) > 1 else "")
        + "\n"
        for same in worlds
    )
    size = max(same[0]["log"]["size_bytes"] for same in worlds)
    told = (
        "The same seed gives the same log, and the same log the same findings; times and memory are the machine's own. "
        f"Finished steps are kept in `build/bench` and not repeated. The largest log takes {giga(size)} of disk, and "
        "the run more than twice as much while it lasts."
    )
    block = f"```sh\n{commands}.venv/bin/python -m bench.page build/bench/*.json\n```"
    return "\n\n".join(["## Again", block, paragraph(told)])


def _found(result: Result) -> str:
    ones = result["grade"]["campaigns"]
    return f"{sum(one['found'] for one in ones)} of {len(ones)}"


def _honest(result: Result) -> str:
    honest = result["grade"]["honest"]
    return f"{count(honest['named_count'])} of {count(honest['accounts_count'])}"


def _size(took: dict[str, Any]) -> str:
    return f"{count(took['events_count'])}, {count(took['accounts_count'])}"


def _code(code: dict[str, Any]) -> str:
    return f"{code['tool_version']}, `{code['commit']}`" + (" with changes" if code["uncommitted"] else "")


def _calibration(calibration: dict[str, Any]) -> str:
    return f"`{calibration['ident']}`, {count(calibration['families_count'])} families"


if __name__ == "__main__":
    main(sys.argv[1:])
