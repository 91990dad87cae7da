from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernels.fill import carried_counts, core_hits, core_shingles, fill_keys, item_keys, template_shingles
from tests.naive import fill as twin

WIDTH = 5
call = st.lists(st.integers(0, 12), min_size=WIDTH, max_size=WIDTH)
pools = st.lists(st.lists(call, max_size=7), min_size=1, max_size=6)


def table(pool: list[list[list[int]]]) -> tuple[np.ndarray, np.ndarray]:
    calls = [row for account in pool for row in account]
    starts = np.cumsum([0, *map(len, pool)]).astype(np.int64)
    return np.array(calls, dtype=np.uint32).reshape(len(calls), WIDTH), starts


@settings(max_examples=150)
@given(pools)
def test_a_fill_is_named_as_by_the_slow_twin(pool: list[list[list[int]]]) -> None:
    shingles, starts = table(pool)
    template = template_shingles(shingles)
    expected = twin.template_shingles([row for account in pool for row in account])
    assert template.tolist() == sorted(expected)
    assert fill_keys(shingles, starts, template).tolist() == twin.fill_keys(pool, expected)


def test_one_item_has_one_name_behind_every_accounts_private_preamble() -> None:
    template = [900, 901]
    pool = [[[100 + account, *template, 10 * item + 3, 10 * item + 4] for item in range(8)] for account in range(6)]
    shingles, starts = table(pool)
    names = fill_keys(shingles, starts, template_shingles(shingles)).reshape(6, 8)
    assert (names == names[0]).all()
    assert len(set(names[0].tolist())) == 8


def test_items_are_named_by_their_fill_only_where_preambles_hide_that_they_are_met_again() -> None:
    rng = np.random.default_rng(1)
    account = np.repeat(np.arange(6), 8)
    item = np.tile(np.arange(8), 6)
    shingles = np.stack([100 + account, 900 + 0 * item, 901 + 0 * item, 10 * item + 3, 10 * item + 4], axis=1)
    shingles = shingles.astype(np.uint32)
    everything = np.ones(len(item), dtype=bool)
    hidden = rng.choice(2**62, len(item), replace=False).astype(np.uint64)
    open_text = item.astype(np.uint64) + 1
    fills = item_keys(hidden, shingles, account, everything)
    assert len(set(fills.tolist())) == 8
    assert item_keys(open_text, shingles, account, everything).tolist() == open_text.tolist()


@settings(max_examples=100)
@given(st.lists(call, max_size=12), st.sets(st.integers(1, 12)))
def test_calls_carry_as_much_of_the_core_as_in_the_slow_twin(calls: list[list[int]], core: set[int]) -> None:
    shingles = np.array(calls, dtype=np.uint32).reshape(len(calls), WIDTH)
    found = core_hits(shingles, np.array(sorted(core), dtype=np.uint32))
    assert found.tolist() == twin.core_hits(calls, core)


def test_who_shares_but_a_phrase_with_a_family_is_outside_its_core() -> None:
    members = [[901, 902, 903, 904, 10 + n] for n in range(30)]
    passers_by = [[901, 500 + n, 600 + n, 700 + n, 800 + n] for n in range(10)]
    shingles = np.array(members + passers_by, dtype=np.uint32)
    core, hits, needed = core_shingles(shingles)
    assert core.tolist() == [901, 902, 903, 904]
    assert hits.tolist() == core_hits(shingles, core).tolist()
    assert (hits >= needed).tolist() == [True] * 30 + [False] * 10


@settings(max_examples=100)
@given(st.lists(call, max_size=12), st.sets(st.integers(1, 12)))
def test_values_are_counted_over_calls_as_by_the_slow_twin(calls: list[list[int]], values: set[int]) -> None:
    shingles = np.array(calls, dtype=np.uint32).reshape(len(calls), WIDTH)
    found = carried_counts(shingles, np.array(sorted(values), dtype=np.uint32))
    assert found.tolist() == twin.carried_counts(calls, sorted(values))
