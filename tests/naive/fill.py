"""What a call puts into a template, account by account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.naive.sketch import MASK, STEP, mix


def template_shingles(calls: Sequence[Sequence[int]]) -> set[int]:
    """Return the shingles of a fifth of all calls, and of two at least."""
    counts = Counter(shingle for shingles in calls for shingle in shingles if shingle)
    return {shingle for shingle, times in counts.items() if times >= 2 and times >= 0.2 * len(calls)}


def fill_keys(accounts: Sequence[Sequence[Sequence[int]]], template: set[int]) -> list[int]:
    """Name each call by its two smallest shingles that are neither template nor the account's own preamble.

    `accounts` holds the calls of each account, a call its shingles, smallest hash first.
    """
    keys = []
    for calls in accounts:
        times = Counter(shingle for shingles in calls for shingle in shingles)
        preamble = {s for s, n in times.items() if len(calls) >= 4 and n >= 2 and n >= 0.5 * len(calls)}
        for shingles in calls:
            key = 0
            for shingle in [s for s in shingles if s and s not in template and s not in preamble][:2]:
                key = mix((key * STEP + shingle) & MASK)
            keys.append(key)
    return keys


def core_hits(calls: Sequence[Sequence[int]], core: set[int]) -> list[int]:
    """Return how many of the core's shingles each call carries."""
    return [sum(shingle in core for shingle in shingles) for shingles in calls]


def carried_counts(calls: Sequence[Sequence[int]], values: Sequence[int]) -> list[int]:
    """Return how often each value stands in calls."""
    return [sum(list(shingles).count(value) for shingles in calls) for value in values]
