"""Mean embeddings of windows of calls, and how far each is from honest traffic: what both MMD baselines share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.lab.baselines.contract import Floats, Ints
from stillwatch.lab.baselines.log import Log
from stillwatch.lab.baselines.text import REQUEST, bag, requests, shingles, words

Matrix = npt.NDArray[np.float32]

DIMS = 256
FEATURES = 256

SAMPLE_ROWS = 1_000
"""Of the honest log, for the median distance that sets the width of the kernel."""

WINDOW_CALLS = 1_500
"""The paper's largest window, at which it reports 0.3 % false positives."""

WINDOW_CALLS_MIN = 5
"""Below it a window says nothing; the paper asks for a thousand."""

SIZE_CLASSES = 12
"""Windows are compared with honest ones of about their size, up to the next power of two: 1,500 is below 2¹²."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Random Fourier features of a Gaussian kernel whose width is the median distance of honest texts.

    Shapes:  frequency float32[DIMS, FEATURES]; phase float32[FEATURES].
    Source:  Rahimi and Recht 2007, "Random features for large-scale kernel machines".
    """

    frequency: Matrix
    phase: Matrix

    @staticmethod
    def fitted(honest: Log, seed: int) -> Kernel:
        """Draw the features for the median distance of an honest log."""
        rng = np.random.default_rng(seed)
        batch = next(iter(honest.batches(REQUEST)))
        some = rng.choice(len(batch), min(SAMPLE_ROWS, len(batch)), replace=False)
        vectors = embedded(batch.take(some))
        apart = np.sqrt(np.maximum(2 - 2 * vectors @ vectors.T, 0))
        width = float(np.median(apart[np.triu_indices(len(vectors), 1)])) or 1.0
        frequency = (rng.standard_normal((DIMS, FEATURES)) / width).astype(np.float32)
        return Kernel(frequency, rng.uniform(0, 2 * np.pi, FEATURES).astype(np.float32))

    def features(self, vectors: Matrix) -> Matrix:
        """Return the feature vector of each text; their inner products approximate the kernel."""
        waves: Matrix = np.cos(vectors @ self.frequency + self.phase) * np.float32((2 / FEATURES) ** 0.5)
        return waves


def embedded(batch: pa.RecordBatch) -> Matrix:
    """Return the hashed words and word pairs of each request as a unit vector."""
    single = words(requests(batch))
    return bag([single, shingles(single, 2)], DIMS)


@dataclass(frozen=True, slots=True)
class Means:
    """The sums of features over each window of a grouping, and its size.

    Shapes:  total float64[windows, FEATURES]; calls int64[windows].
    """

    total: Floats
    calls: Ints


def means(log: Log, kernel: Kernel, groupings: Sequence[Ints]) -> tuple[list[Means], Floats]:
    """Add features up by window, for several groupings in one pass, and over all calls.

    Shapes:  each grouping int64[calls], the window of each call or -1.
    """
    totals = [np.zeros((int(window.max(initial=-1)) + 1, FEATURES)) for window in groupings]
    every, at = np.zeros(FEATURES), 0
    for batch in log.batches(REQUEST):
        features = kernel.features(embedded(batch))
        every += features.sum(axis=0)
        for window, total in zip(groupings, totals, strict=True):
            _add(total, window[at : at + len(batch)], features)
        at += len(batch)
    sizes = [np.bincount(window[window >= 0], minlength=len(t)) for window, t in zip(groupings, totals, strict=True)]
    return [Means(t, n) for t, n in zip(totals, sizes, strict=True)], every / max(at, 1)


def _add(total: Floats, window: Ints, features: Matrix) -> None:
    order = np.argsort(window, kind="stable")
    order = order[np.searchsorted(window[order], 0) :]
    if len(order):
        first = np.flatnonzero(np.diff(window[order], prepend=-1))
        total[window[order[first]]] += np.add.reduceat(features[order], first, axis=0)


def discrepancy(windows: Means, reference: Floats) -> Floats:
    """Return the squared maximum mean discrepancy of each window and the reference, without the window's own noise.

    Source:  Gretton and others 2012, "A kernel two-sample test": the unbiased estimate, with the reference as a
             fixed point since it holds far more calls than a window. Features have length 1 only on average, so their
             own mean square stands for it.
    """
    calls = np.maximum(windows.calls, 2)[:, None].astype(np.float64)
    mean = windows.total / calls
    own = (mean**2).sum(axis=1)
    unbiased = (calls[:, 0] * own - 1.0) / (calls[:, 0] - 1)
    found = unbiased - 2 * mean @ reference + (reference**2).sum()
    return np.where(windows.calls >= WINDOW_CALLS_MIN, found, -np.inf)


def surprise(found: Floats, calls: Ints, honest: Floats, honest_calls: Ints) -> Floats:
    """Return how far above honest windows of about its size each one is, in robust deviations.

    A size class with too few honest windows takes the figures of the nearest that has enough.
    """
    enough = 20
    of, honest_of = (
        np.minimum(np.log2(np.maximum(n, 1)).astype(np.int64), SIZE_CLASSES) for n in (calls, honest_calls)
    )
    known = np.isfinite(honest)
    held = [honest[known & (honest_of == size)] for size in range(SIZE_CLASSES + 1)]
    usable = [size for size, values in enumerate(held) if len(values) >= enough]
    if not usable:
        return found
    score = np.full(len(found), -np.inf)
    for size in range(SIZE_CLASSES + 1):
        values = held[min(usable, key=lambda other: abs(other - size))]
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle))) or 1.0
        score = np.where(of == size, (found - middle) / spread, score)
    return score
