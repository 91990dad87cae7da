from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.engines.blocks import BLOCK_US, BLOCKS_MIN, LogFacts, split_time

FIRST_US = 1_790_000_000_000_000


def facts(span_us: int) -> LogFacts:
    return LogFacts(1_000, 10, FIRST_US, FIRST_US + span_us, 0)


@given(st.integers(0, 400 * 24 * BLOCK_US), st.integers(0, 2**31))
def test_of_each_two_neighbouring_blocks_one_is_tested(span_us: int, seed: int) -> None:
    blocks = split_time(facts(span_us), seed)
    pairs = (FIRST_US // blocks.width_us // 2 * 2 + np.arange(200)) * blocks.width_us
    assert blocks.tested(pairs).reshape(-1, 2).sum(axis=1).tolist() == [1] * 100


@given(st.integers(0, 10**9))
def test_a_block_is_wholly_on_one_side(offset: int) -> None:
    blocks = split_time(facts(48 * BLOCK_US), 0)
    start = FIRST_US // BLOCK_US * BLOCK_US
    assert len(set(blocks.tested(np.array([start, start + offset % BLOCK_US])).tolist())) == 1


@pytest.mark.parametrize("hours", [0.1, 1, 6, 11])
def test_a_short_log_is_cut_into_enough_blocks_of_a_minute_at_least(hours: float) -> None:
    span = int(hours * BLOCK_US)
    width = split_time(facts(span), 0).width_us
    assert width >= 60_000_000
    assert width % 60_000_000 == 0
    assert width == 60_000_000 or span // width >= BLOCKS_MIN


def test_the_seed_decides_which_half_is_looked_at_first() -> None:
    times = FIRST_US + np.arange(500) * BLOCK_US
    halves = {tuple(split_time(facts(500 * BLOCK_US), seed).tested(times).tolist()) for seed in range(4)}
    assert len(halves) == 4
