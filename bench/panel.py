"""Several days of one size under different seeds: how much a result hangs on the prompts that a seed draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from bench.figures import Found, Result, count, giga, kind, paragraph, percent, speed, table
from bench.shortfalls import CALLS_RECALL_MIN, of_classes
from stillwatch.lab.score import upper_bound

Scores = dict[str, list[tuple[Found, list[Found]]]]
"""For each kind of campaign, every hidden one's score with the families in which it was seen."""

USUAL_CALLS = 2_000_000
"""The size at which the scenario's groups are as large as the laboratory's page says."""


def panel(days: Sequence[Result]) -> str:
    """Return the section on days of one size."""
    seeds = f"{days[0]['seed']} to {days[-1]['seed']}"
    scores = _by_kind(days)
    classes = _pooled(days)
    precision = min(day["grade"]["accounts_precision"] for day in days)
    share = percent(days[0]["calls_asked"] / USUAL_CALLS, 0)
    peak = max(day["detect"]["peak_bytes"] for day in days)
    said = (
        f"A campaign draws its prompt from the seed, so that one day is one draw of each. These are seeds {seeds}; "
        f"groups shrink with the day, to {share} of the sizes in [the laboratory's page](lab.md). Precision over "
        f"accounts was {percent(precision)} on the worst day, the median speed "
        f"{count(median(speed(day) for day in days))} calls a second, the highest peak of memory {giga(peak)}."
    )
    lacks = [*_lacks(scores), *of_classes(classes[:-1])]
    tables = (_campaigns(scores), _classes(classes))
    title = f"## {len(days)} days of {count(days[0]['calls_asked'])} calls"
    return "\n\n".join([title, paragraph(said), *tables, "### What falls short", *map(paragraph, lacks)])


def _by_kind(days: Sequence[Result]) -> Scores:
    scores: Scores = {}
    for day in days:
        for one, families in zip(day["grade"]["campaigns"], day["grade"]["campaign_families"], strict=True):
            scores.setdefault(kind(one["campaign"]), []).append((one, families))
    return scores


def _campaigns(scores: Scores) -> str:
    rows: list[tuple[str, ...]] = [
        ("hidden campaign", "found", "accounts named", "worst", "calls named", "worst", "purity")
    ]
    for name, found in scores.items():
        ones = [one for one, _ in found]
        accounts, calls = ([one[f"{what}_recall"] for one in ones] for what in ("accounts", "calls"))
        purity = [one["purity"] for one in ones if one["found"]]
        shown = (percent(each) for each in (median(accounts), min(accounts), median(calls), min(calls)))
        held = percent(min(purity)) if purity else ""
        rows.append((f"`{name}`", f"{len(purity)} of {len(ones)}", *shown, held))
    return table(rows) + "\n\nMedian and worst day; the worst purity of those found."


def _pooled(days: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the classes over all days, and all honest accounts together as the last."""
    totals: dict[str, dict[str, Any]] = {}
    for day in days:
        for each in (*day["grade"]["classes"], {**day["grade"]["honest"], "groups_count": 0}):
            total = totals.setdefault(each["name"], {"name": each["name"]})
            for key in ("groups_count", "accounts_count", "named_count", "watched_count"):
                total[key] = total.get(key, 0) + each[key]
    honest = totals.pop("all honest")
    rows = [totals[name] for name in sorted(totals)] + [honest]
    return [{**row, "upper_bound": upper_bound(row["named_count"], row["accounts_count"])} for row in rows]


def _classes(classes: Sequence[dict[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = [("honest class", "groups", "accounts", "named", "at most", "watched")]
    for each in classes:
        groups = count(each["groups_count"]) if each["groups_count"] else ""
        named = (count(each["accounts_count"]), count(each["named_count"]), percent(each["upper_bound"], 3))
        rows.append((each["name"], groups, *named, count(each["watched_count"])))
    return table(rows)


def _lacks(scores: Scores) -> Iterable[str]:
    """Yield how often each kind of campaign was missed or named in part and why, and then what would cure it."""
    cures: dict[str, str] = {}
    for name, found in scores.items():
        missed = [_why(one, families) for one, families in found if not one["found"]]
        partly = [
            _why(one, families) for one, families in found if one["found"] and one["calls_recall"] < CALLS_RECALL_MIN
        ]
        said = []
        if missed:
            said.append(f"Missed on {len(missed)} of {len(found)} days: {_tally(missed)}.")
        if partly:
            said.append(
                f"Found with less than {percent(CALLS_RECALL_MIN)} of its calls on {len(partly)}: {_tally(partly)}."
            )
        if said:
            yield f"**`{name}`.** {' '.join(said)}"
        cures.update([*missed, *partly])
    if cures:
        yield "**What would cure it.** " + " ".join(f"*{cause}*: {cures[cause]}." for cause in sorted(cures))


def _tally(causes: Sequence[tuple[str, str]]) -> str:
    seen = Counter(cause for cause, _ in causes)
    return ", ".join(f"{days} × {cause}" for cause, days in sorted(seen.items(), key=lambda item: (-item[1], item[0])))


def _why(one: Found, families: Sequence[Found]) -> tuple[str, str]:
    """Return the likeliest cause of a loss, and its cure."""
    if one["reported_as"] and not one["found"]:
        return (
            "named within another campaign's report",
            "prompts that share wording fall into one family, or their families share accounts; a stricter core would "
            "part them",
        )
    best = max(families, key=lambda family: int(family["own_calls_count"]), default=None)
    if best is None or best["own_calls_count"] < CALLS_RECALL_MIN * one["calls_count"]:
        return (
            "calls not seen as one family",
            "where the text that varies is many times as long as the template, little of the template is left in the "
            "sketch; a larger sketch would see more",
        )
    if best["campaign_id"] is None:
        return f"family judged {best['outcome']}", f"by the run's own account, {best['would_change']}"
    return (
        "calls outside the core of its family",
        "they carry less than a family asks for; a wider core would hold them, at the price of strangers in it",
    )
