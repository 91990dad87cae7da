"""docs/benchmark.md from the results: tables of figures, what falls short of what was promised, and how it was done."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.lab.baselines.registry import BASELINES
from stillwatch.lab.benchmark.figures import NONE, count, number, paragraph, percent, small, table
from stillwatch.lab.benchmark.targets import Target, beaten, targets

Found = dict[str, Any]

CHARTS = "images/benchmark"
"""Where the page, in docs/, looks for its charts."""


def page(results: Path, effort: str = "") -> str:
    """Return the page; `effort` is the section on speed and memory, which another program measures."""
    found = json.loads(results.read_text(encoding="utf-8"))
    summed, promised = found["summary"], targets(found)
    parts = [_introduction(found), _promises(promised), _shortfalls(promised, summed)]
    if summed["scenarios"]:
        parts += [_scenarios(summed["scenarios"], found), _delays(summed["scenarios"])]
    if summed["rivals"]:
        parts.append(_rivals(summed["rivals"]))
    if summed["classes"]:
        parts.append(_honest(summed))
    if summed["power"]:
        parts.append(_power(summed["power"]))
    if summed["opponents"]:
        parts.append(_opponents(summed["opponents"]))
    parts += [effort] if effort else []
    return "\n\n".join([*parts, _tuning(), READING]) + "\n"


def _introduction(found: Found) -> str:
    seeds = [task["task"]["seed"] for task in found["tasks"]]
    told = (
        f"This is the profile `{found['profile']}`: {count(len(seeds))} worlds and games under seeds {min(seeds)} to "
        f"{max(seeds)}, by the version `{found['detector']}`. [The laboratory](lab.md) says what is simulated and what "
        "is not. These are results on simulated traffic: they say what the method can do where its assumptions hold, "
        "not what it will do on a provider's log."
    )
    chosen = ", ".join(f"`{name}`" for name in found["chosen_on"]) or "none"
    held = (
        f"Scenarios that thresholds or wordings were chosen on: {chosen}. Their rows are marked with \\* and prove "
        "less than the others. Seeds are drawn by no test, demo or calibration."
    )
    made = "*Made from `results.json` by the benchmark; edit neither by hand.*"
    return "\n\n".join(["# Benchmark", made, paragraph(told), paragraph(held)])


def _promises(promised: Sequence[Target]) -> str:
    rows = [("promise", "target", "measured", "missed by")]
    for one in promised:
        sign = "at least" if one.at_least else "at most"
        missed = "not measured" if one.measured is None else _figure(one.missed_by, one) if one.missed_by else "met"
        rows.append((one.name, f"{sign} {_figure(one.limit, one)}", _figure(one.measured, one), missed))
    return "## Promised and measured\n\n" + table(rows)


def _figure(value: float | None, one: Target) -> str:
    if not one.share:
        return number(value)
    return small(value) if one.limit < 0.005 else percent(value)


def _shortfalls(promised: Sequence[Target], summed: Found) -> str:
    said = [
        f"**Promised: {one.name.removeprefix('... ')}.** {_figure(one.measured, one)}, missed by "
        f"{_figure(one.missed_by, one)}. What would cure it: {one.cure}."
        for one in promised
        if one.missed_by
    ]
    for row in summed["scenarios"]:
        if row["found_count"] < row["campaigns_count"]:
            lost = row["campaigns_count"] - row["found_count"]
            said.append(f"**`{row['scenario']}`.** {lost} of {row['campaigns_count']} campaigns were not found.")
    said += [
        f"**A pool of {count(row['accounts'])} in `{row['scenario']}`** was found in {row['found_count']} of "
        f"{row['worlds_count']} worlds."
        for row in summed["power"]
        if row["found_count"] < row["worlds_count"]
    ]
    unmeasured = [one.name.removeprefix("... ") for one in promised if one.measured is None]
    if unmeasured:
        said.append(f"**Not measured by this plan:** {'; '.join(unmeasured)}.")
    return "\n\n".join(["## What falls short", *map(paragraph, said or ["Nothing that was promised and measured."])])


def _scenarios(rows: Sequence[Found], found: Found) -> str:
    lines = [
        (
            "scenario",
            "scale",
            "found",
            "accounts",
            "named",
            "precision",
            "B³ F",
            "calls named",
            "collateral",
            "its calls",
        )
    ]
    for row in rows:
        mark = "\\*" if row["scenario"] in found["chosen_on"] else ""
        mark += " (blind)" if found["blind"] and row["scenario"].startswith(tuple(found["blind"])) else ""
        lines.append(
            (
                f"`{row['scenario']}`{mark}",
                number(row["scale"], 2),
                f"{row['found_count']} of {row['campaigns_count']}",
                count(row["accounts_count"]),
                percent(row["accounts_recall"]),
                percent(row["accounts_precision"]),
                number(row["b_cubed_f"], 3),
                percent(row["calls_recall"]),
                count(row["collateral_count"]),
                count(row["collateral_calls_count"]),
            )
        )
    return "## Campaigns, by scenario\n\n" + table(lines)


def _delays(rows: Sequence[Found]) -> str:
    timed = [row for row in rows if row["timed_count"]]
    if not timed:
        return "## What leaked\n\nNot measured by this plan."
    lines = [("scenario", "seen", "leaked, median", "worst", "calls leaked, median", "hours, median", "worst")]
    lines += [
        (
            f"`{row['scenario']}`",
            f"{row['seen_count']} of {row['timed_count']}",
            percent(row["leaked_share"]),
            percent(row["leaked_share_worst"]),
            count(row["leaked_count"]),
            number(row["hours"]),
            number(row["hours_worst"]),
        )
        for row in timed
    ]
    told = (
        "The detector runs on the log as it stood at the end of earlier hours. A campaign is *seen* once one reported "
        "campaign names half of its accounts active so far and nine of ten of its accounts are the campaign's. What it "
        "sent before is leaked; what was never seen leaked whole. Hours count from its first call to the end of the "
        "hour, those of campaigns never seen left out."
    )
    chart = f"![Accounts named against calls leaked]({CHARTS}/recall-against-leak.svg)"
    return "\n\n".join(["## What leaked before detection", paragraph(told), table(lines), chart])


def _rivals(rows: Sequence[Found]) -> str:
    """Return two matrices, scenario by method: recall at the detector's false rate, and at each one's best F."""
    names = {each.IDENT: each.TITLE for each in BASELINES}
    idents = list(dict.fromkeys(row["ident"] for row in rows))
    parts = ["## Side by side"]
    told = (
        "Accounts named, in the same run on the same events. First at the same rate of false accusations: as many "
        "honest accounts may be named as the 95 % bound on the detector's own rate allows. Then at each baseline's own "
        "best threshold, which was chosen with the truth in hand, with the share of honest accounts that it names "
        "there. **Bold** where the detector is not ahead."
    )
    parts.append(paragraph(told))
    for title, key in (("At the detector's rate", "recall_at_rate"), ("At their own best F", "best_recall")):
        lines = [("scenario", "detector", *(names.get(ident, ident) for ident in idents))]
        for scenario in dict.fromkeys(row["scenario"] for row in rows):
            mine = {row["ident"]: row for row in rows if row["scenario"] == scenario}
            own = percent(next(iter(mine.values()))["detector_recall"])
            lines.append((f"`{scenario}`", own, *(_rival(mine.get(ident), key) for ident in idents)))
        parts += [f"### {title}", table(lines)]
    return "\n\n".join(parts)


def _rival(row: Found | None, key: str) -> str:
    if row is None:
        return NONE
    shown = percent(row[key]) + (f" ({percent(row['best_false_rate'])})" if key == "best_recall" else "")
    return shown if beaten(row, key) else f"**{shown}**"


def _honest(summed: Found) -> str:
    lines = [("honest class", "accounts that called", "named", "at most", "watched")]
    lines += [
        (
            row["name"],
            count(row["accounts_count"]),
            count(row["named_count"]),
            small(row["upper_bound"]),
            count(row["watched_count"]),
        )
        for row in summed["classes"]
    ]
    null, every = summed["null"], summed["discoveries"]
    told = (
        f"In {count(null['worlds_count'])} worlds without a campaign, of {count(null['accounts_count'])} honest "
        f"accounts, {count(null['worlds_with_report_count'])} had a report: a realised false-discovery rate of "
        f"{percent(null['realised_rate'])}, at most {small(null['upper_bound'])} with 95 % confidence, where 5 % is "
        f"stated. Over all {count(every['worlds_count'])} worlds {count(every['false_count'])} of "
        f"{count(every['reported_count'])} reported campaigns were mostly honest accounts."
    )
    chart = f"![False accusations by class]({CHARTS}/false-accusations.svg)"
    return "\n\n".join(["## Who was accused wrongly", table(lines), chart, paragraph(told)])


def _power(rows: Sequence[Found]) -> str:
    lines = [("scenario, accounts in the pool", "calls", "found", "accounts named")]
    lines += [
        (
            f"`{row['scenario']}`, {count(row['accounts'])}",
            count(row["calls_count"]),
            f"{row['found_count']} of {row['worlds_count']}",
            percent(row["accounts_recall"]),
        )
        for row in rows
    ]
    told = "One campaign alone, of more and more accounts, in the same honest traffic."
    chart = f"![Found, by the number of accounts]({CHARTS}/power-against-pool-size.svg)"
    return "\n\n".join(["## Power, by size of the pool", told, table(lines), chart])


def _opponents(rows: Sequence[Found]) -> str:
    lines = [("strategy", "against", "calls obtained", "accounts lost", "calls an account lost")]
    for row in rows:
        lost = row["accounts_lost"]
        each = count(row["calls_obtained"] / lost) if lost else "none lost"
        lines.append((str(row["strategy"]), str(row["against"]), count(row["calls_obtained"]), count(lost), each))
    return "## Against an opponent who adapts\n\n" + table(lines)


def _tuning() -> str:
    parts = ["## How the baselines were set"]
    for each in BASELINES:
        text = str(getattr(each, "__doc__", ""))
        source, parameters = (_label(text, label) for label in ("Source", "Parameters"))
        parts.append(paragraph(f"**{each.TITLE}** (`{each.IDENT}`). {source} Set as follows: {parameters}"))
    return "\n\n".join(parts)


def _label(docstring: str, label: str) -> str:
    """Return what a docstring says under a label."""
    found = re.search(rf"^{label}:(.*?)(?=^\w+:|\Z)", docstring, flags=re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""


READING = """\
## How to read the tables

- A hidden campaign is *found* when some reported campaign consists mostly of its accounts. *Precision* is over named
  accounts, *B³ F* over accounts that either side puts in a campaign. *Collateral* is honest accounts in the reports on
  it, *its calls* reported calls that are no campaign's.
- Honest classes count accounts that made a call. *At most* is the exact one-sided 95 % bound of Clopper and Pearson. It
  takes accounts for independent, which holds for the population and not for look-alikes: a class room is accused as a
  whole or not at all.
- A scale below 1 is a smaller world with smaller groups; published volumes belong to scale 1.
- The same version, seed and scale give the same figures, times excepted."""
