"""Do owners share rare values more than chance would? One value after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.naive.chance import binomial_tail, hypergeometric_tail

ODDS = 8.0
CIRCLES = 3
SURE = 0.01


@dataclass(frozen=True)
class Value:
    """A value that accounts of the family hold, each an owner, and how many of all owners do."""

    holders: frozenset[int]
    degree: int
    owned: bool = True


def log_p(values: Sequence[Value], owners: int, population: int, hub: int) -> float:
    """Return log p of the rarest sharing, corrected for every value that was looked at.

    Of places, the rarest of the first CIRCLES circles are set aside.
    """
    looked = [value for value in values if value.degree <= hub]
    owned = [math.log(owned_tail(value, owners, population)) for value in looked if value.owned]
    places = [(place_tail(value, owners, population), value.holders) for value in looked if not value.owned]
    beyond = circles([place for place in places if place[0] < SURE / len(looked)])[CIRCLES:]
    return min([0.0, *(rarest + math.log(len(looked)) for rarest in owned + beyond)])


def owned_tail(value: Value, owners: int, population: int) -> float:
    """Return P(so many hold it | one does) of owners drawn from all."""
    at_least_one = hypergeometric_tail(1, population, value.degree, owners)
    return hypergeometric_tail(len(value.holders), population, value.degree, owners) / at_least_one


def place_tail(value: Value, owners: int, population: int) -> float:
    """Return P(so many of the others there are the family's), who may be ODDS times as common there as elsewhere."""
    others = (owners - 1) / (population - owners)
    chance = ODDS * others / (1 + ODDS * others)
    return binomial_tail(len(value.holders) - 1, value.degree - 1, chance)


def circles(places: Sequence[tuple[float, frozenset[int]]]) -> list[float]:
    """Return log p of each circle's rarest place, the rarest circle first; places with an account in common are one."""
    found: list[tuple[float, frozenset[int]]] = []
    for tail, holders in places:
        met = [circle for circle in found if circle[1] & holders]
        found = [circle for circle in found if not circle[1] & holders]
        found.append((min([tail, *(circle[0] for circle in met)]), holders.union(*(circle[1] for circle in met))))
    return sorted(math.log(tail) for tail, _ in found)
