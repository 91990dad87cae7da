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
    square = sums**2 / sizes[:, None]
    columns = [sums, sizes[:, None], sizes[:, None] ** 2, np.ones((len(sizes), 1))]
    if not free.all():
        square, *columns = (np.where(free, column, 0.0) for column in (square, *columns))
    folds = np.unique(fold)
    several = np.array([(fold != part).sum() > 1 for part in folds])
    # But for the squares all are whole numbers, whose sums without a fold are exact however they are come by.
    left = [sums_without(column, fold)[several] for column in columns]
    squares = np.array([square[fold != part].sum(axis=0) for part in folds[several]]).reshape(-1, square.shape[1])
    [whole], [ratio] = _correlations(
        [column.sum(axis=0, keepdims=True) for column in columns], square.sum(axis=0)[None]
    )
    parts, _ = _correlations(left, squares)
    error = float(np.sqrt((len(parts) - 1) * parts.var())) if len(parts) > 1 else 1.0
    return float(whole), error, float(ratio)


def _correlations(counts: Sequence[Floats], square: Floats) -> tuple[Floats, Floats]:
    """Return intraclass correlations and F from what accounts add up to, bit by bit: how often it is set, the calls,
    the squares of the calls, the accounts; and the squares over the calls.

    Shapes:  float64[r, 64], a row for each group of accounts, or float64[r, 1] where all bits have the same
             → float64[r], float64[r].
    """
    sums = [np.repeat(of, square.shape[1] // of.shape[1], axis=1) for of in counts] + [square]
    _, calls, _, accounts, _ = sums
    used = (accounts > 1) & (calls > accounts)
    every = used.all(axis=1)
    found, ratio = np.ones(len(used)), np.full(len(used), np.inf)
    found[every], ratio[every] = _of_used([of[every] for of in sums])
    for row in np.flatnonzero(~every & used.any(axis=1)):
        [found[row]], [ratio[row]] = _of_used([of[row, used[row]][None] for of in sums])
    return found, ratio


def _of_used(sums: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the correlations and F of rows of which every bit is used; 1 and infinity where nothing varies within."""
    ones, calls, calls_squared, accounts, square = sums
    between = (square - ones**2 / calls).sum(axis=1) / np.maximum(1.0, (accounts - 1).sum(axis=1))
    within = (ones - square).sum(axis=1) / np.maximum(1.0, (calls - accounts).sum(axis=1))
    size = ((calls - calls_squared / calls) / (accounts - 1)).mean(axis=1)
    varies = within > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(varies, (between - within) / (between + (size - 1) * within), 1.0)
        return found, np.where(varies, between / within, np.inf)
