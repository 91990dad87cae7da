from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernels.fill import fill_keys, item_keys, template_shingles
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
