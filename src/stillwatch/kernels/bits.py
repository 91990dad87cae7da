"""How often accounts set each bit of what they ask about."""

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
