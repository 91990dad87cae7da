from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.signals.counts import deviations_without, log_p_too_equal, truncated_counts
from tests.naive import chance


@pytest.mark.parametrize("mean", [1.05, 2.0, 9.5])
@pytest.mark.parametrize("cv", [0.0, 0.5, 1.5])
def test_counts_that_are_seen_at_least_once_are_those_of_the_slow_twin(mean: float, cv: float) -> None:
    counts, masses = truncated_counts(mean, cv)
    made = chance.poisson if cv == 0 else lambda base: chance.gamma_poisson(base, cv)
    expected = chance.seen_at_least_once(mean, made, len(counts) + 1)
    assert masses == pytest.approx(expected, abs=1e-6)
    assert float(counts @ masses) == pytest.approx(mean, rel=1e-4)


@settings(max_examples=20)
@given(st.floats(0.05, 0.99), st.integers(5, 60))
def test_the_bound_of_chernoff_is_that_of_the_slow_twin(share: float, count: int) -> None:
    counts, masses = truncated_counts(4.0, 0.5)
    squares = (counts - 4.0) ** 2
    observed = share * count * float(squares @ masses)
    expected = chance.log_too_equal(observed, count, squares[:200].tolist(), masses[:200].tolist())
    assert log_p_too_equal(observed, count, squares, masses) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_bound_is_above_what_happens_in_a_thousand_throws() -> None:
    rng = np.random.default_rng(5)
    counts, masses = truncated_counts(3.0, 0.5)
    thrown = rng.choice(counts, p=masses, size=(1000, 20))
    sums = ((thrown - 3.0) ** 2).sum(axis=1)
    for share in (0.2, 0.5, 0.8):
        at = share * 20 * float((counts - 3.0) ** 2 @ masses)
        happened = (sums <= at).mean()
        bound = math.exp(log_p_too_equal(at, 20, (counts - 3.0) ** 2, masses))
        assert happened <= bound + 3 * math.sqrt(bound / 1000)


def test_counts_as_unequal_as_expected_say_nothing() -> None:
    counts, masses = truncated_counts(3.0, 0.5)
    squares = (counts - 3.0) ** 2
    assert log_p_too_equal(30 * float(squares @ masses), 30, squares, masses) == 0.0


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12))
def test_leaving_an_entry_out_is_leaving_it_out(values: list[int]) -> None:
    whole, without = deviations_without(np.array(values))
    assert whole == pytest.approx(chance.squares_sum(values), abs=1e-6)
    for at, left in enumerate(without):
        assert left == pytest.approx(chance.squares_sum([*values[:at], *values[at + 1 :]]), abs=1e-6)
