"""Pool dispatch: a scheduler shares the work out, so accounts are busier alike than customers ever are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.kernels.rows import distinct
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, log_e_from_log_p, mean_log_e
from stillwatch.signals.counts import deviations_without, log_chi_square, log_p_too_equal, truncated_counts

IDENT = "pool-dispatch"
FAMILY: Family = "dispatch"
NEEDS = frozenset({"time"})

RATE_CV_MIN = 0.5
"""The least by which honest customers' rates differ (standard deviation over mean). Published client rates
are lognormal with sigma 1.8 to 2.7 (ServeGen), which is a CV above 5: the null is ten times more lenient."""

DAY_US = 86_400_000_000

ACCOUNTS_MIN = 8
PACE_BINS_MIN = 12


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether calls are spread over accounts, and over time, more evenly than independent use allows.

    Sees:       least-loaded, round-robin and random dispatch over a pool; a pool paced at a constant total.
    Misled by:  one assignment done by every member of a class (equal counts; the items then repeat).
    Evaded by:  unequal dispatch, which leaves capacity unused.
    Source:     method S3; ServeGen (arXiv 2505.09999) for the spread of honest rates.
    """
    counts = np.bincount(panel.calls.account[panel.calls.tested], minlength=len(panel.accounts))
    seen = counts[counts > 0]
    if len(seen) < ACCOUNTS_MIN:
        return Skipped(IDENT, f"fewer than {ACCOUNTS_MIN} accounts called in the tested blocks")
    spread_log_p, without_log_p, ratio, honest = _spread(seen, panel.leave_out)
    pace_log_p, pace_ratio = _pace(panel)
    days = day_counts(panel)
    day_log_p, day_without, day_ratio, _ = _spread(days[days > 0], panel.leave_out)
    log_e = _mean_log_e(spread_log_p, pace_log_p, day_log_p)
    left_out = None
    if panel.leave_out:
        fewer, fewer_of_a_day = (np.full(len(panel.accounts), log_p) for log_p in (spread_log_p, day_log_p))
        fewer[counts > 0], fewer_of_a_day[days > 0] = without_log_p, day_without
        pairs, which = np.unique(np.stack([fewer, fewer_of_a_day]), axis=1, return_inverse=True)
        left_out = np.array([_mean_log_e(one, pace_log_p, day) for one, day in pairs.T])[which.ravel()]
    said = Evidence(
        signal=IDENT,
        statement=f"calls for each of {len(seen)} accounts vary {ratio:.2f} times as much as chance alone makes "
        f"equal shares vary; independent customers of this volume vary {honest:.1f} times",
        value=ratio,
        p_value=float(np.exp(spread_log_p)),
        family=FAMILY,
    )
    pace = Evidence(
        signal=IDENT,
        statement=f"the family's total from block to block varies {pace_ratio:.2f} times as much as independent calls "
        "would",
        value=pace_ratio,
        p_value=float(np.exp(pace_log_p)),
        family=FAMILY,
    )
    daily = Evidence(
        signal=IDENT,
        statement=f"on one of its days each of {(days > 0).sum()} accounts made a number of calls that varies "
        f"{day_ratio:.2f} times as much as chance alone makes equal shares vary",
        value=day_ratio,
        p_value=float(np.exp(day_log_p)),
        family=FAMILY,
    )
    told = ((said, spread_log_p), (pace, pace_log_p), (daily, day_log_p))
    for_it = tuple(e for e, log_p in told if log_p < np.log(0.01))
    against = (said,) if spread_log_p >= np.log(0.01) else ()
    return Mark(IDENT, FAMILY, log_e, for_it, against, left_out, figures={"dispersion": ratio})


class Spread(NamedTuple):
    """How evenly calls are spread: log p, the same without each entry, and by how much counts vary beside equal shares;
    `honest` is by how much independent customers' would.
    """

    log_p: float
    without: Floats
    ratio: float
    honest: float


def _spread(counts: Ints, leave_out: bool = True) -> Spread:
    mean = float(counts.mean())
    squared, weights = _squares(mean, RATE_CV_MIN)
    whole, without = deviations_without(counts)
    poisson_variance = float(np.dot(*_squares(mean, 0.0)))
    ratio = whole / max(1e-12, poisson_variance * (len(counts) - 1))
    honest = float(np.dot(squared, weights) / max(1e-12, poisson_variance))
    log_p = log_p_too_equal(whole, len(counts) - 1, squared, weights)
    if not leave_out:
        return Spread(log_p, np.full(len(counts), log_p), ratio, honest)
    alike, first, inverse = np.unique(counts, return_index=True, return_inverse=True)
    log_ps = []
    for count, left in zip(alike, without[first], strict=True):
        mean = float((counts.sum() - count) / (len(counts) - 1))
        log_ps.append(log_p_too_equal(float(left), len(counts) - 2, *_squares(mean, RATE_CV_MIN)))
    return Spread(log_p, np.array(log_ps)[inverse], ratio, honest)


def _squares(mean: float, rate_cv: float) -> tuple[Floats, Floats]:
    """Return squared deviations from the mean of independent callers' counts, and their probabilities."""
    table, weights = truncated_counts(mean, rate_cv)
    return (table - mean) ** 2, weights


def _pace(panel: Panel) -> tuple[float, float]:
    """Compare the family's calls in each block with everybody else's curve: too steady a total is a scheduler.

    The family's own calls are no part of the curve, or a family that is most of a log would follow itself.
    """
    population = panel.population
    block = panel.calls.time_us // population.block_us - population.block_first
    observed = np.bincount(block, minlength=len(population.block_calls)).astype(np.float64)
    active = np.flatnonzero(observed)
    inside = np.arange(active[0] + 1, active[-1])
    inside = inside[population.block_tested[inside]]
    observed, curve = observed[inside], population.block_calls[inside] - observed[inside]
    if len(observed) < PACE_BINS_MIN or observed.sum() == 0 or curve.min() <= 0:
        return 0.0, 1.0
    best = (0.0, 1.0)
    flat = np.full(len(curve), curve.mean())
    for shape in (curve, flat):
        expected = shape / shape.sum() * observed.sum()
        squares = float(((observed - expected) ** 2 / expected).sum())
        log_p = log_chi_square(squares, len(observed) - 1) + np.log(2)
        if log_p < best[0]:
            best = (log_p, squares / (len(observed) - 1))
    return best


def day_counts(panel: Panel) -> Ints:
    """Return each account's tested calls on one of its days, 0 where it has none: int64[K].

    Accounts that are replaced one after another live for different times, and only their days can be as busy alike.
    The day is any of the account's active ones, by its key; of three or more neither the first nor the last.

    Twin:    tests/naive/pool_dispatch.py::day_counts
    """
    tested = panel.calls.tested
    (account, _), calls = distinct(panel.calls.account[tested], panel.calls.time_us[tested] // DAY_US)
    found = np.zeros(len(panel.accounts), dtype=np.int64)
    if not len(account):
        return found
    who, first, days = np.unique(account, return_index=True, return_counts=True)
    skipped = (days >= 3).astype(np.int64)
    pick = first + skipped + (panel.accounts[who] % (days - 2 * skipped).astype(np.uint64)).astype(np.int64)
    found[who] = calls[pick]
    return found


def _mean_log_e(*log_ps: float) -> float:
    return float(mean_log_e([log_e_from_log_p(log_p) for log_p in log_ps]))
