"""Do others take over where accounts are closed or calls refused? Closure by closure, refusal by refusal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

HOUR_US = 3_600_000_000
BIRTH_US = 2 * HOUR_US

Call = tuple[int, int, int, bool]
"""Owner, time, item, refused; tested calls with an item only."""


def log_p_so_many(seen: int, count: Sequence[int], chance: Sequence[float]) -> float:
    """Return Chernoff's bound at its best t, which is found by giving up a third of the interval at a time."""
    if seen <= sum(n * q for n, q in zip(count, chance, strict=True)):
        return 0.0

    def bound(t: float) -> float:
        grown = sum(n * math.log(1 - q + q * math.exp(t)) for n, q in zip(count, chance, strict=True))
        return grown - t * seen

    low, high = 0.0, 40.0
    for _ in range(200):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if bound(left) < bound(right):
            high = right
        else:
            low = left
    return min(0.0, bound(low))


def exact_log_p(seen: int, count: Sequence[int], chance: Sequence[float]) -> float:
    """Return log P(at least `seen` heads) by tossing one coin after the other."""
    mass = [1.0]
    for n, q in zip(count, chance, strict=True):
        for _ in range(n):
            mass = [
                (mass[k] * (1 - q) if k < len(mass) else 0.0) + (mass[k - 1] * q if k else 0.0)
                for k in range(len(mass) + 1)
            ]
    return math.log(max(1e-300, sum(mass[seen:])))


def find_births(
    born: Mapping[int, tuple[int, bool]], ends: Sequence[int], everybody: Sequence[tuple[int, int]]
) -> list[tuple[set[int], int, float]]:
    """Return who was born after each separate closure, how many before it, and the honest chance of after.

    `born` has the owner's first call and whether it is tested; `everybody` has (middle, others' tested calls) of each
    stretch of the log. The most followed closure is left out.
    """
    found = []
    last: int | None = None
    for at in sorted(set(ends)):
        if last is not None and at - last <= 2 * BIRTH_US:
            continue
        last = at
        after = {who for who, (time, tested) in born.items() if tested and at < time <= at + BIRTH_US}
        before = sum(tested and at - BIRTH_US <= time < at and calm(time, ends) for time, tested in born.values())
        calls_after = sum(calls for middle, calls in everybody if at < middle <= at + BIRTH_US)
        calls_before = sum(calls for middle, calls in everybody if at - BIRTH_US <= middle < at and calm(middle, ends))
        if calls_after and calls_before and (after or before):
            chance = 2 * calls_after / (2 * calls_after + calls_before)
            count = len(after) + before
            tail = sum(
                math.comb(count, k) * chance**k * (1 - chance) ** (count - k) for k in range(len(after), count + 1)
            )
            found.append((tail, at, (after, before, chance)))
    return [each for _, _, each in sorted(found, key=lambda one: (round(one[0], 12), one[1]))[1:]]


def calm(time: int, ends: Sequence[int]) -> bool:
    """Say whether no closure was within the hours before."""
    return not any(end < time <= end + BIRTH_US for end in ends)


def find_handoffs(calls: Sequence[Call], owners_of_item: Mapping[int, int]) -> set[tuple[int, int, bool]]:
    """Return (refused owner, other owner, the other came after), each pair of owners once, of groups of eight."""
    pairs: dict[frozenset[int], tuple[int, int, bool]] = {}
    for owner, time, item, refused in sorted(calls, key=lambda call: (call[1], call[2], call[0])):
        if not refused or owners_of_item[item] > 3:
            continue
        answered = sorted(
            (when, who)
            for who, when, what, no in calls
            if what == item and not no and when != time and abs(when - time) <= HOUR_US
        )
        if any(who == owner and when > time for when, who in answered):
            continue
        for when, who in answered:
            if who != owner:
                pairs.setdefault(frozenset((owner, who)), (owner, who, when > time))
    return {pair for pair in pairs.values() if len(joined(pair[0], list(pairs))) >= 8}


def joined(owner: int, pairs: Sequence[frozenset[int]]) -> set[int]:
    """Return everybody that pairs lead to from one owner."""
    known = {owner}
    while True:
        more = {who for pair in pairs if pair & known for who in pair} - known
        if not more:
            return known
        known |= more
