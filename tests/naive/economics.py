"""What do the calls take? Answer by answer and account by account."""

from __future__ import annotations

import math
from collections.abc import Sequence


def capped_share(output: Sequence[int], cap: Sequence[int]) -> float:
    return sum(tokens >= 0.98 * most for tokens, most in zip(output, cap, strict=True)) / len(output)


def plateau(taken: Sequence[float]) -> float:
    return sum(tokens >= 0.9 * max(taken) for tokens in taken) / len(taken)


def spread(taken: Sequence[float]) -> float:
    mean = sum(taken) / len(taken)
    return math.sqrt(sum((tokens - mean) ** 2 for tokens in taken) / len(taken)) / mean
