"""A finished benchmark against the figures written down for it, each with its tolerance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOLERANCES = {
    "found_count": 0.0,
    "accounts_recall": 0.05,
    "calls_recall": 0.05,
    "accounts_precision": 0.02,
    "b_cubed_f": 0.05,
    "hours": 2.0,
    "named_count": 0.0,
    "reported_count": 0.0,
    "recall_at_rate": 0.05,
    "best_f": 0.05,
    "accounts_lost": 10.0,
    "calls_obtained": 500.0,
}
"""How far a figure may move before somebody has to look: the same seed gives the same bytes, so that a move is a
change of the code. Recalls may move by the few accounts at the edge of a family, a game's figures by the few that it
loses. Hours are whole hours of the log, two of them one step of the search. Nobody honest may be named who was not
before, and no campaign lost."""

KEYS = {
    "scenarios": ("scenario",),
    "rivals": ("scenario", "ident"),
    "power": ("scenario", "accounts"),
    "classes": ("name",),
    "opponents": ("against",),
}
"""The sections of a summary that are compared, and what tells their rows apart."""


def pinned(results: Path) -> dict[str, Any]:
    """Return the figures of a benchmark that are worth writing down."""
    table = json.loads(results.read_text(encoding="utf-8"))
    rows = {section: [_kept(row, keys) for row in table["summary"][section]] for section, keys in KEYS.items()}
    return {"profile": table["profile"], "tolerances": TOLERANCES, **rows, "null": _kept(table["summary"]["null"], ())}


def compare(results: Path, expected: Path) -> list[str]:
    """Return a sentence for each figure that is not where it was written down to be.

    An entry of `expected` that the results lack is a deviation; what the results have beyond it is not.
    """
    found, wanted = pinned(results), json.loads(expected.read_text(encoding="utf-8"))
    limits = {**TOLERANCES, **wanted["tolerances"]}
    said = []
    for section, keys in KEYS.items():
        have = {tuple(row[key] for key in keys): row for row in found[section]}
        for row in wanted[section]:
            ident = tuple(row[key] for key in keys)
            name = f"{section} {' '.join(map(str, ident))}"
            said += _differences(name, have.get(ident), row, limits)
    return said + _differences("null", found["null"], wanted["null"], limits)


def _kept(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
    return {key: rounded[key] for key in (*keys, *TOLERANCES) if key in rounded}


def _differences(name: str, have: dict[str, Any] | None, want: dict[str, Any], limits: dict[str, float]) -> list[str]:
    if have is None:
        return [f"{name} is missing"]
    said = []
    for key in limits.keys() & want.keys():
        one, other = have.get(key), want[key]
        same = one == other if one is None or other is None else abs(one - other) <= limits[key] + 1e-9
        if not same:
            said.append(f"{name}: {key} is {one}, expected {other} within {limits[key]}")
    return sorted(said)
