"""Do accounts divide a field among themselves? Pairs of calls, counted one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

BUCKETS = 64
PREAMBLE_CALLS_MIN = 8


def tiling(accounts: Sequence[Sequence[frozenset[int]]]) -> tuple[float, float, float]:
    """Return apart, own and spread; each account is a list of calls, each call a set of buckets."""
    within: list[bool] = []
    between: list[bool] = []
    filled: list[bool] = []
    for bucket in range(BUCKETS):
        columns = [[bucket in call for call in calls] for calls in accounts]
        columns = [calls for calls in columns if not (all(calls) and len(calls) >= PREAMBLE_CALLS_MIN)]
        for at, calls in enumerate(columns):
            filled += calls
            within += [one and other for i, one in enumerate(calls) for j, other in enumerate(calls) if i != j]
            others = [other for where, column in enumerate(columns) for other in column if where != at]
            between += [one and other for one in calls for other in others]
    spread = _spread([len(calls) for calls in accounts])
    if not within or not between:
        return 0.0, 0.0, spread
    w, b, m = (sum(hits) / len(hits) for hits in (within, between, filled))
    apart = (w - b) / (m - b) if m > b else 0.0
    own = min(1.0, (w - b) / (w - m * m)) if w > b and w > m * m else 0.0
    return apart, own, spread


def _spread(sizes: Sequence[int]) -> float:
    mean = sum(sizes) / len(sizes)
    variance = sum((size - mean) ** 2 for size in sizes) / (len(sizes) - 1)
    return math.sqrt(max(0.0, variance - mean)) / mean
