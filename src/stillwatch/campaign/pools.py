"""Families of the same accounts are one hypothesis: a pool that works through several tasks has a family for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from stillwatch.signals.contract import Pool

SAME_ACCOUNTS_MIN = 0.5
"""Jaccard index of two families' accounts from which on they are one pool: more in common than apart."""


def same_accounts(pools: Sequence[Pool]) -> list[list[int]]:
    """Part families by their accounts; the first place of each part is the family with the most calls.

    The largest family takes whoever has mostly its accounts, then the largest of those left, and so on: each is
    compared with the one that leads its part, so that parts do not chain.

    Cost:    O(sum of accounts) for the table, and one product of sparse tables.
    Twin:    tests/naive/pools.py::same_accounts
    """
    if not pools:
        return []
    found, column = np.unique(np.concatenate([pool.accounts for pool in pools]), return_inverse=True)
    row = np.repeat(np.arange(len(pools)), [len(pool.accounts) for pool in pools])
    held = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(len(pools), len(found)))
    shared = (held @ held.T).tocsr()
    size = np.array([len(pool.accounts) for pool in pools])
    order = sorted(range(len(pools)), key=lambda at: (-pools[at].events_count, pools[at].group_id))
    free = np.ones(len(pools), dtype=bool)
    parts = []
    for leader in order:
        if not free[leader]:
            continue
        near = shared.indices[shared.indptr[leader] : shared.indptr[leader + 1]]
        both = shared.data[shared.indptr[leader] : shared.indptr[leader + 1]]
        alike = both >= SAME_ACCOUNTS_MIN * (size[near] + size[leader] - both)
        part = sorted(int(at) for at in near[alike & free[near]] if at != leader)
        free[[leader, *part]] = False
        parts.append([leader, *part])
    return parts


def devotion(leader: Pool, members: Sequence[Pool]) -> float:
    """Return how much of what the leader's median account sends is in any family of the pool.

    A call that is in two families counts twice, up to all that the account sends.
    """
    inside = np.zeros(len(leader.accounts))
    for pool in members:
        _, there, here = np.intersect1d(leader.accounts, pool.accounts, assume_unique=True, return_indices=True)
        inside[there] += pool.shares[here]
    return float(np.median(np.minimum(1.0, inside)))
