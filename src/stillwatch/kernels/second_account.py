"""Which shingles did more than one account use? Counted exactly, in a table of fixed size, some values at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sketch import mix

MANY = ~np.uint64(0)
"""Stands where one account's key would, once a second account has come."""


@njit(nogil=True, cache=True)
def note_accounts(shingles, accounts, part, parts, shingle, account):
    """Note of each shingle value of one part which account used it, or that several did.

    Order, repetition and cut of the rows do not matter.

    Shapes:  shingles uint32[n, k], 0 is none; accounts uint64[n]; shingle uint32[2^p], 0 where free; account
             uint64[2^p], MANY where two or more came. Returns how many places are newly taken, or -1 where there is no
             room left.
    Twin:    tests/naive/second_account.py::note_accounts
    """
    mask = shingle.shape[0] - 1
    fresh = 0
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value == 0 or value % np.uint32(parts) != part:
                continue
            slot = np.int64(mix(np.uint64(value)) & np.uint64(mask))
            probes = 0
            while shingle[slot] != value and shingle[slot] != 0:
                slot = (slot + 1) & mask
                probes += 1
                if probes > mask:
                    return -1
            if shingle[slot] == 0:
                shingle[slot] = value
                account[slot] = accounts[row]
                fresh += 1
            elif account[slot] != accounts[row]:
                account[slot] = MANY
    return fresh


@njit(nogil=True, cache=True)
def enter(values, shingle):
    """Put different values into a table of places, 0 where free, that has more places than there are values.

    Shapes:  values uint32[s], none 0; shingle uint32[2^p], filled.
    """
    mask = shingle.shape[0] - 1
    for at in range(values.shape[0]):
        slot = np.int64(mix(np.uint64(values[at])) & np.uint64(mask))
        while shingle[slot] != 0:
            slot = (slot + 1) & mask
        shingle[slot] = values[at]


@njit(nogil=True, cache=True)
def keep_entered(shingles, shingle):
    """Return the shingles with those that are in no place of the table set to 0, which is none.

    Shapes:  shingles uint32[n, k]; shingle uint32[2^p] as `enter` filled it → uint32[n, k].
    Twin:    tests/naive/second_account.py::keep_entered
    """
    mask = shingle.shape[0] - 1
    out = np.zeros_like(shingles)
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value == 0:
                continue
            slot = np.int64(mix(np.uint64(value)) & np.uint64(mask))
            while shingle[slot] != value and shingle[slot] != 0:
                slot = (slot + 1) & mask
            out[row, place] = shingle[slot]
    return out
