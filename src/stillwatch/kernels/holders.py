"""Which values do enough accounts hold, and which events witness them: pairs that are written once, and then counted.

A pair is one number: a value (32 bits) above the number of an account (32 bits). Sorted pairs stand by value.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sketch import mix
from stillwatch.trace import WITNESSES

CREDIT_MAX = 255
"""As much as a byte holds: a value met so often stays until as many others have asked for its place."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def fresh_pairs(values, rows, accounts, known, holders):
    """Return the pairs of value and account that a table of fixed size does not know to have been returned before, or
    to be one too many.

    Of each value, all its accounts are returned, or as many different ones as the table has places for. What the table
    forgets is returned again. A value gives way to another of its row when its credit, which being met raises, is used
    up, so that what most calls carry stays.

    Shapes:  values uint32[h], not 0, rows int32[h]; accounts uint32[n]; known uint32[2^p, 3], a value, how many of its
             accounts are known, and its credit, 0 at first; holders uint32[2^p, k] → uint64[m].
    Twin:    tests/naive/sharing.py::holders
    """
    pairs = np.empty(values.shape[0], dtype=np.uint64)
    mask = known.shape[0] - 1
    count = 0
    for at in range(values.shape[0]):
        value = values[at]
        account = accounts[rows[at]]
        slot = np.int64(mix(np.uint64(value)) & np.uint64(mask))
        if known[slot, 0] != value and known[slot, 2] > 0:
            known[slot, 2] -= np.uint32(1)
        else:
            if known[slot, 0] != value:
                known[slot, 0] = value
                known[slot, 1] = 0
            elif known[slot, 2] < CREDIT_MAX:
                known[slot, 2] += np.uint32(1)
            held = known[slot, 1]
            place = 0
            while place < held and holders[slot, place] != account:
                place += 1
            if place < held or held == holders.shape[1]:
                continue
            holders[slot, held] = account
            known[slot, 1] += np.uint32(1)
        pairs[count] = (np.uint64(value) << np.uint64(32)) | np.uint64(account)
        count += 1
    return pairs[:count]


@njit(nogil=True, cache=True)
def by_part(pairs, part_bits):
    """Return pairs part by part, and where each part begins: the highest `part_bits` bits of a value are its part.

    Shapes:  pairs uint64[m] → uint64[m], int64[2^part_bits + 1].
    """
    shift = np.uint64(64 - part_bits)
    starts = np.zeros((1 << part_bits) + 1, dtype=np.int64)
    for at in range(pairs.shape[0]):
        starts[int(pairs[at] >> shift) + 1] += 1
    for part in range(1, starts.shape[0]):
        starts[part] += starts[part - 1]
    free = starts.copy()
    parted = np.empty_like(pairs)
    for at in range(pairs.shape[0]):
        part = int(pairs[at] >> shift)
        parted[free[part]] = pairs[at]
        free[part] += 1
    return parted, starts


@njit(nogil=True, cache=True)
def held_by_enough(pairs, accounts_min):
    """Return, ascending, the values that as many different accounts hold: uint64[m] ascending → uint32[v].

    Twin:    tests/naive/sharing.py::held_by_enough
    """
    values = np.empty(pairs.shape[0] // accounts_min, dtype=np.uint32)
    count = 0
    accounts = 0
    for at in range(pairs.shape[0]):
        if at == 0 or pairs[at] >> np.uint64(32) != pairs[at - 1] >> np.uint64(32):
            accounts = 1
        elif pairs[at] != pairs[at - 1]:
            accounts += 1
        else:
            continue
        if accounts == accounts_min:
            values[count] = np.uint32(pairs[at] >> np.uint64(32))
            count += 1
    return values[:count].copy()


@njit(nogil=True, cache=True)
def take_witnesses(places, rows, events, minima):
    """Lower the smallest event hashes of values to those of the calls that carry them. Order does not matter.

    Shapes:  places, rows int32[h], a value's row of `minima` and its call; events uint64[n]; minima
             uint64[v, WITNESSES], all ones at first.
    Twin:    tests/naive/sharing.py::witness_minima
    """
    hashed = np.empty(WITNESSES, dtype=np.uint64)
    hashed_row = -1
    for at in range(places.shape[0]):
        if rows[at] != hashed_row:
            hashed_row = rows[at]
            for witness in range(WITNESSES):
                hashed[witness] = mix(events[hashed_row] + np.uint64(witness + 1) * _GOLDEN)
        place = places[at]
        for witness in range(WITNESSES):
            minima[place, witness] = min(minima[place, witness], hashed[witness])
