from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernels.sharing import (
    assign_groups,
    directory,
    hold,
    indices_of,
    keep_shared_slots,
    mark_accounts,
    mark_again,
    passing,
    shared_places,
    shared_slots,
    slots_of,
)
from stillwatch.trace import WITNESSES
from tests.naive import sharing as twin

SLOTS = 64
"""A slot covers sixteen shingle values; values below 1024 need no more slots than these."""

WIDTH = 6

shingle_rows = st.lists(st.integers(0, SLOTS * 16 - 1), min_size=WIDTH, max_size=WIDTH)
account_keys = st.integers(1, 2**64 - 1)
logs = st.lists(st.tuples(account_keys, shingle_rows), max_size=30)

Log = Sequence[tuple[int, Sequence[int]]]


def columns(log: Log) -> tuple[np.ndarray, np.ndarray]:
    width = len(log[0][1]) if log else WIDTH
    shingles = np.array([row for _, row in log], dtype=np.uint32).reshape(len(log), width)
    return shingles, np.array([account for account, _ in log], dtype=np.uint64)


def shared_places_agree(log: Log) -> None:
    shingles, accounts = columns(log)
    table = np.zeros(SLOTS, dtype=np.uint8)
    mark_accounts(shingles, accounts, table)
    bits = twin.mark_accounts(log)
    assert {slot: int(table[slot]) for slot in np.flatnonzero(table)} == bits
    slots = shared_slots(table)
    rows, values = shared_places(shingles, slots)
    expected = [
        (row, value) for row, (_, of) in enumerate(log) for value in of if value and twin.passes(bits[value // 16])
    ]
    assert list(zip(rows.tolist(), values.tolist(), strict=True)) == expected


def calls_and_groups_agree(
    calls: Sequence[Sequence[int]], group_of: dict[int, int], needed: Sequence[int], out_max: int
) -> None:
    known = np.array(sorted(group_of), dtype=np.uint32)
    groups = np.array([group_of[value] for value in sorted(group_of)], dtype=np.int32)
    shingles, _ = columns([(1, row) for row in calls])
    hits = np.array(needed, dtype=np.int32)
    rows, values = shared_places(shingles, slots_of(known, 24), 24)
    rows, places = indices_of(rows, values, known, directory(known, 8), 8)
    assert list(zip(rows.tolist(), places.tolist(), strict=True)) == twin.known_places(calls, sorted(group_of))
    rows, found, saturated = assign_groups(rows, places, groups, hits, out_max)
    expected, over = twin.assign_groups(calls, group_of, needed, out_max)
    assert list(zip(rows.tolist(), found.tolist(), strict=True)) == expected
    assert saturated == over


@settings(max_examples=100)
@given(logs)
def test_the_same_shingles_pass_as_in_the_slow_twin(log: Log) -> None:
    shared_places_agree(log)


@settings(max_examples=50)
@given(logs, st.randoms(use_true_random=False), st.integers(0, 30))
def test_order_repetition_and_cut_do_not_change_the_table(log: list, random: object, at: int) -> None:
    once, again = np.zeros(SLOTS, dtype=np.uint8), np.zeros(SLOTS, dtype=np.uint8)
    mark_accounts(*columns(log), once)
    shuffled = log + log[:at]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for part in (shuffled[:at], shuffled[at:]):
        mark_accounts(*columns(part), again)
    assert once.tolist() == again.tolist()


def test_a_shingle_of_many_accounts_passes_and_one_of_two_never_does() -> None:
    many = [(account * 977, [16] * WIDTH) for account in range(1, 60)]
    few = [(account, [32] * WIDTH) for account in (5, 6)] * 20
    shingles, accounts = columns(many + few)
    table = np.zeros(SLOTS, dtype=np.uint8)
    mark_accounts(shingles, accounts, table)
    slots = shared_slots(table)
    keep_shared_slots(table)
    assert (table[1], table[2]) == (1, 0)
    assert np.unpackbits(slots, bitorder="little").tolist() == table.tolist()


@settings(max_examples=100)
@given(logs)
def test_the_second_table_holds_what_the_slow_twin_marks(log: Log) -> None:
    shingles, accounts = columns(log)
    rows, values = shared_places(shingles, np.full(SLOTS // 8, 255, dtype=np.uint8))
    second = np.zeros(SLOTS, dtype=np.uint8)
    mark_again(values, rows, accounts, second)
    bits = twin.mark_again([(int(value), int(accounts[row])) for value, row in zip(values, rows, strict=True)], SLOTS)
    assert {slot: int(second[slot]) for slot in np.flatnonzero(second)} == bits
    kept_rows, kept = passing(values, rows, shared_slots(second))
    assert set(kept.tolist()) == {
        value for value in values.tolist() if twin.passes(bits[twin.mix(value ^ twin.OTHER) % SLOTS])
    }
    assert len(kept_rows) == len(kept)


def held(places: Sequence[tuple[int, int, int]], size: int, accounts_max: int) -> tuple[np.ndarray, ...] | None:
    """Hold pairs of shingle and account, one event a row, in a table of `size` rows; None where it is full."""
    table = (
        np.zeros(size, dtype=np.uint32), np.zeros((size, accounts_max), dtype=np.uint64),
        np.zeros(size, dtype=np.uint8), np.full((size, WITNESSES), ~np.uint64(0)),
    )  # fmt: skip
    values = np.array([place[0] for place in places], dtype=np.uint32)
    accounts, events = (np.array([place[at] for place in places], dtype=np.uint64) for at in (1, 2))
    fresh = hold(values, np.arange(len(places)), accounts, events, *table)
    assert fresh in (-1, len({place[0] for place in places}))
    return None if fresh < 0 else table


three = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**64 - 1))


@settings(max_examples=100)
@given(st.lists(three, max_size=40))
def test_holders_and_witnesses_are_those_of_the_slow_twin(places: list[tuple[int, int, int]]) -> None:
    table = held(places, 16, 3)
    assert table is not None
    shingle, holders, count, minima = table
    found = {
        int(shingle[slot]): (int(count[slot]), set(holders[slot, : count[slot]].tolist()), minima[slot].tolist())
        for slot in np.flatnonzero(shingle)
    }
    expected = twin.hold(places)
    assert found.keys() == expected.keys()
    for value, (accounts, witnesses) in expected.items():
        assert found[value][0] == min(3, len(accounts))
        assert found[value][1] <= accounts
        assert found[value][2] == witnesses


def test_a_table_that_is_too_small_says_so() -> None:
    assert held([(value, 1, value) for value in range(1, 18)], 16, 3) is None


@st.composite
def groupings(draw: st.DrawFn) -> tuple[list[list[int]], dict[int, int], list[int], int]:
    values = draw(st.lists(st.integers(1, SLOTS * 16 - 1), min_size=1, max_size=12, unique=True))
    groups = draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)))
    known = st.sampled_from(values) | st.integers(0, SLOTS * 16 - 1)
    calls = draw(st.lists(st.lists(known, min_size=WIDTH, max_size=WIDTH), max_size=12))
    needed = draw(st.lists(st.integers(1, 2), min_size=5, max_size=5))
    return calls, dict(zip(values, groups, strict=True)), needed, draw(st.integers(1, 4))


@settings(max_examples=150)
@given(groupings())
def test_calls_belong_to_the_groups_of_the_slow_twin(case: tuple) -> None:
    calls_and_groups_agree(*case)
