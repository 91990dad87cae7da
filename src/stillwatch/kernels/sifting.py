"""The sift of `kernels.sharing` in parts that know nothing of each other: a part holds a stretch of the values.

Every part together passes exactly the shingles that the two tables of one machine pass.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sharing import ACCOUNT_BITS, TABLE_BITS, second_slot
from stillwatch.kernels.sketch import mix
from stillwatch.trace import WITNESSES

MARKS = np.uint8(64)
STAYS = np.uint8(128)
"""Bits of a code: the call marks the first table; the call stays, as no repeat of another."""

OFTEN_MAX = 255  # calls of one shingle are counted as far as a byte goes: beyond eight it makes no difference

_SHIFT = np.uint32(32 - TABLE_BITS)
_OTHER = np.uint64(0xA0761D6478BD642F)
_PLACE = np.uint64(ACCOUNT_BITS - 1)


@njit(nogil=True, cache=True)
def account_codes(accounts, kind):
    """Return for each account its bit's place in the first table and, three bits higher, in the second: uint8[n].

    Shapes:  accounts uint64[n]; kind uint8, MARKS and STAYS, or-ed into each.
    """
    codes = np.empty(accounts.shape[0], dtype=np.uint8)
    for row in range(accounts.shape[0]):
        first = np.uint8(mix(accounts[row]) & _PLACE)
        second = np.uint8(mix(accounts[row] ^ _OTHER) & _PLACE)
        codes[row] = first | (second << np.uint8(3)) | kind
    return codes


@njit(nogil=True, cache=True)
def spread(shingles, codes, part_bits):
    """Return shingles and their calls' codes part by part, and where each part begins.

    Shapes:  shingles uint32[n, k], 0 is none; codes uint8[n] → uint32[h], uint8[h], int64[2^part_bits + 1]. A value's
             highest `part_bits` bits are its part.
    """
    shift = np.uint64(32 - part_bits)
    starts = np.zeros((1 << part_bits) + 1, dtype=np.int64)
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value != 0:
                starts[np.int64(np.uint64(value) >> shift) + 1] += 1
    for after in range(1, starts.shape[0]):
        starts[after] += starts[after - 1]
    at = starts.copy()
    values = np.empty(starts[-1], dtype=np.uint32)
    said = np.empty(starts[-1], dtype=np.uint8)
    for row in range(shingles.shape[0]):
        for column in range(shingles.shape[1]):
            value = shingles[row, column]
            if value != 0:
                part = np.int64(np.uint64(value) >> shift)
                values[at[part]] = value
                said[at[part]] = codes[row]
                at[part] += 1
    return values, said, starts


@njit(nogil=True, cache=True)
def mark_first(values, codes, table, base):
    """Set the account's bit in the slot of each shingle whose call marks: table uint8[s] begins at slot `base`."""
    for at in range(values.shape[0]):
        if codes[at] & MARKS:
            table[np.int64(values[at] >> _SHIFT) - base] |= np.uint8(1) << (codes[at] & np.uint8(ACCOUNT_BITS - 1))


@njit(nogil=True, cache=True)
def passing_first(values, codes, table, base):
    """Return what passed the first table (1 where a slot passed), as value << 8 | place of the bit: uint64[h]."""
    out = np.empty(values.shape[0], dtype=np.uint64)
    count = 0
    for at in range(values.shape[0]):
        if codes[at] & STAYS and table[np.int64(values[at] >> _SHIFT) - base]:
            place = (codes[at] >> np.uint8(3)) & np.uint8(ACCOUNT_BITS - 1)
            out[count] = (np.uint64(values[at]) << np.uint64(8)) | np.uint64(place)
            count += 1
    return out[:count].copy()


@njit(nogil=True, cache=True)
def fold(passed):
    """Return each value once, with its bits in the second table and how many calls carry it, up to OFTEN_MAX.

    Shapes:  passed uint64[h] ascending, of `passing_first` → uint32[v], uint8[v], uint8[v].
    """
    values = np.empty(passed.shape[0], dtype=np.uint32)
    bits = np.zeros(passed.shape[0], dtype=np.uint8)
    calls = np.zeros(passed.shape[0], dtype=np.uint8)
    count = 0
    for row in range(passed.shape[0]):
        value = np.uint32(passed[row] >> np.uint64(8))
        if count == 0 or values[count - 1] != value:
            values[count] = value
            count += 1
        bits[count - 1] |= np.uint8(1) << np.uint8(passed[row] & _PLACE)
        if calls[count - 1] < OFTEN_MAX:
            calls[count - 1] += 1
    return values[:count].copy(), bits[:count].copy(), calls[:count].copy()


@njit(nogil=True, cache=True)
def second_slots(values, slots):
    """Return the slots of values in the second table: int64[n] below `slots`, a power of two."""
    out = np.empty(values.shape[0], dtype=np.int64)
    for at in range(values.shape[0]):
        out[at] = second_slot(values[at], slots)
    return out


@njit(nogil=True, cache=True)
def mark_second(places, bits, table):
    """Set bits at places of a part of the second table, or-ed into."""
    for at in range(places.shape[0]):
        table[places[at]] |= bits[at]


@njit(nogil=True, cache=True)
def merge_held(values, holders, held, minima, accounts_min):
    """Return the values that enough accounts hold, and 32 bits of each one's witnesses.

    What several parts of the calls said of one value (`sharing.hold`) is put together.

    Shapes:  values uint32[n] ascending, holders uint64[n, accounts_min], held uint8[n], minima uint64[n, WITNESSES]
             → uint32[s], uint32[s, WITNESSES].
    """
    shared = np.empty(values.shape[0], dtype=np.uint32)
    witnesses = np.empty((values.shape[0], WITNESSES), dtype=np.uint32)
    known = np.empty(accounts_min, dtype=np.uint64)
    least = np.empty(WITNESSES, dtype=np.uint64)
    count = 0
    row = 0
    while row < values.shape[0]:
        value = values[row]
        taken = 0
        least[:] = ~np.uint64(0)
        while row < values.shape[0] and values[row] == value:
            for one in range(held[row]):
                place = 0
                while place < taken and known[place] != holders[row, one]:
                    place += 1
                if place == taken and taken < accounts_min:
                    known[taken] = holders[row, one]
                    taken += 1
            for witness in range(WITNESSES):
                least[witness] = min(least[witness], minima[row, witness])
            row += 1
        if taken >= accounts_min:
            shared[count] = value
            for witness in range(WITNESSES):
                witnesses[count, witness] = np.uint32(least[witness] & np.uint64(0xFFFFFFFF))
            count += 1
    return shared[:count].copy(), witnesses[:count].copy()
