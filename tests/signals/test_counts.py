from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from stillwatch.signals.counts import (
    deviations_without,
    log_binomial_tail,
    log_chi_square,
    log_hypergeometric_tail,
    log_p_too_equal,
    log_poisson_tail,
    truncated_counts,
)
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


def test_tails_have_the_bits_of_scipys() -> None:
    rng = np.random.default_rng(6)
    for top in (6, 60, 6_000, 600_000):
        count, mean = rng.integers(0, top, 4_000), rng.random(4_000) * top / 2
        chance = np.round(rng.random(4_000) ** 3, rng.integers(1, 9))
        more_than = np.minimum((count * rng.random(4_000) ** 2).astype(int) - 1, count)
        assert (log_binomial_tail(more_than, count, chance) == stats.binom.logsf(more_than, count, chance)).all()
        assert (log_poisson_tail(more_than, mean) == stats.poisson.logsf(more_than, mean)).all()
        assert (special.pdtr(count, mean) == stats.poisson.cdf(count, mean)).all()
        for value, freedom in zip(mean[:300].tolist(), (count[:300] + 1).tolist(), strict=True):
            assert log_chi_square(value, freedom) == stats.chi2.logcdf(value, freedom)


def test_the_hypergeometric_tail_has_the_bits_of_scipys() -> None:
    rng = np.random.default_rng(7)
    for _ in range(1_500):
        population = int(10 ** rng.uniform(1, 6))
        marked = int(rng.integers(1, min(population, 300)))
        drawn = int(rng.integers(1, min(population, 20_000)))
        more_than = int(rng.integers(0, marked)) if rng.random() < 0.7 else 0
        expected = stats.hypergeom.logsf(more_than, population, marked, drawn)
        assert log_hypergeometric_tail(more_than, population, marked, drawn) == expected


@pytest.mark.parametrize("mean", [1.0, 1.3, 4.0, 300.0])
def test_masses_of_counts_have_the_bits_of_scipys(mean: float) -> None:
    counts, masses = truncated_counts(mean, 0.5)
    base = optimize.brentq(
        lambda m: m / -np.expm1(4 * np.log(4 / (4 + m))) - max(mean, 1 + 1e-9), 1e-12, max(mean, 1 + 1e-9)
    )
    expected = stats.nbinom.pmf(counts, 4.0, 4.0 / (4.0 + base))
    assert (masses == expected / expected.sum()).all()
    base = optimize.brentq(lambda m: m / -np.expm1(-m) - max(mean, 1 + 1e-9), 1e-12, max(mean, 1 + 1e-9))
    counts, masses = truncated_counts(mean, 0.0)
    expected = stats.poisson.pmf(counts, base)
    assert (masses == expected / expected.sum()).all()
