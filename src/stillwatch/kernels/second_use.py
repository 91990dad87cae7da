"""Which shingles were used more than once? Counted exactly, in a table of fixed size, some values at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sharing import place_of

MANY = ~np.uint64(0)
"""Stands where one user's key would, once a second user has come."""


@njit(nogil=True, cache=True)
def note_users(shingles, users, part, parts, shingle, user):
    """Note of each shingle value of one part which user (a call, an account) has it, or that several have.

    Order, repetition and cut of the rows do not matter.

    Shapes:  shingles uint32[n, k], 0 is none; users uint64[n]; shingle uint32[2^p], 0 where free; user
             uint64[2^p], MANY where two or more came. Returns how many places are newly taken, or -1 where there is no
             room left.
    Twin:    tests/naive/second_use.py::note_users
    """
    fresh = 0
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value == 0 or value % np.uint32(parts) != part:
                continue
            slot = place_of(value, shingle)
            if slot < 0:
                return -1
            if shingle[slot] == 0:
                shingle[slot] = value
                user[slot] = users[row]
                fresh += 1
            elif user[slot] != users[row]:
                user[slot] = MANY
    return fresh


@njit(nogil=True, cache=True)
def enter(values, shingle):
    """Put different values into a table of places, 0 where free, that has more places than there are values.

    Shapes:  values uint32[s], none 0; shingle uint32[2^p], filled.
    """
    for at in range(values.shape[0]):
        shingle[place_of(values[at], shingle)] = values[at]


@njit(nogil=True, cache=True)
def keep_entered(shingles, shingle):
    """Return the shingles with those that are in no place of the table set to 0, which is none.

    Shapes:  shingles uint32[n, k]; shingle uint32[2^p] as `enter` filled it → uint32[n, k].
    Twin:    tests/naive/second_use.py::keep_entered
    """
    out = np.zeros_like(shingles)
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value == 0:
                continue
            out[row, place] = shingle[place_of(value, shingle)]
    return out
