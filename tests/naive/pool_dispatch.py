"""Are accounts busier alike than customers? Counts and blocks from plain lists."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.naive.chance import (
    gamma_poisson,
    log_too_equal,
    mean_square,
    poisson,
    seen_at_least_once,
    squares_sum,
)

RATE_CV = 0.5


def spread(counts: Sequence[int]) -> tuple[float, list[float], float]:
    """Return log p that counts are so equal, the same without each account, and the ratio to equal shares."""
    mean = sum(counts) / len(counts)
    equal = mean_square(seen_at_least_once(mean, poisson, 200), mean)
    without = {counts[at]: log_p_equal([*counts[:at], *counts[at + 1 :]]) for at in range(len(counts))}
    ratio = squares_sum(counts) / max(1e-12, equal * (len(counts) - 1))
    return log_p_equal(counts), [without[count] for count in counts], ratio


def log_p_equal(counts: Sequence[int]) -> float:
    """Return log p that independent callers, whose rates differ by RATE_CV at least, have counts so equal."""
    mean = sum(counts) / len(counts)
    if mean == 1:
        return 0.0
    masses = seen_at_least_once(mean, lambda base: gamma_poisson(base, RATE_CV), 400)
    observed = squares_sum(counts)
    if observed >= (len(counts) - 1) * mean_square(masses, mean):
        return 0.0
    squares = [(n - mean) ** 2 for n in range(1, 400)]
    return log_too_equal(observed, len(counts) - 1, squares, masses)


def day_counts(calls: Sequence[tuple[int, int]], keys: Sequence[int]) -> list[int]:
    """Return each account's calls on one of its days. `calls` are (account, day)."""
    found = []
    for account, key in enumerate(keys):
        days = sorted({day for of, day in calls if of == account})
        inner = days[1:-1] if len(days) >= 3 else days
        found.append(calls.count((account, inner[key % len(inner)])) if inner else 0)
    return found


def pace(family: Sequence[int], everybody: Sequence[int], tested: Sequence[bool]) -> float:
    """Return log p that the family's calls follow the others' curve, or a flat one, so closely."""
    active = [at for at, calls in enumerate(family) if calls]
    inside = [at for at in range(active[0] + 1, active[-1]) if tested[at]]
    observed = [family[at] for at in inside]
    others = [everybody[at] - family[at] for at in inside]
    if len(inside) < 12 or not sum(observed) or min(others) <= 0:
        return 0.0
    best = 0.0
    for shape in (others, [1] * len(inside)):
        expected = [each / sum(shape) * sum(observed) for each in shape]
        squares = sum((seen - due) ** 2 / due for seen, due in zip(observed, expected, strict=True))
        best = min(best, log_chi_square(squares, len(inside) - 1) + math.log(2))
    return best


def log_chi_square(value: float, freedom: int) -> float:
    """Return log P(chi-square <= value), by the power series of the incomplete gamma function."""
    shape, x = freedom / 2, value / 2
    if x <= 0:
        return -math.inf
    total = term = 1.0
    n = 0
    while term > 1e-17 * total:
        n += 1
        term *= x / (shape + n)
        total += term
    return min(0.0, shape * math.log(x) - x - math.lgamma(shape + 1) + math.log(total))
