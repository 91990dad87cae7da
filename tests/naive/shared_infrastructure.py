"""Do owners share rare values more than chance would? One value after another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.naive.chance import hypergeometric_tail


def log_p(values: Sequence[tuple[int, int]], owners: int, population: int, hub: int) -> float:
    """Return log p of the rarest sharing, corrected for every value that was looked at.

    `values` holds, for each value that the family has, how many of its owners hold it and how many of all owners do.
    """
    looked = [(held, degree) for held, degree in values if degree <= hub]
    best = 0.0
    for held, degree in looked:
        at_least_one = hypergeometric_tail(1, population, degree, owners)
        tail = hypergeometric_tail(held, population, degree, owners) / at_least_one
        best = min(best, math.log(tail) + math.log(len(looked)))
    return best
