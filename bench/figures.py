"""Figures as the benchmark page prints them, and what it derives from a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.lab.benchmark.figures import count, paragraph, percent, table

__all__ = [
    "count",
    "decode_share",
    "giga",
    "kind",
    "listed",
    "paragraph",
    "percent",
    "recall",
    "seconds",
    "speed",
    "table",
]

Result = dict[str, Any]
"""What `bench/detection.py` wrote on one day."""

Found = dict[str, Any]
"""One hidden campaign's score, or a family in which its accounts were seen."""


def seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"


def giga(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.2f} GB"


def listed(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def recall(result: Result, what: str) -> float:
    """Return the share of all campaigns' accounts or calls that were named."""
    ones = result["grade"]["campaigns"]
    named = sum(one[f"{what}_recall"] * one[f"{what}_count"] for one in ones)
    return float(named / max(sum(one[f"{what}_count"] for one in ones), 1))


def speed(result: Result) -> float:
    """Return calls a second, end to end."""
    return float(result["detect"]["events_count"] / result["detect"]["wall_seconds"])


def decode_share(result: Result) -> float:
    """Return the time of merely decoding the log, as a share of the whole run's."""
    return float(result["decode"]["wall_seconds"] / result["detect"]["wall_seconds"])


def kind(name: str) -> str:
    """Return a campaign's kind: a larger day holds several of a kind, numbered from 1."""
    stem, _, number = name.rpartition("-")
    return stem if stem and number.isdigit() else name
