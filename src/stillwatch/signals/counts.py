"""What several signals reckon with: bounds for counts that are more equal than chance allows, tails, chances at odds.

Tails have the bits that scipy.stats gives them, without its half a second to import and its tenth of a millisecond a
call (`tests/signals/test_counts.py` compares them).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from scipy.special import _ufuncs

from stillwatch.signals.contract import Floats, Ints

TAIL_MASS = 1e-12
"""What may be missing beyond the end of a tabulated distribution."""


def log_p_too_equal(sum_of_squares: float, count: int, values: Floats, weights: Floats) -> float:
    """Return an upper bound of log P(sum of `count` squared deviations <= the observed sum).

    Shapes:  values, weights: the distribution of one squared deviation under the null.
    Source:  Chernoff 1952: P(S <= s) <= exp(t s) E[exp(-t Y)]^count for every t >= 0.
    """
    mean = float(np.dot(values, weights))
    if count == 0 or mean <= 0 or sum_of_squares >= count * mean:
        return 0.0
    log_weights = np.log(np.maximum(weights, 1e-300))

    def bound(log_t: float) -> float:
        t = np.exp(log_t)
        return float(t * sum_of_squares + count * log_sum_exp(log_weights - t * values))

    found = optimize.minimize_scalar(bound, bounds=(-25.0, 12.0), method="bounded")
    return min(0.0, float(found.fun))


def log_sum_exp(values: Floats) -> float:
    """Return log of the sum of exp(values), which are overwritten: the same bits as `scipy.special.logsumexp` gives.

    The largest are counted and kept out of the sum, so that what is small beside them is not lost. Without scipy's care
    for shapes and kinds of arrays it takes a tenth of the time on some hundred values.

    Shapes:  float64[n], n >= 1, not all of them infinite.
    """
    top = values.max()
    largest = values == top
    values -= top
    values[largest] = -np.inf
    rest, times = np.exp(values, out=values).sum(), np.float64(np.count_nonzero(largest))
    return float(np.log1p(rest / times) + np.log(times) + top)


def truncated_counts(mean: float, rate_cv: float) -> tuple[Floats, Floats]:
    """Return counts 1, 2, … and their probabilities: independent callers whose rates differ by `rate_cv`, each
    seen at least once, with the given mean among those seen.

    A gamma mixture of Poisson counts (negative binomial), truncated at zero; a plain Poisson for rate_cv = 0.
    """
    target = max(mean, 1.0 + 1e-9)

    def seen_mean(base: float) -> float:
        return float(base / -np.expm1(_log_none(base, rate_cv)))

    base = float(optimize.brentq(lambda m: seen_mean(m) - target, 1e-12, target))
    top = int(base + 40 * np.sqrt(base + (base * rate_cv) ** 2) + 60)
    counts = np.arange(1, top, dtype=np.float64)
    if rate_cv == 0:
        mass = np.exp(special.xlogy(counts, base) - special.gammaln(counts + 1) - base)
    else:
        shape = 1 / rate_cv**2
        # What scipy.stats.nbinom asks; nothing that is public gives the same bits.
        mass = _ufuncs._nbinom_pmf(counts, shape, shape / (shape + base))
    total = mass.sum()
    return counts, mass / total


def _log_none(base: float, rate_cv: float) -> float:
    if rate_cv == 0:
        return -base
    shape = 1 / rate_cv**2
    return float(shape * np.log(shape / (shape + base)))


def log_binomial_tail(more_than: Ints | int, count: Ints | int, chance: Floats | float) -> Floats:
    """Return log P(X > more_than) of binomial counts, for every more_than >= -1."""
    few, left = np.maximum(more_than, 0), np.maximum(np.subtract(count, more_than), 1)
    inside = special.betainc(few + 1.0, left * 1.0, chance)
    tail = np.where(np.less(more_than, 0), 1.0, np.where(np.greater_equal(more_than, count), 0.0, inside))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(tail))


def log_poisson_tail(more_than: Ints | int, mean: Floats | float) -> Floats:
    """Return log P(X > more_than) of Poisson counts, for every more_than >= -1."""
    tail = np.where(np.less(more_than, 0), 1.0, special.pdtrc(np.maximum(more_than, 0), mean))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(tail))


def log_chi_square(value: float, freedom: int) -> float:
    """Return log P(X <= value) of the chi-square distribution, from the nearer of its ends."""
    if value < 2 * special.gammaincinv(freedom / 2, 0.5):
        with np.errstate(divide="ignore"):
            return float(np.log(special.chdtr(freedom, value)))
    return float(np.log1p(-special.chdtrc(freedom, value)))


def log_hypergeometric_tail(more_than: int, population: int, marked: int, drawn: int) -> float:
    """Return log P(X > more_than) of how many marked ones are among those drawn, for 0 <= more_than < marked.

    Cost:    O(marked) logarithms of the beta function, and O(drawn) additions.
    """
    if more_than < drawn - (population - marked):
        return 0.0
    if more_than >= min(marked, drawn):
        return -np.inf
    if (more_than + 0.5) * (population + 0.5) < (marked - 0.5) * (drawn - 0.5):
        log_few = log_sum_exp(_log_hypergeometric(np.arange(more_than + 1), population, marked, drawn))
        return float(np.log1p(-np.exp(log_few)))
    log_many = np.full(drawn - more_than, -np.inf)
    possible = np.arange(more_than + 1, min(marked, drawn) + 1)
    log_many[: len(possible)] = _log_hypergeometric(possible, population, marked, drawn)
    return log_sum_exp(log_many)


def _log_hypergeometric(hits: Ints, population: int, marked: int, drawn: int) -> Floats:
    """Return log of (marked over hits) (others over drawn - hits) / (population over drawn), by beta functions."""
    beta, others = special.betaln, population - marked
    ways = beta(marked + 1, 1) + beta(others + 1, 1) + beta(population - drawn + 1, drawn + 1)
    taken = beta(hits + 1, marked - hits + 1), beta(drawn - hits + 1, others - drawn + hits + 1)
    return np.asarray(ways - taken[0] - taken[1] - beta(population + 1, 1))


def deviations_without(counts: Ints) -> tuple[float, Floats]:
    """Return the sum of squared deviations from the mean, and the same with each entry left out.

    Shapes:  counts: K entries, K >= 2 → float, float64[K].
    """
    values = counts.astype(np.float64)
    size = len(values)
    total, squares = values.sum(), (values**2).sum()
    whole = squares - total**2 / size
    left = (squares - values**2) - (total - values) ** 2 / (size - 1)
    return float(whole), left


def sums_without(values: Floats, fold: NDArray[np.uint64]) -> Floats:
    """Return the sum of each column without the rows of each fold, exact for whole numbers below 2⁵³.

    Shapes:  values float64[n, c]; fold uint64[n], n >= 1 → float64[folds, c], in the order of the folds.
    """
    order = np.argsort(fold, kind="stable")
    starts = np.unique(fold[order], return_index=True)[1]
    return np.asarray(values.sum(axis=0) - np.add.reduceat(values[order], starts, axis=0))


def at_odds(share: Floats | float, odds: float) -> Floats:
    """Return the chance of what is `odds` times as common as others, where the chance of anybody is `share`."""
    return np.asarray(odds * share / (1 + (odds - 1) * share))
