from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import capability_sweep as signal
from stillwatch.signals.contract import Mark, Panel
from tests.naive import capability_sweep as twin
from tests.signals.panels import panel

COMMON_WORDS, TOPIC_WORDS, WORDS_A_CALL, OWN_WORDS = 60, 120, 14, 7


def asked(rng: np.random.Generator, sizes: np.ndarray, topics: int | None) -> Panel:
    """Calls of half common words and half words of a topic: the account's own, or any of so many."""
    account = np.repeat(np.arange(len(sizes)), sizes)
    topic = account if topics is None else rng.integers(0, topics, len(account))
    common = rng.integers(0, COMMON_WORDS, (len(account), WORDS_A_CALL - OWN_WORDS))
    own = 1_000 + topic[:, None] * TOPIC_WORDS + rng.integers(0, TOPIC_WORDS, (len(account), OWN_WORDS))
    bucket = np.random.default_rng(5).integers(0, 64, 1_000 + 10_000 * TOPIC_WORDS)
    masks = np.bitwise_or.reduce(np.uint64(1) << bucket[np.hstack([common, own])].astype(np.uint64), axis=1)
    return panel(account, accounts_count=len(sizes), topic=masks)


def score(found: Panel) -> float:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is None
    assert mark.score is not None
    return mark.score


equal = np.full(120, 20)


@given(st.integers(0, 2**32), st.lists(st.integers(1, 10), min_size=2, max_size=5))
def test_the_field_is_divided_as_in_the_slow_twin(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random((size, 64)) < rng.random(64) ** 0.2 for size in sizes]
    found = signal.tiling(np.array([mask.sum(axis=0) for mask in masks], float), np.array(sizes, float))
    expected = twin.tiling([[frozenset(np.flatnonzero(call).tolist()) for call in mask] for mask in masks])
    assert (found.apart, found.own, found.spread) == pytest.approx(expected, abs=1e-9)


def test_accounts_with_a_topic_each_and_equal_shares_sweep_a_field() -> None:
    found = [score(asked(np.random.default_rng(seed), equal, None)) for seed in range(5)]
    assert min(found) > 0.5
    mark = signal.conclude(asked(np.random.default_rng(1), equal, None))
    assert isinstance(mark, Mark)
    assert "each account keeps to topics of its own" in mark.evidence[0].statement


def test_random_dispatch_of_topics_is_a_sweep_as_well() -> None:
    rng = np.random.default_rng(3)
    assert score(asked(rng, rng.poisson(20, 120) + 1, None)) > 0.3


@pytest.mark.parametrize("sigma", [0.8, 1.8])
def test_customers_with_topics_of_their_own_and_rates_of_their_own_sweep_nothing(sigma: float) -> None:
    """Tolerance: none of twenty families of 120 customers, whose rates vary at least as published ones do."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = 1 + rng.poisson(20 * np.minimum(rng.lognormal(0, sigma, 120), 30))
        assert score(asked(rng, sizes, None)) == 0


def test_shards_that_are_alike_are_left_to_homogeneity() -> None:
    assert max(score(asked(np.random.default_rng(seed), equal, 120)) for seed in range(5)) < 0.1


def test_users_of_one_narrow_subject_sweep_nothing() -> None:
    assert max(score(asked(np.random.default_rng(seed), equal, 1)) for seed in range(5)) < 0.1


def test_a_preamble_of_ones_own_is_no_topic() -> None:
    found = asked(np.random.default_rng(1), equal, 120)
    found.calls.topic[:] |= np.uint64(1) << (found.calls.account % 64).astype(np.uint64)
    assert score(found) < 0.1


def test_it_says_why_it_cannot_run() -> None:
    few = signal.conclude(asked(np.random.default_rng(1), np.full(5, 20), None))
    assert isinstance(few, Skipped)
    assert "fewer than 8 accounts" in few.reason
    assert isinstance(signal.conclude(asked(np.random.default_rng(1), np.full(50, 2), None)), Skipped)
