"""Families of the same accounts, by comparing all pairs."""

from __future__ import annotations

from collections.abc import Sequence


def same_accounts(accounts: Sequence[set[int]], calls: Sequence[int], names: Sequence[str]) -> list[list[int]]:
    parts: list[list[int]] = []
    taken: set[int] = set()
    for leader in sorted(range(len(accounts)), key=lambda at: (-calls[at], names[at])):
        if leader in taken:
            continue
        part = [leader]
        for other in range(len(accounts)):
            both, either = accounts[leader] & accounts[other], accounts[leader] | accounts[other]
            if other != leader and other not in taken and len(both) >= 0.5 * len(either) and both:
                part.append(other)
        taken |= set(part)
        parts.append(part)
    return parts
