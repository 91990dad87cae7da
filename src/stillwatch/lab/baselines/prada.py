"""PRADA: are the distances between an account's own queries normally distributed, as honest ones were found to be?

Each query is compared with a growing set of the account's earlier ones. Its distance to the nearest is noted, and it
joins the set when that distance is above the mean less the standard deviation of those in the set, which never falls.
The noted distances, without those beyond three standard deviations, go to the test of Shapiro and Wilk, and the score
is 1 - W.

Source:      Juuti, Szyller, Marchal and Asokan 2019, "PRADA: protecting against DNN model stealing attacks",
             section 5, and the authors' reference implementation.
Parameters:  as in the paper, save that a language model has no classes, so that there is one set; that a query is a
             hashed bag of words of 64 dimensions; and that 30 queries are enough to be judged. The paper waits for 100,
             which no account of most campaigns ever makes. The benchmark sweeps the paper's threshold on W.
Cost:        O(calls · 500), at most 500 queries of an account are compared.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy.stats import shapiro

from stillwatch.lab.baselines.contract import Floats, Suspicion
from stillwatch.lab.baselines.log import Log, calls_of, rank_within
from stillwatch.lab.baselines.text import REQUEST, bag, requests, words

IDENT = "prada"
TITLE = "PRADA distances"

DIMS = 64
QUERIES_MIN = 30

QUERIES_MAX = 500
"""Of one account: W hardly moves beyond some hundred distances, and the matrix of all pairs stays at a megabyte."""

OUTLIER_DEVIATIONS = 3.0


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account with enough queries by how far from normal their distances are."""
    calls = calls_of(log)
    count = np.bincount(calls.account, minlength=len(calls.accounts))
    rank = rank_within(calls.account, calls.time)
    kept = (count[calls.account] >= QUERIES_MIN) & (rank < QUERIES_MAX)
    vectors, at = [], 0
    for batch in log.batches(REQUEST):
        chosen = np.flatnonzero(kept[at : at + len(batch)])
        vectors.append(bag([words(requests(batch.take(chosen)))], DIMS))
        at += len(batch)
    every = np.concatenate(vectors)
    account = calls.account[kept]
    order = np.lexsort((calls.time[kept], account))
    score = np.full(len(calls.accounts), -np.inf)
    starts = np.flatnonzero(np.diff(account[order], prepend=-1, append=-1))
    for start, end in itertools.pairwise(starts):
        score[account[order[start]]] = abnormality(every[order[start:end]])
    return Suspicion.of(calls.accounts, score)


def abnormality(queries: npt.NDArray[np.float32]) -> float:
    """Return 1 - W of the distances that one account's queries have to its earlier ones.

    Shapes:  queries float32[n, dims], in order of time.
    """
    distances = _nearest(queries)
    middle, spread = distances.mean(), distances.std()
    held = distances[np.abs(distances - middle) <= OUTLIER_DEVIATIONS * spread]
    if np.ptp(held) < 1e-6:
        return 1.0  # One distance again and again is as far from normal as can be.
    return 1.0 - float(shapiro(held).statistic)


def _nearest(queries: npt.NDArray[np.float32]) -> Floats:
    """Return each query's distance to the growing set at its time, from the second on."""
    squares = (queries**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * queries @ queries.T, 0)).astype(np.float64)
    joined = np.zeros(len(queries), bool)
    joined[0] = True
    found = np.zeros(len(queries) - 1)
    total = squared = threshold = 0.0
    size = 1  # The first query counts with a distance of 0, as in the authors' program.
    for at in range(1, len(queries)):
        nearest = float(apart[at, :at][joined[:at]].min())
        found[at - 1] = nearest
        if nearest > threshold:
            joined[at] = True
            size, total, squared = size + 1, total + nearest, squared + nearest * nearest
            mean = total / size
            threshold = max(threshold, mean - max(squared / size - mean * mean, 0.0) ** 0.5)
    return found
