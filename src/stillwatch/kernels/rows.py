"""Distinct rows of columns of numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def distinct(
    *columns: npt.NDArray[np.generic],
) -> tuple[tuple[npt.NDArray[np.generic], ...], npt.NDArray[np.int64]]:
    """Return the distinct rows, ordered by the first column, then the next, and how often each occurs.

    Shapes:  k columns of n entries → k columns of d entries, int64[d].
    Cost:    O(k n log n).
    """
    order = np.lexsort(columns[::-1])
    ordered = [column[order] for column in columns]
    if not len(order):
        return tuple(ordered), np.zeros(0, dtype=np.int64)
    fresh = np.zeros(len(order), dtype=bool)
    fresh[0] = True
    for column in ordered:
        fresh[1:] |= column[1:] != column[:-1]
    starts = np.flatnonzero(fresh)
    counts = np.diff(np.append(starts, len(order)))
    return tuple(column[starts] for column in ordered), counts
