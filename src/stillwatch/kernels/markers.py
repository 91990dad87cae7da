"""Names that a prompt fixes for its answer: keys and tags in quotes or angle brackets.

A prompt can be worded anew for every call, but whoever reads the answers by machine needs the same names in each of
them. They are few, so they are sketched apart from the words around them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sketch import BYTE_FOLD, BYTE_KIND, DIGIT, FNV_OFFSET, FNV_PRIME, LETTER, TEXT_BYTES_MAX, mix

MARKER_BYTES_MAX = 40
"""A longer run in quotes is speech, not a name."""

MARKER_BYTES_MIN = 2

_SALT = np.uint64(0xD1B54A32D192ED03)
_DOUBLE, _SINGLE, _BACKTICK, _OPEN, _CLOSE, _SLASH, _HYPHEN = 34, 39, 96, 60, 62, 47, 45


@njit(nogil=True, cache=True)
def markers(offsets, data, seed, held, out):
    """Merge the keyed hashes of each text's names into the `out` smallest: 32 bits each, 0 fills the rest.

    Shapes:  offsets int32 or int64[n + 1]; data uint8[bytes]; held uint64[n, k], all ones at first: the smallest
             hashes so far; out uint32[n, k], overwritten.
    Cost:    O(bytes) time, no allocation.
    Twin:    tests/naive/markers.py::markers
    """
    for row in range(offsets.shape[0] - 1):
        at = np.int64(offsets[row])
        end = min(np.int64(offsets[row + 1]), at + TEXT_BYTES_MAX)
        while at < end:
            sign = data[at]
            if sign != _DOUBLE and sign != _SINGLE and sign != _BACKTICK and sign != _OPEN:
                at += 1
                continue
            first = at + 1
            if sign == _OPEN and first < end and data[first] == _SLASH:
                first += 1
            close, value = _name(data, first, min(end, first + MARKER_BYTES_MAX))
            ends = _CLOSE if sign == _OPEN else sign
            if close < end and data[close] == ends and close - first >= MARKER_BYTES_MIN:
                _keep(mix(value ^ seed ^ _SALT), held[row])
                at = close + 1
            else:
                at += 1
        for place in range(held.shape[1]):
            value = held[row, place]
            out[row, place] = 0 if value == ~np.uint64(0) else np.uint32(value & np.uint64(0xFFFFFFFF))


@njit(nogil=True, cache=True)
def _name(data, first, limit):
    """Return where the run of letters, digits, underscores and hyphens ends, and its hash; it begins with a letter."""
    value = FNV_OFFSET
    at = first
    while at < limit:
        kind = BYTE_KIND[data[at]]
        if not (kind == LETTER or (at > first and (kind == DIGIT or data[at] == _HYPHEN))):
            break
        value = (value ^ np.uint64(BYTE_FOLD[data[at]])) * FNV_PRIME
        at += 1
    return at, value


@njit(nogil=True, cache=True)
def _keep(value, smallest):
    """Insert a hash into the ascending smallest, once only."""
    place = smallest.shape[0]
    while place > 0 and smallest[place - 1] > value:
        place -= 1
    if place == smallest.shape[0] or (place > 0 and smallest[place - 1] == value):
        return
    for move in range(smallest.shape[0] - 1, place, -1):
        smallest[move] = smallest[move - 1]
    smallest[place] = value
