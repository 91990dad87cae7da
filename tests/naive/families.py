"""Template families by comparing every shingle with every other."""

from __future__ import annotations

from collections.abc import Sequence


def group_shingles(witnesses: Sequence[Sequence[int]], agreeing_min: int) -> list[int]:
    """Return each shingle's family: shingles with so many equal witnesses of eight are joined, and whom they join.

    A family is numbered by when its first shingle comes.
    """
    family = list(range(len(witnesses)))
    for one, first in enumerate(witnesses):
        for other in range(one):
            agreeing = sum(a == b for a, b in zip(first, witnesses[other], strict=True))
            if agreeing >= agreeing_min:
                joined = family[one], family[other]
                family = [min(joined) if of in joined else of for of in family]
    order: dict[int, int] = {}
    return [order.setdefault(of, len(order)) for of in family]
