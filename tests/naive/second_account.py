"""Which shingles more than one account used, with sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def note_accounts(calls: Sequence[tuple[int, Sequence[int]]]) -> set[int]:
    """Return the shingles that two accounts or more used. `calls` are accounts with their shingles; 0 is none."""
    accounts: dict[int, set[int]] = defaultdict(set)
    for account, shingles in calls:
        for shingle in shingles:
            if shingle:
                accounts[shingle].add(account)
    return {shingle for shingle, of in accounts.items() if len(of) >= 2}


def keep_entered(calls: Sequence[Sequence[int]], entered: set[int]) -> list[list[int]]:
    """Return the shingles of each call, 0 in the place of those that were not entered."""
    return [[shingle if shingle in entered else 0 for shingle in shingles] for shingles in calls]
