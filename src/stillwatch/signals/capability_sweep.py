"""Capability sweep: accounts divide a field of topics among themselves, each its own part, in equal shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.kernels.bits import bit_sums
from stillwatch.signals.contract import Floats, Mark, Panel
from stillwatch.signals.counts import sums_without

IDENT = "capability-sweep"
FAMILY: Family = "content"
NEEDS = frozenset({"input_text"})

ACCOUNTS_MIN = 8

CALLS_MEAN_MIN = 4
"""Calls an account below which everybody's share looks equal, because there is hardly anything to share."""

PREAMBLE_CALLS_MIN = 8
"""A bucket that all of eight calls or more fill is the account's preamble and no topic."""

FOLDS = 20
"""Groups of accounts of the jackknife: enough for a standard error within a sixth of itself."""

APART = 0.02
"""Intraclass correlation from which on accounts surely have topics of their own; below it they are shards alike, which
is population-homogeneity's to say."""

COVERED = 0.5
"""Share of what an account's calls have in common that must be the account's own for the field to count as covered. It
never nears 1: the words that every topic uses are common to all."""

HONEST_SPREAD = 0.5
"""Coefficient of variation of independent customers' rates, at the least; published ones are ten times wider
(ServeGen). The same boundary as pool-dispatch draws."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the field is divided: `apart` is an intraclass correlation, `own` a share, `spread` a variation of rates."""

    apart: float
    own: float
    spread: float


def conclude(panel: Panel) -> Mark | Skipped:
    """Score how far accounts have topics of their own, which together cover a field evenly, in equal shares.

    That customers keep to topics of their own is what customers do, so exclusiveness alone has no null under which
    it would be odd, and there is no e-value. With equal shares it is what a scheduler makes and customers do not.

    Sees:       a work list dealt out by topic, one topic an account, which population-homogeneity takes for strangers.
    Misled by:  users of one course or contest, each with a project and a quota that all of them use up.
    Evaded by:  shares as unequal as customers' are; every account asking about everything (which homogeneity sees).
    Source:     method S5 and the evasion of topical shards; Donner 1986 for the intraclass correlation.
    """
    tested = panel.calls.tested & (panel.calls.topic != 0)
    accounts, account = np.unique(panel.calls.account[tested], return_inverse=True)
    sizes = np.bincount(account, minlength=len(accounts)).astype(np.float64)
    if (sizes >= 2).sum() < ACCOUNTS_MIN or sizes.mean() < CALLS_MEAN_MIN:
        return Skipped(IDENT, f"fewer than {ACCOUNTS_MIN} accounts with {CALLS_MEAN_MIN} calls whose topic can be told")
    sums = bit_sums(panel.calls.topic[tested], account, len(accounts))
    whole, error = jackknifed(sums, sizes, panel.accounts[accounts] % np.uint64(FOLDS))
    score = sweep_score(whole, error)
    figures = {"apart": whole.apart, "own": whole.own, "spread": whole.spread}
    said = Evidence(
        IDENT,
        f"each account keeps to topics of its own (intraclass correlation {whole.apart:.3f}; {whole.own:.0%} of what "
        f"its calls have in common is its own), in shares that vary by {whole.spread:.0%}",
        score,
        None,
        FAMILY,
    )
    return Mark(IDENT, FAMILY, None, (said,) if score > 0 else (), score=score, figures=figures)


def sweep_score(whole: Tiling, error: Tiling) -> float:
    """Return the product of three certainties: accounts lie apart, cover the field and share it equally."""
    apart = np.clip((whole.apart - 2 * error.apart) / APART, 0, 1)
    covered = np.clip((whole.own - 2 * error.own) / COVERED, 0, 1)
    # Squares, because the variation is the root of a difference, whose error is unbounded at 0.
    spread = np.sqrt(whole.spread**2 + 2 * error.spread)
    return float(apart * covered * np.clip(1 - spread / HONEST_SPREAD, 0, 1))


def jackknifed(sums: Floats, sizes: Floats, fold: npt.NDArray[np.uint64]) -> tuple[Tiling, Tiling]:
    """Return the tiling and the standard errors of its figures; that of `spread` is of its square.

    Shapes:  sums float64[K, 64]; sizes float64[K]; fold uint64[K].
    Source:  Efron and Stein 1981, "The jackknife estimate of variance".
    """
    whole = tiling(sums, sizes)
    columns = _columns(sums, sizes)
    lefts = []
    for part, *sums_left in zip(np.unique(fold), *(sums_without(column, fold) for column in columns), strict=True):
        stay = fold != part
        if (sizes[stay] >= 2).sum() >= 2:
            left = _tiled(sums_left, _spread(sizes[stay]))
            lefts.append((left.apart, left.own, left.spread**2))
    if len(lefts) < 2:
        return whole, Tiling(1.0, 1.0, 1.0)
    errors = np.sqrt((len(lefts) - 1) * np.array(lefts).var(axis=0))
    return whole, Tiling(*errors.tolist())


def tiling(sums: Floats, sizes: Floats) -> Tiling:
    """Return how far accounts lie apart, how much of their coherence is their own, and how their shares vary.

    Two calls of one account share a bucket of words with probability `within`, of two accounts with `between`; were all
    buckets filled alike, with `even`. Apart is the intraclass correlation, (within - between) / (mean - between). Own
    is (within - between) / (within - even): 0 where accounts are alike, 1 where others' topics are as far as can be.

    Shapes:  sums float64[K, 64] how often each account filled each bucket; sizes float64[K] its calls.
    Twin:    tests/naive/capability_sweep.py::tiling
    """
    return _tiled([column.sum(axis=0) for column in _columns(sums, sizes)], _spread(sizes))


def _columns(sums: Floats, sizes: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return fillings and calls but those of preambles, and the squares of both: whole numbers, so that sums of them
    are exact in any order.
    """
    free = ~((sums >= sizes[:, None]) & (sizes[:, None] >= PREAMBLE_CALLS_MIN))
    kept, calls = np.where(free, sums, 0.0), np.where(free, sizes[:, None], 0.0)
    return kept, kept**2, calls, calls**2


def _tiled(sums: Sequence[Floats], spread: float) -> Tiling:
    """Return the tiling from the sums of `_columns` over accounts: float64[64] each."""
    kept, kept_squared, calls, calls_squared = sums
    pairs_within = (calls_squared - calls).sum()
    pairs_between = (calls**2 - calls_squared).sum()
    if pairs_within == 0 or pairs_between == 0:
        return Tiling(0.0, 0.0, spread)
    within = (kept_squared - kept).sum() / pairs_within
    between = (kept**2 - kept_squared).sum() / pairs_between
    mean = kept.sum() / calls.sum()
    apart = (within - between) / (mean - between) if mean > between else 0.0
    own = (within - between) / (within - mean**2) if within > max(between, mean**2) else 0.0
    return Tiling(float(apart), float(min(1.0, own)), spread)


def _spread(sizes: Floats) -> float:
    """Return by how much rates vary beyond Poisson chance, as a coefficient of variation."""
    mean = sizes.mean()
    return float(np.sqrt(max(0.0, sizes.var(ddof=1) - mean)) / mean) if len(sizes) > 1 else 0.0
