"""Figures as the section on speed and memory prints them, and what it derives from a result."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]
"""What `bench/detection.py` wrote on one day."""


def seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"


def giga(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.2f} GB"


def speed(result: Result) -> float:
    """Return calls a second, end to end."""
    return float(result["detect"]["events_count"] / result["detect"]["wall_seconds"])


def decode_share(result: Result) -> float:
    """Return the time of merely decoding the log, as a share of the whole run's."""
    return float(result["decode"]["wall_seconds"] / result["detect"]["wall_seconds"])
