"""Do owners share rare values more than chance would? One value after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.naive.chance import binomial_tail, hypergeometric_tail

ODDS = 8.0
CIRCLES = 3
EXITS = 16
SURE = 0.01


@dataclass(frozen=True)
class Value:
    """A value that accounts of the family hold, each an owner, and how many of all owners do."""

    holders: frozenset[int]
    degree: int
    owned: bool = True


def log_p(values: Sequence[Value], owners: int, population: int, hub: int) -> float:
    """Return log p of the rarest sharing, corrected for every value that was looked at.

    Of places, those of the rarest CIRCLES circles are set aside, up to EXITS of each where nobody else is.
    """
    looked = [value for value in values if value.degree <= hub]
    owned = [math.log(owned_tail(value, owners, population)) for value in looked if value.owned]
    met = circles([(place_tail(v, owners, population), v) for v in looked if not v.owned], SURE / len(looked))
    beyond = [circle[0][0] for circle in met[CIRCLES:]]
    for circle in met:
        beyond += [tail for tail, value in circle if len(value.holders) == value.degree][EXITS:]
    rarest = [*owned, *(math.log(tail) for tail in beyond)]
    return min([0.0, *(each + math.log(len(looked)) for each in rarest)])


def owned_tail(value: Value, owners: int, population: int) -> float:
    """Return P(so many hold it | one does) of owners drawn from all."""
    at_least_one = hypergeometric_tail(1, population, value.degree, owners)
    return hypergeometric_tail(len(value.holders), population, value.degree, owners) / at_least_one


def place_tail(value: Value, owners: int, population: int) -> float:
    """Return P(so many of the others there are the family's), who may be ODDS times as common there as elsewhere."""
    others = (owners - 1) / (population - owners)
    chance = ODDS * others / (1 + ODDS * others)
    return binomial_tail(len(value.holders) - 1, value.degree - 1, chance)


def circles(places: Sequence[tuple[float, Value]], sure: float) -> list[list[tuple[float, Value]]]:
    """Return each circle's surprising places, the rarest first, in circles and of circles.

    Places with an account in common are one circle.
    """
    found: list[list[tuple[float, Value]]] = []
    for tail, value in places:
        if tail < sure:
            met = [circle for circle in found if any(other.holders & value.holders for _, other in circle)]
            found = [circle for circle in found if circle not in met]
            found.append([(tail, value), *(place for circle in met for place in circle)])
    return sorted((sorted(circle, key=lambda place: place[0]) for circle in found), key=lambda circle: circle[0][0])
