"""Do accounts do what their programme is for? One account, one window at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

DAY_US = 86_400_000_000


def is_strange(said: set[str], of_programme: Sequence[str], of_use: Sequence[str]) -> bool:
    return bool(said - {"stepwise"} - set(of_programme) - set(of_use))


def busier_than_peers(accounts: Sequence[tuple[int, str]], tenths: Mapping[str, Sequence[int]]) -> float:
    """Each account is its calls and its programme; `tenths` has the busiest account of each tenth, quietest first."""
    places = [sum(top < calls for top in tenths[of]) / 10 for calls, of in accounts if of in tenths]
    if not places:
        return 0.0
    surely = sum(places) / len(places) - 2 * 0.29 / math.sqrt(len(places))
    return min(1.0, max(0.0, (surely - 0.45) / 0.45))


def fullest_weeks(owners: Mapping[str, Sequence[int]], everybody: Sequence[int]) -> float:
    """Return the excess of the best window of four weeks; `owners` has the sign-ups of each owner of one programme."""
    born = [min(signed_up) for signed_up in owners.values()]
    if len(born) < 8:
        return 0.0
    windows = [(sum(start <= time < start + 28 * DAY_US for time in born), start) for start in sorted(born)]
    most = max(inside for inside, _ in windows)
    start = min(start for inside, start in windows if inside == most)
    share = most / len(born)
    usual = sum(start <= time < start + 28 * DAY_US for time in everybody) / max(1, len(everybody))
    return min(1.0, max(0.0, share - usual - 2 * math.sqrt(share * (1 - share) / len(born))))
