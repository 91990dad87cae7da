"""Which shingles do several accounts share, and which calls carry them: passes over traces."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sketch import mix
from stillwatch.trace import SHINGLES, WITNESSES

TABLE_BITS = 28
"""One byte for each sixteen shingle values: 256 MiB, under one shingle a slot at 20 million calls."""

ACCOUNT_BITS = 8
SHARED_BITS_MIN = 3
"""A slot passes when accounts set three of its eight bits. Eight accounts fail to with probability 4e-4
(all in two bits); strangers' shingles that meet in one slot pass and are counted exactly afterwards."""

SLOT_SHIFT = 32 - TABLE_BITS
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xA0761D6478BD642F)


@njit(nogil=True, cache=True)
def mark_accounts(shingles, accounts, table):
    """Set, in each shingle's slot, one bit for the account. Order, repetition and cut do not matter.

    Shapes:  shingles uint32[n, k], 0 is none; accounts uint64[n]; table uint8[2^TABLE_BITS], or-ed into.
    Twin:    tests/naive/sharing.py::mark_accounts
    """
    for row in range(shingles.shape[0]):
        bit = np.uint8(1) << np.uint8(mix(accounts[row]) & np.uint64(ACCOUNT_BITS - 1))
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value != 0:
                table[value >> np.uint32(SLOT_SHIFT)] |= bit


@njit(nogil=True, cache=True)
def keep_shared_slots(table):
    """Turn the table of account bits into one of 0 and 1: does the slot pass SHARED_BITS_MIN?"""
    for slot in range(table.shape[0]):
        table[slot] = _enough(table[slot])


@njit(nogil=True, cache=True)
def shared_slots(table):
    """Return one bit for each slot of a table of account bits: does it pass SHARED_BITS_MIN?

    Shapes:  table uint8[s] → uint8[s / 8], slot 0 the lowest bit of the first byte.
    """
    slots = np.zeros(table.shape[0] // 8, dtype=np.uint8)
    for byte in range(slots.shape[0]):
        for bit in range(8):
            slots[byte] |= np.uint8(_enough(table[8 * byte + bit])) << np.uint8(bit)
    return slots


@njit(nogil=True, cache=True, inline="always")
def _enough(bits):
    for _ in range(SHARED_BITS_MIN - 1):
        bits &= bits - np.uint8(1)
    return bits != 0


@njit(nogil=True, cache=True, inline="always")
def _is_in(slots, slot):
    return slots[slot >> 3] >> np.uint8(slot & 7) & np.uint8(1)


@njit(nogil=True, cache=True)
def shared_places(shingles, slots, shift=SLOT_SHIFT):
    """Return the rows and values of the shingles whose slot is set; it holds 2^shift neighbouring values.

    Shapes:  shingles uint32[n, k], 0 is none; slots uint8[s / 8], a bit for each slot → int32[h], uint32[h].
    """
    rows = np.empty(shingles.size, dtype=np.int32)
    values = np.empty(shingles.size, dtype=np.uint32)
    keep = np.empty(shingles.shape[1], dtype=np.uint8)
    at = 0
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            keep[place] = _is_in(slots, np.int64(value >> np.uint32(shift))) & np.uint8(value != 0)
        # Written in any case and kept or not: a branch that nobody can foretell costs more than the look-up.
        for place in range(shingles.shape[1]):
            rows[at] = row
            values[at] = shingles[row, place]
            at += 1 if keep[place] else 0
    return rows[:at], values[:at]


@njit(nogil=True, cache=True)
def mark_again(values, rows, accounts, second):
    """Set one bit for the account in a second table of other slots, for shingles that passed the first.

    Shapes:  values uint32[h], rows int32[h]; accounts uint64[n]; second uint8[2^p], or-ed into.
    Twin:    tests/naive/sharing.py::mark_again
    """
    for at in range(values.shape[0]):
        bit = np.uint8(1) << np.uint8(mix(accounts[rows[at]] ^ _OTHER) & np.uint64(ACCOUNT_BITS - 1))
        second[second_slot(values[at], second.shape[0])] |= bit


@njit(nogil=True, cache=True, inline="always")
def second_slot(value, slots):
    """Return a shingle's slot in the second table: uint32 → int64 below `slots`, a power of two."""
    return np.int64(mix(np.uint64(value) ^ _OTHER) & np.uint64(slots - 1))


@njit(nogil=True, cache=True)
def passing(values, rows, slots):
    """Return the rows and values whose slot of the second table passed: int32[h], uint32[h]."""
    kept_rows = np.empty_like(rows)
    kept = np.empty_like(values)
    at = 0
    for place in range(values.shape[0]):
        kept_rows[at] = rows[place]
        kept[at] = values[place]
        at += 1 if _is_in(slots, second_slot(values[place], 8 * slots.shape[0])) else 0
    return kept_rows[:at], kept[:at]


@njit(nogil=True, cache=True)
def place_of(value, shingle):
    """Return where a value stands in a table of open places, or the free place that it would take; -1 where it is full.

    Shapes:  value uint32, not 0; shingle uint32[2^p], 0 where free.
    """
    mask = shingle.shape[0] - 1
    slot = np.int64(mix(np.uint64(value)) & np.uint64(mask))
    for _ in range(shingle.shape[0]):
        if shingle[slot] == value or shingle[slot] == 0:
            return slot
        slot = (slot + 1) & mask
    return np.int64(-1)


@njit(nogil=True, cache=True)
def hold(values, rows, accounts, events, shingle, holders, held, minima):
    """Take shingles into a table of fixed size: who holds each, up to a number, and its smallest event hashes.

    Neither order nor repetition of rows changes what a shingle's row comes to, except which of many holders are kept.

    Shapes:  values uint32[h], rows int32[h]; accounts, events uint64[n]; shingle uint32[2^p], 0 where free; holders
             uint64[2^p, k]; held uint8[2^p], how many of the k are taken; minima uint64[2^p, WITNESSES], all ones at
             first. Returns how many rows of the table are newly taken, or -1 where it is full.
    Twin:    tests/naive/sharing.py::hold
    """
    fresh = 0
    hashed = np.empty(WITNESSES, dtype=np.uint64)
    hashed_row = -1
    for at in range(values.shape[0]):
        value = values[at]
        slot = place_of(value, shingle)
        if slot < 0:
            return -1
        if shingle[slot] == 0:
            shingle[slot] = value
            fresh += 1
        row = rows[at]
        if held[slot] < holders.shape[1]:
            place = 0
            while place < held[slot] and holders[slot, place] != accounts[row]:
                place += 1
            if place == held[slot]:
                holders[slot, place] = accounts[row]
                held[slot] += 1
        if row != hashed_row:
            hashed_row = row
            for witness in range(WITNESSES):
                hashed[witness] = mix(events[row] + np.uint64(witness + 1) * _GOLDEN)
        for witness in range(WITNESSES):
            minima[slot, witness] = min(minima[slot, witness], hashed[witness])
    return fresh


@njit(nogil=True, cache=True)
def slots_of(values, shift):
    """Return slots of 2^shift neighbouring values each, those of these values set: uint8[2^(29 - shift)]."""
    slots = np.zeros(1 << (29 - shift), dtype=np.uint8)
    for at in range(values.shape[0]):
        slot = np.int64(values[at] >> np.uint32(shift))
        slots[slot >> 3] |= np.uint8(1) << np.uint8(slot & 7)
    return slots


def drawer_bits(count: int) -> int:
    """Return how many bits a `directory` of so many values looks at: four drawers a value, so that most values that are
    not in it meet an empty one."""
    return min(28, max(8, (4 * count).bit_length()))


@njit(nogil=True, cache=True)
def drawer_shift(starts):
    """Return by how many bits a value is shifted to the number of its drawer in a `directory`."""
    bits = 0
    while (1 << bits) < starts.shape[0] - 1:
        bits += 1
    return np.uint64(32 - bits)


@njit(nogil=True, cache=True)
def directory(values, bits):
    """Return where the values with the same highest `bits` bits begin: uint32[s] ascending → int32[2^bits + 1]."""
    starts = np.zeros((1 << bits) + 1, dtype=np.int32)
    for at in range(values.shape[0]):
        starts[np.int64(values[at] >> np.uint32(32 - bits)) + 1] += 1
    for drawer in range(1, starts.shape[0]):
        starts[drawer] += starts[drawer - 1]
    return starts


@njit(nogil=True, cache=True)
def indices_of(rows, values, known, starts, bits):
    """Return which values are known, as their rows and places among the known.

    Shapes:  rows int32[h], values uint32[h]; known uint32[s] ascending; starts of `directory` → int32[i], int32[i].
    Twin:    tests/naive/sharing.py::known_places
    """
    kept = np.empty_like(rows)
    indices = np.empty_like(rows)
    at = 0
    for place in range(values.shape[0]):
        value = values[place]
        drawer = np.int64(value >> np.uint32(32 - bits))
        index, end = starts[drawer], starts[drawer + 1]
        while index < end and known[index] < value:
            index += 1
        if index < end and known[index] == value:
            kept[at] = rows[place]
            indices[at] = index
            at += 1
    return kept[:at], indices[:at]


@njit(nogil=True, cache=True)
def assign_groups(rows, places, groups, hits_needed, out_max):
    """Return which calls belong to which groups: a call belongs where it carries enough of the shingles.

    Shapes:  rows int32[h], not descending, and places int32[h] of the shingles that a call carries, in groups int32[s];
             hits_needed int32[groups] → rows int64[m], groups int32[m], and the number of calls that had more than
             out_max groups.
    Twin:    tests/naive/sharing.py::assign_groups
    """
    out_rows = np.empty(rows.shape[0], dtype=np.int64)
    out_groups = np.empty(rows.shape[0], dtype=np.int32)
    met = np.empty(SHINGLES, dtype=np.int32)
    times = np.empty(SHINGLES, dtype=np.int32)
    at = 0
    saturated = 0
    first = 0
    while first < rows.shape[0]:
        row = rows[first]
        held = 0
        while first < rows.shape[0] and rows[first] == row:
            group = groups[places[first]]
            slot = 0
            while slot < held and met[slot] != group:
                slot += 1
            if slot == held:
                met[slot] = group
                times[slot] = 0
                held += 1
            times[slot] += 1
            first += 1
        taken = 0
        for _ in range(held):
            best = -1
            for slot in range(held):
                if times[slot] >= hits_needed[met[slot]] and (
                    best < 0 or times[slot] > times[best] or (times[slot] == times[best] and met[slot] < met[best])
                ):
                    best = slot
            if best < 0:
                break
            if taken == out_max:
                saturated += 1
                break
            out_rows[at] = row
            out_groups[at] = met[best]
            times[best] = -1
            taken += 1
            at += 1
    return out_rows[:at].copy(), out_groups[:at].copy(), saturated
