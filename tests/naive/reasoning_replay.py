"""Who carries on with whose reasoning? Sets of owners, and the chance of so many accidents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

ACCIDENT_RATE = 1e-4


def count_replays(calls: Iterable[tuple[str, str | None]]) -> tuple[int, int, int]:
    """Return how many owners presented blocks, presented others', and were issued those: (owner, issuer?) a call."""
    presenters, replayers, issuers = set(), set(), set()
    for owner, issuer in calls:
        presenters.add(owner)
        if issuer is not None:
            replayers.add(owner)
            issuers.add(issuer)
    return len(presenters), len(replayers), len(issuers)


def log_p(accidents: int, presenting_calls: int) -> float:
    """Return log P(Poisson >= accidents), term by term from the top."""
    if not accidents:
        return 0.0
    mean = ACCIDENT_RATE * presenting_calls
    terms = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(accidents, accidents + 400)]
    return math.log(math.fsum(terms))


def without(calls: Sequence[tuple[str, str, str | None]], account: str) -> list[tuple[str, str | None]]:
    """Return (owner, issuer) of the calls that are left when an account goes: (account, owner, issuer?) a call."""
    return [(owner, issuer) for who, owner, issuer in calls if who != account]
