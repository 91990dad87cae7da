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
_ONE = np.uint64(1)
_STRIDE = np.uint64(8)
_CLOSE, _SLASH, _HYPHEN = 62, 47, 45

NO_NAME = ~np.uint64(0)
"""Stands where a text has fewer names than are kept."""


def _closing_signs() -> np.ndarray:
    ends = np.zeros(256, dtype=np.uint8)
    for quote in b"\"'`":
        ends[quote] = quote
    ends[ord("<")] = _CLOSE
    return ends


_ENDS = _closing_signs()
"""The byte that closes a name which this one opens; 0 where it opens none."""


@njit(nogil=True, cache=True)
def markers(offsets, data, seed, held):
    """Write the smallest keyed hashes of each text's names.

    Shapes:  offsets int32 or int64[n + 1]; data uint8[bytes]; held uint64[n, k], overwritten: ascending, all ones
             where a text has fewer.
    Cost:    O(bytes) time, no allocation.
    Twin:    tests/naive/markers.py::markers
    """
    for row in range(offsets.shape[0] - 1):
        held[row] = NO_NAME
        at = np.uint64(offsets[row])
        end = min(np.uint64(offsets[row + 1]), at + np.uint64(TEXT_BYTES_MAX))
        while at < end:
            if at + _STRIDE <= end and not _opens(data, at):
                at += _STRIDE
                continue
            ends = _ENDS[data[at]]
            at += _ONE
            if ends == 0:
                continue
            first = at
            if ends == _CLOSE and first < end and data[first] == _SLASH:
                first += _ONE
            close, value = _name(data, first, min(end, first + np.uint64(MARKER_BYTES_MAX)))
            if close < end and data[close] == ends and close - first >= MARKER_BYTES_MIN:
                _keep(mix(value ^ seed ^ _SALT), held[row])
                at = close + _ONE


@njit(nogil=True, cache=True, inline="always")
def _opens(data, at):
    """Return whether any of the next _STRIDE bytes opens a name: most of a text does not."""
    ends = np.uint8(0)
    for place in range(8):
        ends |= _ENDS[data[at + np.uint64(place)]]
    return ends != 0


@njit(nogil=True, cache=True)
def join_markers(one, one_place, other, other_place, out):
    """Write the smallest hashes of two texts' names for each call: 32 bits each, 0 fills the rest.

    Shapes:  one, other uint64[texts, k] of `markers`; one_place, other_place int32[n]: each call's texts; out
             uint32[n, k], overwritten.
    Twin:    tests/naive/markers.py::markers
    """
    for row in range(out.shape[0]):
        first, second = one[one_place[row]], other[other_place[row]]
        left, right = 0, 0
        for place in range(out.shape[1]):
            value = min(first[left], second[right])
            # The last places are never passed: only `k` are asked for.
            left += first[left] == value and left < out.shape[1] - 1
            right += second[right] == value and right < out.shape[1] - 1
            out[row, place] = 0 if value == NO_NAME else np.uint32(value & np.uint64(0xFFFFFFFF))


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
        at += _ONE
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
