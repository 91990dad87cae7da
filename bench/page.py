"""Write docs/benchmark.md from the figures in docs/benchmark.json; nobody edits the page by hand.

.venv/bin/python bench/page.py                      the page again, from the kept figures
.venv/bin/python bench/page.py RESULT.json ...      new figures of bench/detection.py first
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "benchmark.json"
PAGE = ROOT / "docs" / "benchmark.md"

ACCOUNTS_RECALL_MIN, CALLS_RECALL_MIN, PURITY_MIN = 0.95, 0.90, 0.95
"""What the demo promises of a campaign; a figure below it gets a paragraph."""

BOUND_WANTED = 0.01
"""A class of which one account in a hundred might be accused has not been shown to be safe."""

PEAK_BYTES_MAX = 2_000_000_000
"""The ceiling that the product states for a log of any size."""

DECODE_RATIO_WANTED = 0.5
"""Above it reading would be half of the work, and little would be left to gain."""

Result = dict[str, Any]
"""What `bench/detection.py` wrote on one size."""

Found = dict[str, Any]
"""One hidden campaign's score, or a family in which its accounts were seen."""


def main(paths: Sequence[str]) -> None:
    if paths:
        results = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
        results.sort(key=lambda result: int(result["detect"]["events_count"]))
        FIGURES.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")


def page(results: Sequence[Result]) -> str:
    """Return the page on the given results, the smallest log first."""
    parts = [INTRODUCTION, _short(results), _asked(results)]
    for result in results:
        parts += [f"## {_name(result)}", _campaigns(result), _classes(result), _effort(result), _shortfalls(result)]
    return "\n\n".join([*parts, USED_FOR, READING, _again(results)]) + "\n"


INTRODUCTION = """\
# Benchmark

*Made by `bench/page.py` from `docs/benchmark.json`; a test compares the two. Edit neither by hand.*

Six kinds of campaigns hide in a simulated day, among honest accounts and the look-alikes that a detector must not
accuse. [The laboratory](lab.md) says what it simulates and what it does not. Detection ran once at each size, as a
user would run it, without a setting changed. These are results on simulated traffic: they say what the method can do
where its assumptions hold, not what it will do on a provider's log."""

USED_FOR = """\
## What was used for what

- **Calibration.** The shipped reference of honest families comes from worlds without campaigns, scenarios `quiet` and
  `bench`, seeds from 10000 on (`tools/fit_calibration.py`). No test, demo or benchmark draws those seeds.
- **Benchmark.** The seed above is drawn by nothing else.
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
    rows = [("", *(f"{_count(r['detect']['events_count'])} calls" for r in results))]
    rows += [
        ("campaigns found", *(_found(r) for r in results)),
        ("accounts of campaigns named", *(_percent(_recall(r, "accounts")) for r in results)),
        ("calls of campaigns named", *(_percent(_recall(r, "calls")) for r in results)),
        ("honest accounts named", *(_honest(r) for r in results)),
        ("... at most, with 95 % confidence", *(_percent(r["grade"]["honest"]["upper_bound"], 4) for r in results)),
        ("precision over accounts", *(_percent(r["grade"]["accounts_precision"]) for r in results)),
        ("B-cubed F over accounts", *(f"{r['grade']['b_cubed_f']:.3f}" for r in results)),
        ("accounts under watch, unnamed", *(_count(r["grade"]["watched_count"]) for r in results)),
        ("wall time", *(_seconds(r["detect"]["wall_seconds"]) for r in results)),
        ("calls a second, end to end", *(_count(_speed(r)) for r in results)),
        ("peak resident memory", *(_giga(r["detect"]["peak_bytes"]) for r in results)),
    ]
    return _table(rows)


def _asked(results: Sequence[Result]) -> str:
    rows = [("", *(f"{_count(r['calls_asked'])} calls asked for" for r in results))]
    machines = [r["machine"] for r in results]
    rows += [
        ("scenario, seed", *(f"`{r['scenario']}`, {r['seed']}" for r in results)),
        ("calls, accounts that called", *(_size(r["detect"]) for r in results)),
        ("log", *(f"{r['log']['files_count']} Parquet files, {_giga(r['log']['size_bytes'])}" for r in results)),
        ("Stillwatch, commit", *(_code(r["code"]) for r in results)),
        ("false-discovery rate", *(_percent(r["detect"]["fdr"]) for r in results)),
        ("calibration", *(_calibration(r["detect"]["calibration"]) for r in results)),
        ("processors, memory", *(f"{m['processors']}, {_giga(m['memory_bytes'])}" for m in machines)),
        ("system, Python", *(f"{m['system']}, {m['python']}" for m in machines)),
        ("libraries", *(", ".join(f"{n} {v}" for n, v in m["libraries"].items()) for m in machines)),
    ]
    return "## What was run\n\n" + _table(rows)


def _campaigns(result: Result) -> str:
    rows = [("hidden campaign", "accounts", "named", "calls", "named", "purity", "found")]
    rows += [
        (
            f"`{one['campaign']}`",
            _count(one["accounts_count"]),
            _percent(one["accounts_recall"]),
            _count(one["calls_count"]),
            _percent(one["calls_recall"]),
            _percent(one["purity"]) if one["found"] else "",
            "yes" if one["found"] else "**no**",
        )
        for one in result["grade"]["campaigns"]
    ]
    return _table(rows)


def _classes(result: Result) -> str:
    rows = [("honest class", "groups", "accounts", "named", "at most", "watched", "its groups were judged")]
    rows += [
        (
            each["name"],
            _count(each["groups_count"]) if each.get("groups_count") else "",
            _count(each["accounts_count"]),
            _count(each["named_count"]),
            _percent(each["upper_bound"], 3),
            _count(each["watched_count"]),
            ", ".join(f"{outcome} {count}" for outcome, count in each.get("judged", {}).items()),
        )
        for each in (*result["grade"]["classes"], result["grade"]["honest"])
    ]
    return _table(rows)


def _effort(result: Result) -> str:
    took, decoded = result["detect"], result["decode"]
    rows = [("stage", "seconds", "rows", "peak resident", "of it not files")]
    for stage in took["stages"]:
        name = stage["name"]
        peaks = (took["stage_peak_bytes"].get(name), took["stage_anonymous_bytes"].get(name))
        seen = (_giga(peak) if peak else "" for peak in peaks)
        rows.append((name, f"{stage['seconds']:,.1f}", _count(stage["rows"]), *seen))
    total = (f"{took['wall_seconds']:,.1f}", _count(took["events_count"]), _giga(took["peak_bytes"]), "")
    rows.append(("whole command", *total))
    rows.append(("decoding only", f"{decoded['wall_seconds']:,.1f}", "", _giga(decoded["peak_bytes"]), ""))
    said = (
        f"{_count(_speed(result))} calls a second end to end, {took['cpu_seconds']:,.0f} seconds of processor time; "
        f"the load was {took['load_before']:.1f} before. Decoding took {_percent(_ratio(result))} of the wall time and "
        f"{_percent(decoded['cpu_seconds'] / took['cpu_seconds'])} of the processor time."
    )
    hit = [f"`{each['bound']}` at {_count(each['value'])} ({each['note']})" for each in took["saturated"]]
    return _table(rows) + "\n\n" + said + (f" Bounds that were hit: {'; '.join(hit)}." if hit else "")


def _shortfalls(result: Result) -> str:
    said = [*_short_campaigns(result), *_short_classes(result), *_short_effort(result)]
    if not said:
        return "### What falls short\n\nNothing that this page has a limit for."
    return "\n\n".join(["### What falls short", *said])


def _short_campaigns(result: Result) -> Iterable[str]:
    ones = result["grade"]["campaigns"]
    families = dict(zip((one["campaign"] for one in ones), result["grade"]["campaign_families"], strict=True))
    for one in ones:
        mine = families[one["campaign"]]
        said = []
        if not one["found"]:
            said.append(_merged(one, ones, families) if one["reported_as"] else _missed(mine))
        elif one["accounts_recall"] < ACCOUNTS_RECALL_MIN or one["calls_recall"] < CALLS_RECALL_MIN:
            said.append(_partly(one, mine))
        if one["found"] and one["purity"] < PURITY_MIN:
            said.append(f"Purity is {_percent(one['purity'])}: its report names other accounts too.")
        if said:
            yield f"**`{one['campaign']}`.** {' '.join(said)}"


def _merged(one: Found, ones: Sequence[Found], families: dict[str, list[Found]]) -> str:
    others = [o["campaign"] for o in ones if o is not one and set(o["reported_as"]) & set(one["reported_as"])]
    said = (
        f"Not found as a campaign of its own, though {_percent(one['accounts_recall'])} of its accounts are named: the "
        f"report on them is mostly about {_listed(others) if others else 'other accounts'}. "
    )
    wide = [name for name in others if families[name] and _strangers(families[name][0])]
    if wide:
        strangers = _count(_strangers(families[wide[0]][0]))
        return said + (
            f"The best family of {_listed(wide[:1])} holds {strangers} accounts that are not its own: the prompts "
            "share wording, and a part of a family's core is enough to belong to it. A stricter core would keep them apart."
        )
    return said + "Families that share accounts are joined; a stricter join would keep them apart."


def _strangers(family: Found) -> int:
    return int(family["accounts_count"]) - int(family["own_accounts_count"])


def _missed(families: Sequence[Found]) -> str:
    if not families:
        return (
            "Not found: no family that the run lists consists of its accounts. Its prompts share too few words for the "
            "sketch, or too few of its accounts share them; a sketch that is kinder to variation would see more."
        )
    best = families[0]
    return (
        f"Not found. {_count(best['own_accounts_count'])} of its accounts were seen in a family of "
        f"{_count(best['accounts_count'])}, judged *{best['outcome']}*: {best['reason']}. What would turn it, in the "
        f"run's own words: {best['would_change']}."
    )


def _partly(one: Found, families: Sequence[Found]) -> str:
    shares = (_percent(one["accounts_recall"]), _percent(one["calls_recall"]))
    said = f"{shares[0]} of its accounts and {shares[1]} of its calls are named. "
    if not families:
        return said + "No single family holds its accounts; a sketch that is kinder to variation would find one."
    best = max(families, key=lambda family: int(family["own_calls_count"]))
    share = best["own_calls_count"] / one["calls_count"]
    said += f"Its largest family holds {_percent(best['own_accounts_count'] / one['accounts_count'])} of its accounts "
    said += f"and {_percent(share)} of its calls. "
    if share < CALLS_RECALL_MIN:
        return said + (
            "In the other calls the text that varies leaves too little of the template in the sketch, or the template "
            "is another. A larger sketch would cure the first."
        )
    return said + (
        "What is not named carries too little of the family's core, or was left out account by account. A wider core "
        "would cure the first, at the price of strangers in it, and a longer log the second."
    )


def _short_classes(result: Result) -> Iterable[str]:
    classes = result["grade"]["classes"]
    for each in classes:
        if each["named_count"]:
            share = f"{_count(each['named_count'])} of {_count(each['accounts_count'])}"
            yield (
                f"**{each['name']}.** {share} honest accounts were named, each a false accusation; the true share may "
                f"be {_percent(each['upper_bound'], 2)}. A person who looks at the calls before acting, as the report "
                "asks, is the only cure until the core of a family is drawn more narrowly."
            )
    wide = [each for each in classes if not each["named_count"] and each["upper_bound"] > BOUND_WANTED]
    if wide:
        needed = math.ceil(math.log(0.05) / math.log(1 - BOUND_WANTED))
        names = ", ".join(f"{each['name']} ({_count(each['accounts_count'])})" for each in wide)
        yield (
            f"**Classes too small to be sure of.** Nobody was named among {names}, and yet more than "
            f"{_percent(BOUND_WANTED)} of such accounts might be. It takes {_count(needed)} accounts without a mistake "
            "to say less. More worlds, under more seeds, would cure it."
        )
    few = [each["groups_count"] for each in classes if each["groups_count"]]
    if few:
        yield (
            f"**Few groups.** A class of look-alikes is {_range(few)} groups, and a group tends to be accused whole. "
            f"With nobody named, {_percent(1 - 0.05 ** (1 / max(few)), 0)} of such groups at best, and "
            f"{_percent(1 - 0.05 ** (1 / min(few)), 0)} at worst, might still be. Here too only more worlds help."
        )


def _short_effort(result: Result) -> Iterable[str]:
    took = result["detect"]
    if took["peak_bytes"] > PEAK_BYTES_MAX:
        worst = max(took["stage_peak_bytes"], key=lambda name: took["stage_peak_bytes"][name])
        yield (
            f"**Memory.** The peak of {_giga(took['peak_bytes'])}, in the stage *{worst}*, is over the ceiling of "
            f"{_giga(PEAK_BYTES_MAX)}. Holding less there at once, and more on disk, would cure it."
        )
    if _ratio(result) < DECODE_RATIO_WANTED:
        slowest = max(took["stages"], key=lambda stage: float(stage["seconds"]))
        share = slowest["seconds"] / took["wall_seconds"]
        yield (
            f"**Speed.** Decoding alone is {1 / _ratio(result):.1f} times as fast as the whole run. The stage "
            f"*{slowest['name']}* takes {_percent(share, 0)} of the time: were it free, the run would be "
            f"{1 / max(1 - share, 0.01):.1f} times as fast. More cores speed it up, most of all the stage *read*."
        )


def _again(results: Sequence[Result]) -> str:
    calls = " ".join(f"--calls {r['calls_asked']}" for r in results)
    files = " ".join(f"build/bench/{r['calls_asked']}.json" for r in results)
    size = max(r["log"]["size_bytes"] for r in results)
    return (
        "## Again\n\n```sh\n"
        f".venv/bin/python bench/detection.py {calls} --seed {results[0]['seed']}\n"
        f".venv/bin/python bench/page.py {files}\n```\n\n"
        "The same seed gives the same log, and the same log the same findings; times and memory are the machine's own. "
        f"Finished steps are kept in `build/bench` and not repeated. The largest log takes {_giga(size)} of disk, and "
        "the run some more while it lasts."
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def _name(result: Result) -> str:
    return f"{_count(result['calls_asked'])} calls"


def _recall(result: Result, what: str) -> float:
    ones = result["grade"]["campaigns"]
    named = sum(one[f"{what}_recall"] * one[f"{what}_count"] for one in ones)
    return float(named / max(sum(one[f"{what}_count"] for one in ones), 1))


def _found(result: Result) -> str:
    ones = result["grade"]["campaigns"]
    return f"{sum(one['found'] for one in ones)} of {len(ones)}"


def _honest(result: Result) -> str:
    honest = result["grade"]["honest"]
    return f"{_count(honest['named_count'])} of {_count(honest['accounts_count'])}"


def _speed(result: Result) -> float:
    return float(result["detect"]["events_count"] / result["detect"]["wall_seconds"])


def _ratio(result: Result) -> float:
    return float(result["decode"]["wall_seconds"] / result["detect"]["wall_seconds"])


def _size(took: dict[str, Any]) -> str:
    return f"{_count(took['events_count'])}, {_count(took['accounts_count'])}"


def _code(code: dict[str, Any]) -> str:
    return f"{code['tool_version']}, `{code['commit']}`" + (" with changes" if code["uncommitted"] else "")


def _calibration(calibration: dict[str, Any]) -> str:
    return f"`{calibration['ident']}`, {_count(calibration['families_count'])} families"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _range(counts: Sequence[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(counts[0])


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(share: float, digits: int = 1) -> str:
    """Return a share in percent, cut and not rounded up to 100 where something is missing."""
    shown = math.floor(share * 10 ** (digits + 2)) / 10**digits if 0.5 < share < 1.0 else share * 100
    return f"{shown:.{digits}f}".rstrip("0").rstrip(".") + " %"


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"


def _giga(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.2f} GB"


if __name__ == "__main__":
    main(sys.argv[1:])
