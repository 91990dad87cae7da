"""Is one list dealt out? Overlap of owners, equality of passes, and the sharding martingale, from plain lists."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from tests.naive.chance import log_too_equal, mean_square, poisson, seen_at_least_once, squares_sum

Asked = Sequence[tuple[int, int]]
"""Pairs of owner and item."""


def items_of(asked: Asked) -> dict[int, set[int]]:
    owned: dict[int, set[int]] = defaultdict(set)
    for owner, item in asked:
        owned[owner].add(item)
    return owned


def item_overlap(asked: Asked) -> float:
    """Return items in common over the geometric mean of both owners' items, over all pairs of owners."""
    owned = list(items_of(asked).values())
    pairs = [(one, other) for at, one in enumerate(owned) for other in owned[:at]]
    common = sum(len(one & other) for one, other in pairs)
    possible = sum(math.sqrt(len(one) * len(other)) for one, other in pairs)
    return min(1.0, common / possible) if possible else 0.0


def multi_pass(asked: Asked) -> tuple[float, float]:
    """Return log p that items have such equal numbers of owners, and the variance over that of chance (S1b)."""
    owned = items_of(asked)
    owners: dict[int, int] = defaultdict(int)
    for items in owned.values():
        for item in items:
            owners[item] += 1
    mean = sum(owners.values()) / len(owners)
    if mean <= 1:
        return 0.0, 1.0
    top = int(mean + 40 * math.sqrt(mean)) + 60
    masses = seen_at_least_once(mean, poisson, top)
    # How many items the stock has, if as many were never drawn as chance leaves over.
    stock = sum(owners.values()) / untruncated(mean)
    shares = [len(items) / stock for items in owned.values()]
    thinning = max(0.0, 1 - sum(share**2 for share in shares) / sum(shares))
    observed = squares_sum(list(owners.values()))
    squares = [(n - mean) ** 2 * thinning for n in range(1, top)]
    expected = mean_square(masses, mean) * thinning * len(owners)
    log_p = log_too_equal(observed, len(owners) - 1, squares, masses) if observed < expected else 0.0
    return log_p, observed / max(expected, 1e-12)


def untruncated(mean: float) -> float:
    """Return the mean of a Poisson count whose mean is `mean` where it is not zero."""
    base = mean
    for _ in range(10_000):
        base = mean * (1 - math.exp(-base))
    return base


def stock_size(asked: Sequence[tuple[int, int, int]]) -> float | None:
    """Return an upper estimate of the stock by recapture; `asked` holds owner, item and model.

    Items seen on the busiest model are marked; on the next busiest one counts how many marked ones are met again by
    another owner.
    """
    owners: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    calls: dict[int, int] = defaultdict(int)
    for owner, item, model in asked:
        owners[model][item].append(owner)
        calls[model] += 1
    busiest = sorted(calls, key=lambda model: (-calls[model], model))[:2]
    if len(busiest) < 2:
        return None
    first, second = (owners[model] for model in busiest)
    met = sum(1 for item in second if item in first and len({*first[item], *second[item]}) > 1)
    if met < 20:
        return None
    return len(first) * len(second) / (met - 2 * math.sqrt(met))


def martingale(asked: Sequence[tuple[int, int, int]], stock: float) -> tuple[float, float, int]:
    """Return log e at the end, collisions expected and collisions seen; `asked` is in the order of time."""
    owned: dict[tuple[int, int], set[int]] = defaultdict(set)
    seen: dict[int, set[int]] = defaultdict(set)
    steps = []
    for owner, item, model in asked:
        mine = owned[model, owner]
        if item in mine:
            continue
        others = len(seen[model]) - len(mine)
        chance = max(0.0, others / max(stock - len(mine), others + 1))
        steps.append((chance, item in seen[model]))
        mine.add(item)
        seen[model].add(item)
    wealths = []
    for bet in (1e-4, 1e-3, 1e-2):
        log_wealth = 0.0
        for chance, met in steps:
            if chance > bet:
                log_wealth += math.log(bet / chance) if met else math.log((1 - bet) / (1 - chance))
        wealths.append(log_wealth)
    top = max(wealths)
    log_e = top + math.log(sum(math.exp(each - top) for each in wealths) / 3)
    return log_e, sum(chance for chance, _ in steps), sum(met for _, met in steps)
