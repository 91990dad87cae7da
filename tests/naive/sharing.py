"""Which accounts share which shingles, and which calls carry them, with dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tests.naive.sketch import MASK, mix

GOLDEN = 0x9E3779B97F4A7C15
OTHER = 0xA0761D6478BD642F


def mark_accounts(calls: Sequence[tuple[int, Sequence[int]]]) -> dict[int, int]:
    """Return, for each slot of sixteen neighbouring shingle values, the bits that accounts set in it."""
    table: dict[int, int] = defaultdict(int)
    for account, shingles in calls:
        for shingle in shingles:
            if shingle:
                table[shingle // 16] |= 1 << (mix(account) % 8)
    return dict(table)


def passes(bits: int) -> bool:
    return bits.bit_count() >= 3


def mark_again(places: Sequence[tuple[int, int]], slots: int) -> dict[int, int]:
    """Return, for each slot of the second table, the bits that accounts set in it. `places`: shingle and account."""
    table: dict[int, int] = defaultdict(int)
    for shingle, account in places:
        table[mix(shingle ^ OTHER) % slots] |= 1 << (mix(account ^ OTHER) % 8)
    return dict(table)


def hold(places: Sequence[tuple[int, int, int]]) -> dict[int, tuple[set[int], list[int]]]:
    """Return for each shingle its accounts, and its witnesses. `places` are triples of shingle, account and event."""
    accounts: dict[int, set[int]] = defaultdict(set)
    for shingle, account, _ in places:
        accounts[shingle].add(account)
    witnesses = witness_minima([(shingle, event) for shingle, _, event in places])
    return {shingle: (of, witnesses[shingle]) for shingle, of in accounts.items()}


def witness_minima(places: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Return for each shingle the smallest of eight different hashes over the events it occurs in.

    `places` are pairs of shingle and event.
    """
    events: dict[int, list[int]] = defaultdict(list)
    for shingle, event in places:
        events[shingle].append(event)
    return {
        shingle: [min(mix((event + w * GOLDEN) & MASK) for event in of) for w in range(1, 9)]
        for shingle, of in sorted(events.items())
    }


def known_places(calls: Sequence[Sequence[int]], known: Sequence[int]) -> list[tuple[int, int]]:
    """Return for each place whose shingle is known its call, and where the shingle stands among the known."""
    return [(row, known.index(value)) for row, shingles in enumerate(calls) for value in shingles if value in known]


def holders(pairs: Sequence[tuple[int, int]]) -> dict[int, set[int]]:
    """Return each value's accounts."""
    held: dict[int, set[int]] = defaultdict(set)
    for value, account in pairs:
        held[value].add(account)
    return held


def held_by_enough(pairs: Sequence[tuple[int, int]], accounts_min: int) -> list[int]:
    """Return the values that as many different accounts hold."""
    return sorted(value for value, accounts in holders(pairs).items() if len(accounts) >= accounts_min)


def assign_groups(
    calls: Sequence[Sequence[int]], group_of: Mapping[int, int], hits_needed: Sequence[int], out_max: int
) -> tuple[list[tuple[int, int]], int]:
    """Return pairs of call and group, a call's best group first, and how many calls had more groups than they keep."""
    pairs = []
    saturated = 0
    for row, shingles in enumerate(calls):
        hits = Counter(group_of[shingle] for shingle in shingles if shingle and shingle in group_of)
        enough = [group for group, times in hits.items() if times >= hits_needed[group]]
        enough.sort(key=lambda group: (-hits[group], group))
        pairs += [(row, group) for group in enough[:out_max]]
        saturated += len(enough) > out_max
    return pairs, saturated
