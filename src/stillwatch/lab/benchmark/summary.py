"""All tasks of a benchmark added up: by scenario, by class of honest accounts, by size of pool, by rival."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, median
from typing import Any

from stillwatch.lab.score import upper_bound

Found = dict[str, Any]

CROWDS = frozenset({"company", "consumer", "developer"})
"""Classes of the honest population; all others are look-alikes."""


def summary(table: Found) -> Found:
    """Return what the page says of a table of tasks."""
    tasks = table["tasks"]
    by_kind = {kind: [each for each in tasks if each["task"]["kind"] == kind] for kind in ("scenario", "null", "power")}
    # Worlds of growing pools share their honest accounts, who would be counted again and again.
    measured = [*by_kind["scenario"], *by_kind["null"]]
    seeds = [each["task"]["seed"] for each in tasks]
    return {
        "tasks_count": len(tasks),
        "seeds": [min(seeds), max(seeds)] if seeds else [],
        "seconds": sum(each.get("seconds", 0.0) for each in tasks),
        "scenarios": [_scenario(name, same) for name, same in _grouped(by_kind["scenario"], "scenario")],
        "rivals": [row for name, same in _grouped(by_kind["scenario"], "scenario") for row in _rivals(name, same)],
        "classes": classes(measured),
        "null": _null(by_kind["null"]),
        "discoveries": _discoveries(measured),
        "power": [_power(*key, same) for key, same in _by_size(by_kind["power"])],
        "opponents": [row for each in tasks for row in each.get("rows", [])],
    }


def _grouped(tasks: Iterable[Found], key: str) -> list[tuple[str, list[Found]]]:
    groups: dict[str, list[Found]] = {}
    for each in tasks:
        groups.setdefault(each["task"][key], []).append(each)
    return list(groups.items())


def _by_size(tasks: Iterable[Found]) -> list[tuple[tuple[str, int], list[Found]]]:
    groups: dict[tuple[str, int], list[Found]] = {}
    for each in tasks:
        groups.setdefault((each["task"]["scenario"], each["task"]["accounts"]), []).append(each)
    return sorted(groups.items())


def _scenario(name: str, worlds: Sequence[Found]) -> Found:
    """Return one scenario over its seeds: sums and means of accounts and calls, medians and worsts of delays."""
    ones = [one for each in worlds for one in each["score"]["campaigns"]]
    waits = [wait for each in worlds for wait in each.get("delays", [])]
    seen = [wait for wait in waits if wait["hours"] is not None]
    scores = [each["score"] for each in worlds]
    spent = [each["spent"] for each in worlds if "spent" in each]
    heirs = [heir for each in worlds for heir in each.get("relinked", [])]
    return {
        "scenario": name,
        "scale": min(each["task"]["scale"] for each in worlds),
        "worlds_count": len(worlds),
        "campaigns_count": len(ones),
        "found_count": sum(one["found"] for one in ones),
        "accounts_count": sum(one["accounts_count"] for one in ones),
        "accounts_recall": _weighted(ones, "accounts"),
        "accounts_recall_worst": min((one["accounts_recall"] for one in ones), default=None),
        "accounts_precision": mean(each["accounts_precision"] for each in scores),
        "b_cubed_f": mean(each["b_cubed_f"] for each in scores),
        "calls_count": sum(one["calls_count"] for one in ones),
        "calls_recall": _weighted(ones, "calls"),
        "calls_precision": mean(each["calls_precision"] for each in scores),
        "calls_paid_count": sum(each["calls_paid_count"] for each in spent),
        "hours_of_log": max((each["hours"] for each in spent), default=None),
        "relinked_share": mean(heir["share"] for heir in heirs) if heirs else None,
        "relinked_day_share": mean(heir["day_share"] for heir in heirs) if heirs else None,
        "heirs_count": sum(heir["heirs_count"] for heir in heirs),
        "collateral_count": sum(one["collateral_count"] for one in ones),
        "collateral_calls_count": sum(each["collateral_calls_count"] for each in scores),
        "honest_count": sum(each["honest"]["accounts_count"] for each in scores),
        "false_rate_bound": mean(each["false_rate_bound"] for each in worlds),
        "timed_count": len(waits),
        "seen_count": len(seen),
        "leaked_share": median(wait["leaked_share"] for wait in waits) if waits else None,
        "leaked_share_worst": max((wait["leaked_share"] for wait in waits), default=None),
        "leaked_count": median(wait["leaked_count"] for wait in waits) if waits else None,
        "largest_calls_count": max((wait["calls_count"] for wait in waits), default=None),
        "hours": median(wait["hours"] for wait in seen) if seen else None,
        "hours_worst": max((wait["hours"] for wait in seen), default=None),
    }


def _weighted(ones: Sequence[Found], what: str) -> float | None:
    total = sum(one[f"{what}_count"] for one in ones)
    return sum(one[f"{what}_recall"] * one[f"{what}_count"] for one in ones) / total if total else None


def _rivals(name: str, worlds: Sequence[Found]) -> list[Found]:
    """Return each rival's means over a scenario's worlds that hold a campaign, beside the detector's."""
    held = [each for each in worlds if each.get("rivals") and each["recall"] is not None]
    if not held:
        return []
    own = mean(each["recall"] for each in held)
    rows = []
    for ident in held[0]["rivals"]:
        mine = [each["rivals"][ident] for each in held]
        figures = {key: mean(one[key] for one in mine) for key in mine[0]}
        rows.append({"scenario": name, "ident": ident, "detector_recall": own, **figures})
    return rows


def classes(tasks: Sequence[Found]) -> list[Found]:
    """Return accounts and false accusations by class over all worlds, and of all honest accounts as the last."""
    totals: dict[str, Found] = {}
    for task in tasks:
        for each in (*task["score"]["classes"], task["score"]["honest"]):
            total = totals.setdefault(each["name"], {"accounts_count": 0, "named_count": 0, "watched_count": 0})
            for key in total:
                total[key] += each[key]
    honest = totals.pop("all honest", None)
    rows = [(name, totals[name]) for name in sorted(totals)]
    if honest:
        alike = [total for name, total in rows if name not in CROWDS]
        rows.append(("all look-alikes", {key: sum(total[key] for total in alike) for key in honest}))
        rows.append(("all honest", honest))
    return [
        {"name": name, **total, "upper_bound": upper_bound(total["named_count"], total["accounts_count"])}
        for name, total in rows
    ]


def _null(worlds: Sequence[Found]) -> Found:
    """Return in how many worlds without a campaign one was reported: the false-discovery rate where all is honest."""
    wrong = sum(each["score"]["reported_count"] > 0 for each in worlds)
    honest = [each["score"]["honest"] for each in worlds]
    return {
        "worlds_count": len(worlds),
        "worlds_with_report_count": wrong,
        "realised_rate": wrong / len(worlds) if worlds else None,
        "upper_bound": upper_bound(wrong, len(worlds)),
        "reported_count": sum(each["score"]["reported_count"] for each in worlds),
        "accounts_count": sum(one["accounts_count"] for one in honest),
        "named_count": sum(one["named_count"] for one in honest),
    }


def _discoveries(tasks: Sequence[Found]) -> Found:
    """Return the mean share of false ones among the campaigns reported in a world, over all worlds."""
    shares = [each["score"]["false_count"] / max(each["score"]["reported_count"], 1) for each in tasks]
    return {
        "worlds_count": len(tasks),
        "reported_count": sum(each["score"]["reported_count"] for each in tasks),
        "false_count": sum(each["score"]["false_count"] for each in tasks),
        "realised_rate": mean(shares) if shares else None,
    }


def _power(scenario: str, accounts: int, worlds: Sequence[Found]) -> Found:
    ones = [one for each in worlds for one in each["score"]["campaigns"]]
    stated = {key: [each["stated"][key] for each in worlds if each.get("stated")] for key in ("half", "most")}
    return {
        "scenario": scenario,
        "accounts": accounts,
        "stated_half": _middle(stated["half"]),
        "stated_most": _middle(stated["most"]),
        "worlds_count": len(worlds),
        "found_count": sum(one["found"] for one in ones),
        "accounts_recall": mean(one["accounts_recall"] for one in ones),
        "calls_count": mean(one["calls_count"] for one in ones),
    }


def _middle(sizes: Sequence[int | None]) -> float | None:
    """Return the median; a size that is not stated is larger than any."""
    known = [float("inf") if each is None else each for each in sizes]
    middle = median(known) if known else float("inf")
    return None if middle == float("inf") else middle
