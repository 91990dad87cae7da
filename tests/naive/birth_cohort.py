"""Did the owners sign up together? Every window at every sign-up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.naive.chance import binomial_tail

HOUR_US = 3_600_000_000
ODDS = 4.0
WINDOWS_US = (HOUR_US, 24 * HOUR_US, 168 * HOUR_US)


def scan(family: Sequence[int], population: Sequence[int]) -> float:
    """Return log p of the most crowded window, over all windows; the family's sign-ups are in the population's."""
    best = 0.0
    looks = len(family) * len(WINDOWS_US)
    for width in WINDOWS_US:
        for start in family:
            inside = sum(start <= time < start + width for time in family) - 1
            everybody = sum(start <= time < start + width for time in population) - 1
            share = everybody / (len(population) - 1)
            chance = ODDS * share / (1 + (ODDS - 1) * share)
            tail = binomial_tail(inside, len(family) - 1, chance)
            best = min(best, math.log(tail) + math.log(looks))
    return best


def bystanders(outside: int, chance: float) -> float:
    """Return how many honest owners are inside on average, if any number of them is as likely as any other: with n of
    them, and `outside` outside, each is inside with the same chance."""
    weights = [math.comb(n + outside, n) * chance**n for n in range(500)]
    return sum(n * weight for n, weight in enumerate(weights)) / sum(weights)
