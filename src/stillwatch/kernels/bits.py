"""How often accounts, and calls that are picked at random, set each bit of what they ask about."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def bit_sums(topic, account, accounts_count):
    """Return how often each account set each of the 64 topic bits: uint64[n], int64[n] → float64[K, 64].

    Twin:    tests/naive/population_homogeneity.py::bit_sums
    """
    sums = np.zeros((accounts_count, 64))
    for row in range(topic.shape[0]):
        value = topic[row]
        for bit in range(64):
            sums[account[row], bit] += (value >> np.uint64(bit)) & np.uint64(1)
    return sums


@njit(nogil=True, cache=True)
def picked_sums(drawn, size, bits):
    """Return for each row of numbers how many calls set each bit among those with the `size` smallest numbers.

    Shapes:  drawn float64[r, n], different numbers; size < n; bits uint8[n, b] → float64[r, b].
    """
    sums = np.zeros((drawn.shape[0], bits.shape[1]), dtype=np.int32)
    for row in range(drawn.shape[0]):
        end = np.partition(drawn[row], size)[size]
        for call in range(bits.shape[0]):
            if drawn[row, call] < end:
                for bit in range(bits.shape[1]):
                    sums[row, bit] += bits[call, bit]
    return sums.astype(np.float64)
