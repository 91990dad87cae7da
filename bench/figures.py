"""Figures as the benchmark page prints them, and what it derives from a result."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

Result = dict[str, Any]
"""What `bench/detection.py` wrote on one day."""

Found = dict[str, Any]
"""One hidden campaign's score, or a family in which its accounts were seen."""


LINE_CHARACTERS = 118


def paragraph(text: str) -> str:
    """Return a paragraph broken into lines as the other documents are."""
    return textwrap.fill(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first row is its head, and all but the first column are figures."""
    head, *body = rows
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def count(value: float) -> str:
    return f"{value:,.0f}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent; what is not whole is never rounded up to 100."""
    scale = 10 ** (digits + 2)
    shown = math.floor(share * scale) / scale if 0.5 < share < 1.0 else share
    text = f"{shown * 100:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "\N{NO-BREAK SPACE}%"


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
