"""Who moved to the new model? Stretch by stretch and call by call."""

from __future__ import annotations

import math
from collections.abc import Sequence


def new_models(everybody: Sequence[int], models: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return each model that, used from the start as later, would hardly have been absent so long; and its arrival."""
    found = []
    for row, used in enumerate(models):
        arrival = next((at for at, calls in enumerate(used) if calls), None)
        if arrival is None:
            continue
        absent = sum(everybody[arrival:]) / max(1, sum(everybody))
        if absent < 1 and sum(used) * math.log(max(absent, 1e-300)) <= math.log(1e-6):
            found.append((row, arrival))
    return found


def move(calls: Sequence[tuple[bool, bool]], everybody: int, everybody_moved: int) -> tuple[float, float]:
    """Return the share that moved of the family's calls (within the day, to the model), and of everybody else's."""
    within = [moved for inside, moved in calls if inside]
    others = max(0, everybody - len(within))
    return sum(within) / max(1, len(within)), min(max(0, everybody_moved - sum(within)), others) / max(1, others)
