"""Families of one hand, by looking at all pairs of calls, of values and of families."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations, product


def energy_distance(first: Sequence[int], second: Sequence[int], bits: Sequence[int]) -> float:
    def apart(a: int, b: int) -> int:
        return sum((a >> bit & 1) != (b >> bit & 1) for bit in bits)

    def mean(one: Sequence[int], other: Sequence[int]) -> float:
        return sum(apart(a, b) for a, b in product(one, other)) / (len(one) * len(other))

    return 2 * mean(first, second) - mean(first, first) - mean(second, second)


def common_share(first: set[int], second: set[int]) -> float:
    smaller = min(len(first), len(second))
    return len(first & second) / smaller if smaller else 0.0


Holding = tuple[int, int, int]
"""A value, the account that holds it, and how many owners hold it in all."""


def links(
    held: Sequence[set[Holding]], accounts: Sequence[set[int]], owners_count: int, crowd: int
) -> set[tuple[int, int]]:
    values = [{value for value, _, _ in of} for of in held]
    crowded = {v for v in set().union(*values) if sum(v in of for of in values) > crowd}
    kept = [{row for row in of if row[0] not in crowded} for of in held]
    found = set()
    for a, b in combinations(range(len(held)), 2):
        common = {v for v, _, _ in kept[a]} & {v for v, _, _ in kept[b]}
        same = {(v, who) for v, who, _ in kept[a]} & {(v, who) for v, who, _ in kept[b]}
        ties = len(common) - len(same)
        mean = max(_outside(kept[a]) * len(accounts[b]), _outside(kept[b]) * len(accounts[a])) / owners_count
        smaller = min(len(accounts[a]), len(accounts[b]))
        overlap = len(accounts[a] & accounts[b])
        if (ties > 0 and _as_many(ties, mean) <= 0.01) or (overlap and overlap >= 0.2 * smaller):
            found |= {(a, b), (b, a)}
    return found


def _outside(held: set[Holding]) -> int:
    holders: dict[tuple[int, int], int] = {}
    for value, _, degree in held:
        holders[value, degree] = holders.get((value, degree), 0) + 1
    return sum(max(1, degree - count) for (_, degree), count in holders.items())


def _as_many(count: int, mean: float) -> float:
    return 1 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count))


def kindred(
    calls: Sequence[int], names: Sequence[str], linked: set[tuple[int, int]], alike: Callable[[int, int], bool]
) -> list[list[int]]:
    left = sorted(range(len(calls)), key=lambda at: (-calls[at], names[at]))
    groups = []
    while left:
        group = [left[0]]
        for turn in range(2):
            like = [at for at in left[1:] if turn < len(group) and alike(group[turn], at)]
            while joining := [at for at in like if at not in group and any((at, one) in linked for one in group)]:
                group.append(joining[0])
        left = [at for at in left if at not in group]
        if len(group) > 1:
            groups.append(group)
    return groups
