"""docs/benchmark.md from the results: tables of figures, what falls short of what was promised, and how it was done."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from stillwatch.lab.baselines.registry import BASELINES
from stillwatch.lab.benchmark.delay import LOOKS_MAX
from stillwatch.lab.benchmark.figures import NONE, count, number, paragraph, percent, small, table
from stillwatch.lab.benchmark.sections import opponents, special_cases
from stillwatch.lab.benchmark.targets import Target, beaten, targets

Found = dict[str, Any]

PARTLY = 0.95
"""A campaign is found where most of a report is its; below this much of it, what is missing is said."""

CHARTS = "images/benchmark"
"""Where the page, in docs/, looks for its charts."""


def page(results: Path, effort: str = "") -> str:
    """Return the page; `effort` is the section on speed and memory, which another program measures."""
    found = json.loads(results.read_text(encoding="utf-8"))
    summed, promised = found["summary"], targets(found)
    parts = [_introduction(found), _promises(promised), _shortfalls(promised, found)]
    if summed["scenarios"]:
        parts += [_scenarios(summed["scenarios"], found), *special_cases(summed["scenarios"])]
        parts.append(_delays(summed["scenarios"]))
    if summed["rivals"]:
        parts.append(_rivals(summed["rivals"]))
    if summed["classes"]:
        parts.append(_honest(summed))
    if summed["power"]:
        parts.append(_power(summed["power"]))
    if summed["opponents"]:
        parts.append(opponents(summed["opponents"]))
    parts += [effort] if effort else []
    return "\n\n".join([*parts, _tuning(), READING]) + "\n"


def _introduction(found: Found) -> str:
    summed = found["summary"]
    first, last = summed["seeds"]
    told = (
        f"This is the profile `{found['profile']}`: {count(summed['tasks_count'])} worlds and games under seeds "
        f"{first} to {last}, {count(summed['seconds'] / 60)} minutes of tasks, by the version "
        f"`{found['detector']}`. [The laboratory](lab.md) says what is simulated and what is not. These are results on "
        "simulated traffic: they say what the method can do where its assumptions hold, not what it will do on a "
        "provider's log."
    )
    chosen = ", ".join(f"`{name}`" for name in found["chosen_on"]) or "none"
    held = (
        f"Scenarios that thresholds or wordings were chosen on, or whose kinds the shipped calibration was fitted on: "
        f"{chosen}, and the small worlds without campaigns. They are marked with \\* and prove less than the others, "
        "which are held out in wording and seeds. Under other seeds they were looked at while the detector grew: "
        "[the method](method.md) says when and at which. The calibration is fitted under seeds from 10000 on; no test, "
        "demo or calibration draws the seeds above."
    )
    made = "*Made from the benchmark's results; edit neither by hand.*"
    return "\n\n".join(["# Benchmark", made, paragraph(told), paragraph(held)])


def _promises(promised: Sequence[Target]) -> str:
    rows = [("promise", "target", "measured", "missed by", "what would cure it")]
    for one in promised:
        sign = "at least" if one.at_least else "at most"
        missed = "not measured" if one.measured is None else _missed(one) if one.missed_by else "met"
        cure = one.cure if one.missed_by else ""
        rows.append((one.name, f"{sign} {_figure(one.limit, one)}", _figure(one.measured, one), missed, cure))
    told = "Evasions 3 and 10 have no target: what they cost is said below."
    return "\n\n".join(["## Promised and measured", table(rows, texts=(0, 4)), told])


def _missed(one: Target) -> str:
    return "never seen" if one.missed_by == math.inf else _figure(one.missed_by, one)


def _figure(value: float | None, one: Target) -> str:
    if one.share:
        return small(value) if one.limit < 0.005 else percent(value)
    if value == math.inf:
        return "never"
    return count(value) if one.limit > 100 else number(value)


def _shortfalls(promised: Sequence[Target], found: Found) -> str:
    summed = found["summary"]
    missed = [row for row in summed["scenarios"] if row["found_count"] < row["campaigns_count"]]
    blind = [row for row in missed if _is_blind(row, found)]
    said = [
        f"**`{row['scenario']}`.** {row['campaigns_count'] - row['found_count']} of {row['campaigns_count']} campaigns "
        f"were not found; {percent(row['accounts_recall'])} of the accounts and {percent(row['calls_recall'])} of the "
        "calls were named."
        for row in missed
        if row not in blind
    ]
    if blind:
        names = ", ".join(f"`{row['scenario']}`" for row in blind)
        said.append(f"**Not found, and not expected to be:** {names}. Single calls there are ordinary people's.")
    partly = [row for row in summed["scenarios"] if row not in missed and (row["accounts_recall"] or 1.0) < PARTLY]
    if partly:
        names = ", ".join(f"`{row['scenario']}` ({percent(row['accounts_recall'])})" for row in partly)
        said.append(f"**Found, with less than {percent(PARTLY)} of the accounts named:** {names}.")
    accused = [row for row in summed["classes"] if row["named_count"] and not row["name"].startswith("all ")]
    said += [
        f"**{row['name']}.** {count(row['named_count'])} of {count(row['accounts_count'])} honest accounts were named, "
        f"each a false accusation; the true share may be {small(row['upper_bound'])}."
        for row in accused
    ]
    unmeasured = [one.name for one in promised if one.measured is None]
    if unmeasured:
        said.append(f"**Not measured by this plan:** {'; '.join(unmeasured)}.")
    return "\n\n".join(["## What falls short", *map(paragraph, said or ["Nothing beside the table above."])])


def _is_blind(row: Found, found: Found) -> bool:
    return bool(found["blind"]) and str(row["scenario"]).startswith(tuple(found["blind"]))


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
        if not row["campaigns_count"]:
            continue
        mark = "\\*" if row["scenario"] in found["chosen_on"] else ""
        mark += " (blind)" if _is_blind(row, found) else ""
        lines.append(
            (
                f"`{row['scenario']}`{mark}",
                number(row["scale"], 2),
                f"{row['found_count']} of {row['campaigns_count']}",
                count(row["accounts_count"]),
                percent(row["accounts_recall"]),
                percent(row["accounts_precision"]) if row["accounts_recall"] or row["collateral_count"] else NONE,
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
        f"hour, those of campaigns never seen left out. After {LOOKS_MAX} looks the earliest hour known stands. These "
        "worlds are days cut from campaigns of weeks, so that shares are of those days."
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
        f"Over all {count(every['worlds_count'])} worlds {count(every['false_count'])} of "
        f"{count(every['reported_count'])} reported campaigns were mostly honest accounts."
    )
    if null["worlds_count"]:
        told = (
            f"In {count(null['worlds_count'])} worlds without a campaign, of {count(null['accounts_count'])} honest "
            f"accounts, {count(null['worlds_with_report_count'])} had a report: a realised false-discovery rate of "
            f"{percent(null['realised_rate'])}, at most {small(null['upper_bound'])} with 95 % confidence, where 5 % "
            f"is stated. {told}"
        )
    chart = f"![False accusations by class]({CHARTS}/false-accusations.svg)"
    return "\n\n".join(["## Who was accused wrongly", table(lines), chart, paragraph(told)])


def _power(rows: Sequence[Found]) -> str:
    stated = any(row["stated_half"] for row in rows)
    lines = [("accounts in the pool", "calls", "found", "accounts named")]
    lines += [
        (
            count(row["accounts"]),
            count(row["calls_count"]),
            f"{row['found_count']} of {row['worlds_count']}",
            percent(row["accounts_recall"]),
        )
        for row in rows
    ]
    told = f"The campaign of `{rows[0]['scenario']}` alone, of more and more accounts, in the same honest traffic."
    if stated:
        half, most = (count(_median_of(rows, key)) for key in ("stated_half", "stated_most"))
        told += (
            f" The runs themselves said that they would find an even pool of {half} accounts one time in two, and of "
            f"{most} in 19 of 20 (medians), at fewer calls an account: what is realised should be no less."
        )
    chart = f"![Found, by the number of accounts]({CHARTS}/power-against-pool-size.svg)"
    return "\n\n".join(["## Power, by size of the pool", paragraph(told), table(lines), chart])


def _median_of(rows: Sequence[Found], key: str) -> float | None:
    known = [float(row[key]) for row in rows if row[key] is not None]
    return median(known) if known else None


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

- A hidden campaign is *found* when some reported campaign consists mostly of its accounts, or, where only slices of
  accounts are reported, mostly of its calls. *Precision* is over named
  accounts, *B³ F* over accounts that either side puts in a campaign. *Collateral* is honest accounts in the reports on
  it, *its calls* reported calls that are no campaign's.
- Honest classes count accounts that made a call. *At most* is the exact one-sided 95 % bound of Clopper and Pearson. It
  takes accounts for independent, which holds for the population and not for look-alikes: a class room is accused as a
  whole or not at all, so that the bound on a class says less than its number of accounts suggests.
- A scale below 1 is a smaller world with smaller groups; published volumes belong to scale 1.
- The same version, seed and scale give the same figures, times excepted."""
