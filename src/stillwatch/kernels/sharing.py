"""Which shingles do several accounts share, and which calls carry them: passes over traces."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.sketch import mix
from stillwatch.trace import WITNESSES

TABLE_BITS = 28
"""One byte for each sixteen shingle values: 256 MiB, under one shingle a slot at 20 million calls."""

ACCOUNT_BITS = 8
SHARED_BITS_MIN = 3
"""A slot passes when accounts set three of its eight bits. Eight accounts fail to with probability 4e-4
(all in two bits); strangers' shingles that meet in one slot pass and are counted exactly afterwards."""

_SHIFT = np.uint32(32 - TABLE_BITS)


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
                table[value >> _SHIFT] |= bit


@njit(nogil=True, cache=True)
def keep_shared_slots(table):
    """Turn the table of account bits into one of 0 and 1: does the slot pass SHARED_BITS_MIN?"""
    for slot in range(table.shape[0]):
        bits = table[slot]
        held = 0
        while bits:
            held += 1
            bits &= bits - np.uint8(1)
        table[slot] = 1 if held >= SHARED_BITS_MIN else 0


@njit(nogil=True, cache=True)
def shared_places(shingles, table):
    """Return the rows and values of the shingles whose slot passed: int64[h], uint32[h]."""
    count = 0
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            count += value != 0 and table[value >> _SHIFT] != 0
    rows = np.empty(count, dtype=np.int64)
    values = np.empty(count, dtype=np.uint32)
    at = 0
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value != 0 and table[value >> _SHIFT] != 0:
                rows[at] = row
                values[at] = value
                at += 1
    return rows, values


@njit(nogil=True, cache=True)
def witness_minima(values, rows, events, order):
    """Return distinct shingles, their calls and their WITNESSES smallest event hashes in this batch.

    Shapes:  values uint32[h], rows int64[h], order int64[h] sorting values; events uint64[n] →
             uint32[d], int64[d], uint64[d, WITNESSES].
    Twin:    tests/naive/sharing.py::witness_minima
    """
    distinct = 0
    for at in range(order.shape[0]):
        distinct += at == 0 or values[order[at]] != values[order[at - 1]]
    found = np.empty(distinct, dtype=np.uint32)
    calls = np.zeros(distinct, dtype=np.int64)
    minima = np.full((distinct, WITNESSES), np.uint64(0xFFFFFFFFFFFFFFFF))
    slot = -1
    for at in range(order.shape[0]):
        value = values[order[at]]
        if at == 0 or value != values[order[at - 1]]:
            slot += 1
            found[slot] = value
        calls[slot] += 1
        event = events[rows[order[at]]]
        for witness in range(WITNESSES):
            hashed = mix(event + np.uint64(witness + 1) * np.uint64(0x9E3779B97F4A7C15))
            if hashed < minima[slot, witness]:
                minima[slot, witness] = hashed
    return found, calls, minima


@njit(nogil=True, cache=True)
def assign_groups(shingles, table, values, groups, hits_needed, out_max):
    """Return which calls belong to which groups: a call belongs where it carries enough of the shingles.

    Shapes:  shingles uint32[n, k]; table uint8[2^TABLE_BITS], 1 where a slot holds a value; values
             uint32[s] ascending with groups int32[s]; hits_needed int32[groups] → rows int64[m],
             groups int32[m], and the number of calls that had more than out_max groups.
    Twin:    tests/naive/sharing.py::assign_groups
    """
    room = shingles.shape[0] * out_max
    out_rows = np.empty(room, dtype=np.int64)
    out_groups = np.empty(room, dtype=np.int32)
    met = np.empty(shingles.shape[1], dtype=np.int32)
    times = np.empty(shingles.shape[1], dtype=np.int32)
    at = 0
    saturated = 0
    for row in range(shingles.shape[0]):
        held = 0
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value == 0 or table[value >> _SHIFT] == 0:
                continue
            index = np.searchsorted(values, value)
            if index >= values.shape[0] or values[index] != value:
                continue
            group = groups[index]
            slot = 0
            while slot < held and met[slot] != group:
                slot += 1
            if slot == held:
                met[slot] = group
                times[slot] = 0
                held += 1
            times[slot] += 1
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
