"""Counts and chances by summing them up: what the signals' twins share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Pmf = Callable[[int], float]


def calibrated(p: float) -> float:
    """Return the e-value of a p-value: the mean over k in (0, 1) of k p^(k-1), added up in thin slices."""
    slices = 200_000
    if p >= 1:
        return 0.5
    return sum((i + 0.5) / slices * p ** ((i + 0.5) / slices - 1) for i in range(slices)) / slices


def poisson(mean: float) -> Pmf:
    return lambda n: math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1))


def gamma_poisson(mean: float, cv: float) -> Pmf:
    """Return Poisson counts whose rates are gamma distributed: standard deviation over mean is `cv`."""
    shape = 1 / cv**2
    share = shape / (shape + mean)
    return lambda n: math.exp(
        math.lgamma(n + shape) - math.lgamma(shape) - math.lgamma(n + 1)
        + shape * math.log(share) + (n * math.log1p(-share) if n else 0.0)
    )  # fmt: skip


def seen_at_least_once(mean: float, counts_of: Callable[[float], Pmf], top: int) -> list[float]:
    """Return P(1), P(2), … of counts known to be 1 or more, whose mean is `mean`, by halving an interval."""
    low, high = 1e-12, mean
    for _ in range(200):
        base = (low + high) / 2
        if base / (1 - counts_of(base)(0)) < mean:
            low = base
        else:
            high = base
    masses = [counts_of(low)(n) for n in range(1, top)]
    return [mass / sum(masses) for mass in masses]


def mean_square(masses: Sequence[float], mean: float) -> float:
    return sum(mass * (n - mean) ** 2 for n, mass in enumerate(masses, start=1))


def log_too_equal(observed: float, count: int, squares: Sequence[float], masses: Sequence[float]) -> float:
    """Return Chernoff's bound of log P(sum of `count` squares <= observed) at its best t.

    The bound falls and then rises with t, so a third of the interval can be given up at a time.
    """

    def bound(log_t: float) -> float:
        t = math.exp(log_t)
        generating = sum(mass * math.exp(-t * square) for mass, square in zip(masses, squares, strict=True))
        return t * observed + count * math.log(generating) if generating > 0 else math.inf

    low, high = -25.0, 12.0
    for _ in range(80):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if bound(left) < bound(right):
            high = right
        else:
            low = left
    return min(0.0, bound((low + high) / 2))


def squares_sum(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def hypergeometric_tail(at_least: int, everybody: int, marked: int, drawn: int) -> float:
    """Return P(at least so many marked among those drawn), by counting hands of cards."""
    hands = math.comb(everybody, drawn)
    good = sum(math.comb(marked, k) * math.comb(everybody - marked, drawn - k) for k in range(at_least, drawn + 1))
    return good / hands


def binomial_tail(at_least: int, trials: int, chance: float) -> float:
    """Return P(X >= at_least) of independent trials."""
    return sum(math.comb(trials, n) * chance**n * (1 - chance) ** (trials - n) for n in range(at_least, trials + 1))
