"""Population homogeneity: shards of one queue ask about the same things, customers ask about their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.kernels.bits import bit_sums
from stillwatch.signals.contract import Floats, Mark, Panel
from stillwatch.signals.counts import sums_without

IDENT = "population-homogeneity"
FAMILY: Family = "content"
NEEDS = frozenset({"input_text"})

ACCOUNTS_MIN = 8
PREAMBLE_CALLS_MIN = 8
"""With eight calls that all set a bit, the bit is the account's own preamble rather than chance: leaving it out
by mistake biases small accounts, which then seem to differ from large ones."""

FOLDS = 20
"""Groups of accounts of the jackknife: enough for a standard error within a sixth of itself."""

LIKE_STRANGERS = 0.02
"""From this intraclass correlation on accounts differ as strangers with a common interest do (method: F = 1.2 at ten
calls an account)."""

CORRELATION_FLOOR = 1e-3
"""Below this intraclass correlation accounts are as good as exchangeable, and the score is 1."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Measure how much accounts differ in topic, as an upper bound of the intraclass correlation.

    All blocks are read: families are chosen by what they ask for, never by how alike their accounts are, and a swarm
    has too few calls an account for one side alone.

    Sees:       shards of one queue: accounts exchangeable, correlation near 0.
    Misled by:  a class or an evaluation, where everyone asks the same (the items then repeat).
    Evaded by:  topical shards, one topic an account.
    Source:     method S2; Donner 1986 for the intraclass correlation; Efron and Stein 1981 for the jackknife.
    """
    calls = panel.calls
    told = calls.topic != 0
    told &= np.bincount(calls.account[told], minlength=len(panel.accounts))[calls.account] >= 2
    accounts, account = np.unique(calls.account[told], return_inverse=True)
    if len(accounts) < ACCOUNTS_MIN:
        return Skipped(IDENT, f"fewer than {ACCOUNTS_MIN} accounts with two calls whose topic can be told")
    sums = bit_sums(calls.topic[told], account, len(accounts))
    sizes = np.bincount(account, minlength=len(accounts)).astype(np.float64)
    busy = sizes >= PREAMBLE_CALLS_MIN
    if busy.sum() >= ACCOUNTS_MIN:
        accounts, sums, sizes = accounts[busy], sums[busy], sizes[busy]
    correlation, error, ratio = intraclass(sums, sizes, panel.accounts[accounts] % np.uint64(FOLDS))
    if not np.isfinite(ratio):
        return Skipped(IDENT, "all calls of each account are about the same, so that nothing varies within one")
    upper = max(0.0, correlation) + 2 * error
    score = homogeneity_score(upper)
    said = Evidence(
        IDENT,
        f"topics differ between accounts {ratio:.2f} times as much as within them "
        f"(intraclass correlation {correlation:.3f}, at most {upper:.3f})",
        ratio,
        None,
        FAMILY,
    )
    for_it, against = ((said,), ()) if upper < LIKE_STRANGERS else ((), (said,))
    return Mark(IDENT, FAMILY, None, for_it, against, score=score, figures={"correlation_upper": upper})


def homogeneity_score(upper: float) -> float:
    """Return 1 for exchangeable accounts and 0 for a correlation of 1, on a logarithmic scale."""
    return float(np.clip(np.log(max(upper, CORRELATION_FLOOR)) / np.log(CORRELATION_FLOOR), 0.0, 1.0))


def intraclass(sums: Floats, sizes: Floats, fold: np.ndarray) -> tuple[float, float, float]:
    """Return the intraclass correlation over the bits, its jackknife standard error, and F.

    An account's bits that all its calls set are its preamble and count as missing.
    Shapes:  sums float64[K, 64]; sizes float64[K]; fold int[K].
    Twin:    tests/naive/population_homogeneity.py::intraclass
    """
    free = ~((sums >= sizes[:, None]) & (sizes[:, None] >= PREAMBLE_CALLS_MIN))
    kept = np.where(free, sums, 0.0)
    weight = np.where(free, sizes[:, None], 0.0)
    square = np.where(free, sums**2 / sizes[:, None], 0.0)
    # But for the squares all are whole numbers, whose sums without a fold are exact however they are come by.
    columns = [kept, weight, weight**2, free.astype(np.float64)]
    whole, ratio = _correlation([column.sum(axis=0) for column in columns], square.sum(axis=0))
    lefts = []
    for part, *sums_left in zip(np.unique(fold), *(sums_without(column, fold) for column in columns), strict=True):
        stay = fold != part
        if stay.sum() > 1:
            lefts.append(_correlation(sums_left, square[stay].sum(axis=0))[0])
    parts = np.array(lefts)
    error = float(np.sqrt((len(parts) - 1) * parts.var())) if len(parts) > 1 else 1.0
    return whole, error, ratio


def _correlation(sums: Sequence[Floats], square: Floats) -> tuple[float, float]:
    """Return the intraclass correlation and F from what accounts add up to, bit by bit: how often it is set, the calls,
    the squares of the calls, the accounts; and the squares over the calls: float64[64] each.
    """
    ones, calls, calls_squared, accounts = sums
    used = (accounts > 1) & (calls > accounts)
    ones, calls, calls_squared, accounts, square = (of[used] for of in (ones, calls, calls_squared, accounts, square))
    between = (square - ones**2 / calls).sum() / max(1.0, (accounts - 1).sum())
    within = (ones - square).sum() / max(1.0, (calls - accounts).sum())
    if within <= 0:
        return 1.0, float("inf")
    size = ((calls - calls_squared / calls) / (accounts - 1)).mean()
    return float((between - within) / (between + (size - 1) * within)), float(between / within)
