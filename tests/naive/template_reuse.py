"""How much of each account's traffic one skeleton is."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def median_share(family_calls: Sequence[int], all_calls: Sequence[int]) -> float:
    """Both sequences have an entry for each account."""
    return median(of / max(every, 1) for of, every in zip(family_calls, all_calls, strict=True))
