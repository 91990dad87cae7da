from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernels.holders import by_part, fresh_pairs, held_by_enough, take_witnesses
from stillwatch.trace import WITNESSES
from tests.naive import sharing as twin

ACCOUNTS_MIN = 3

pairs_of_few = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 7)), max_size=80)

Pairs = Sequence[tuple[int, int]]


def numbers(pairs: Pairs) -> np.ndarray:
    return np.array([value << 32 | account for value, account in pairs], dtype=np.uint64)


def told(numbers: np.ndarray) -> list[tuple[int, int]]:
    return [(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in numbers]


def fresh(pairs: Pairs, known_rows: int, cut: int) -> list[tuple[int, int]]:
    """Return what two batches have of pairs that a table of so many rows does not know."""
    known = np.zeros((known_rows, 3), dtype=np.uint32)
    holders = np.zeros((known_rows, ACCOUNTS_MIN), dtype=np.uint32)
    found = []
    for part in (pairs[:cut], pairs[cut:]):
        values, accounts = (np.array([pair[at] for pair in part], dtype=np.uint32) for at in (0, 1))
        found += told(fresh_pairs(values, np.arange(len(part), dtype=np.int32), accounts, known, holders))
    return found


@settings(max_examples=200)
@given(pairs_of_few, st.sampled_from([1, 2, 16]), st.integers(0, 80))
def test_of_each_value_all_accounts_are_returned_or_as_many_as_are_asked_for(
    pairs: Pairs, known_rows: int, cut: int
) -> None:
    found = fresh(pairs, known_rows, cut)
    assert set(found) <= set(pairs)
    expected, held = twin.holders(pairs), twin.holders(found)
    assert held.keys() == expected.keys()
    for value, accounts in expected.items():
        assert len(held[value]) >= min(ACCOUNTS_MIN, len(accounts))


def test_what_most_calls_carry_is_returned_a_few_times_though_a_hundred_others_want_its_place() -> None:
    pairs = [pair for at in range(2_000) for pair in ((1, at % 50), (1, at % 50), (2 + at % 100, 7))]
    assert sum(value == 1 for value, _ in fresh(pairs, 1, 500)) <= 2 * ACCOUNTS_MIN


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 2**32 - 1), st.integers(0, 7)), max_size=50), st.integers(1, 5))
def test_parts_hold_all_pairs_by_the_highest_bits_of_their_values(pairs: Pairs, part_bits: int) -> None:
    parted, starts = by_part(numbers(pairs), part_bits)
    assert sorted(told(parted)) == sorted(pairs)
    for part in range(1 << part_bits):
        assert {value >> 32 - part_bits for value, _ in told(parted[starts[part] : starts[part + 1]])} <= {part}


@settings(max_examples=200)
@given(pairs_of_few, st.integers(1, 4))
def test_values_of_enough_accounts_are_those_of_the_slow_twin(pairs: Pairs, accounts_min: int) -> None:
    found = held_by_enough(np.sort(numbers(pairs)), accounts_min)
    assert found.tolist() == twin.held_by_enough(pairs, accounts_min)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**64 - 1)), max_size=40), st.integers(0, 40))
def test_witnesses_are_those_of_the_slow_twin(places: Pairs, cut: int) -> None:
    minima = np.full((6, WITNESSES), ~np.uint64(0))
    for part in (places[:cut], places[cut:]):
        rows = np.arange(len(part), dtype=np.int32)
        events = np.array([event for _, event in part], dtype=np.uint64)
        take_witnesses(np.array([place for place, _ in part], dtype=np.int32), rows, events, minima)
    for place, witnesses in twin.witness_minima(places).items():
        assert minima[place].tolist() == witnesses
