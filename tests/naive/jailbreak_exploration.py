"""Was a wording searched for? Calls as plain tuples, before and after a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

Call = tuple[bool, frozenset[str], int, frozenset[int]]
"""Whether it was refused, its phrase classes, its text (0 unknown), its word buckets."""


def agreement(calls: Sequence[frozenset[int]]) -> float:
    """Over all pairs of calls: buckets in common over buckets they could have in common."""
    common = possible = 0.0
    for one, other in combinations(calls, 2):
        common += len(one & other)
        possible += (len(one) + len(other)) / 2
    return common / possible if possible else 1.0


def new_texts(texts: Sequence[int]) -> float:
    known = [text for text in texts if text]
    return len(set(known)) / len(known) if known else 0.0


def wilson(hits: int, count: int, sign: int) -> float:
    z = 3.0
    share = hits / count
    middle = share + z * z / (2 * count)
    width = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return min(1.0, max(0.0, (middle + sign * width) / (1 + z * z / count)))


def search(before: Sequence[Call], after: Sequence[Call], classes: Sequence[str]) -> float:
    """Return the score of one split: 0 nothing, 1 a search that was refused, then settled and was let through."""
    first = wilson(sum(call[0] for call in before), len(before), -1)
    last = wilson(sum(call[0] for call in after), len(after), +1)
    novelty = new_texts([call[2] for call in before])
    goal = max(sum(name in call[1] for call in before) / len(before) for name in classes)
    early, late = agreement([call[3] for call in before]), agreement([call[3] for call in after])
    by_words = (late - early) / (1 - early) if early < 1 else 0.0
    settled = max(0.0, novelty - new_texts([call[2] for call in after]), by_words)
    futile = min(1.0, max(0.0, (first - 0.1) / (0.5 - 0.1)))
    fall = max(0.0, 1 - last / first) if first else 0.0
    firm = min(1.0, max(0.0, (settled - 0.05) / (0.3 - 0.05)))
    return (novelty * goal * futile * fall * firm) ** 0.25
