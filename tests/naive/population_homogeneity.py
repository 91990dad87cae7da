"""Do accounts ask about the same things? An analysis of variance over topic bits, call by call."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

BITS = 64
PREAMBLE_CALLS_MIN = 8

Topics = Mapping[int, Sequence[int]]
"""For each account the topics of its calls, 64 bits each."""


def bit_sums(topics: Topics) -> dict[int, list[int]]:
    return {
        account: [sum(call >> bit & 1 for call in calls) for bit in range(BITS)] for account, calls in topics.items()
    }


def correlation(topics: Topics) -> tuple[float, float]:
    """Return the intraclass correlation and F: variance between accounts over variance within them."""
    between = within = 0.0
    between_freedom = within_freedom = 0
    sizes = []
    for bit in range(BITS):
        columns = {account: [call >> bit & 1 for call in calls] for account, calls in topics.items()}
        columns = {a: on for a, on in columns.items() if not (all(on) and len(on) >= PREAMBLE_CALLS_MIN)}
        calls = sum(len(on) for on in columns.values())
        if len(columns) < 2 or calls <= len(columns):
            continue
        whole = sum(sum(on) for on in columns.values()) / calls
        for on in columns.values():
            own = sum(on) / len(on)
            between += len(on) * (own - whole) ** 2
            within += sum((one - own) ** 2 for one in on)
        between_freedom += len(columns) - 1
        within_freedom += calls - len(columns)
        sizes.append((calls - sum(len(on) ** 2 for on in columns.values()) / calls) / (len(columns) - 1))
    between /= max(1, between_freedom)
    within /= max(1, within_freedom)
    if within <= 1e-15:
        return 1.0, math.inf
    size = sum(sizes) / len(sizes)
    return (between - within) / (between + (size - 1) * within), between / within


def intraclass(topics: Topics, fold_of: Mapping[int, int]) -> tuple[float, float, float]:
    """Return the correlation, its standard error from leaving one fold of accounts out at a time, and F."""
    folds: dict[int, list[int]] = defaultdict(list)
    for account in topics:
        folds[fold_of[account]].append(account)
    lefts = []
    for fold in folds.values():
        rest = {account: calls for account, calls in topics.items() if account not in fold}
        if len(rest) > 1:
            lefts.append(correlation(rest)[0])
    whole, ratio = correlation(topics)
    if len(lefts) < 2:
        return whole, 1.0, ratio
    mean = sum(lefts) / len(lefts)
    variance = sum((left - mean) ** 2 for left in lefts) / len(lefts)
    return whole, math.sqrt((len(lefts) - 1) * variance), ratio
