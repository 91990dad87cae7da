"""Windowed MMD by pool: the same test on the calls of accounts that share something.

A pool is all accounts that share one payment instrument, one block of sign-up addresses, one block of client addresses
or one system prompt, if they belong to at least two owners. Pools are not joined to each other: a platform's prompt
would make one pool of everybody.

Source:      Liu, Guo and Dong 2026 (arXiv 2606.05725), who test mixed streams of several users as well; the pools are
             ours, and kinder to the method than one stream of everybody.
Parameters:  as `mmd_account`; a pool is compared with honest pools of its kind and about its size.
Cost:        O(calls · 256²).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stillwatch.lab.baselines.contract import ALONE, Ints, Suspicion
from stillwatch.lab.baselines.log import Calls, Log, blocks, calls_of, coded, mixed, rank_within
from stillwatch.lab.baselines.windows import WINDOW_CALLS, Kernel, discrepancy, means, surprise

IDENT = "mmd-pooled"
TITLE = "MMD windows by pool"

OWNERS_MIN = 2


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account by the most surprising window of a pool in which it called; that pool is its cluster."""
    kernel = Kernel.fitted(honest, seed)
    there, reference = means(honest, kernel, [window for _, window in _pools(honest)])
    pools = list(_pools(log))
    here, _ = means(log, kernel, [window for _, window in pools])
    calls = calls_of(log)
    score = np.full(len(calls.accounts), -np.inf)
    cluster = np.full(len(calls.accounts), ALONE, np.int64)
    first = 0
    for (pool, window), now, usual in zip(pools, here, there, strict=True):
        found = surprise(discrepancy(now, reference), now.calls, discrepancy(usual, reference), usual.calls)
        inside = np.flatnonzero(window >= 0)
        best = np.full(len(score), -np.inf)
        np.maximum.at(best, calls.account[inside], found[window[inside]])
        hit = inside[(found[window[inside]] == best[calls.account[inside]])]
        better = hit[best[calls.account[hit]] > score[calls.account[hit]]]
        cluster[calls.account[better]] = first + pool[better]
        score = np.maximum(score, best)
        first += int(pool.max(initial=0)) + 1
    return Suspicion.of(calls.accounts, score, cluster)


def _pools(log: Log) -> Iterator[tuple[Ints, Ints]]:
    """Yield, for each kind of shared value, the pool of each call and its window in it; -1 where there is none."""
    calls = calls_of(log)
    of_account = (calls.facts["payment_digest"], blocks(calls.facts["signup_ip"]))
    shared = [coded(values)[1][calls.account] for values in of_account]
    events = log.table(["client_ip", "system_prompt"])
    shared += [coded(blocks(events["client_ip"]))[1], coded(events["system_prompt"])[1]]
    for value in shared:
        pool = _of_several(value, calls)
        yield pool, mixed(pool, np.where(pool < 0, -1, rank_within(pool, calls.time) // WINDOW_CALLS))


def _of_several(value: Ints, calls: Calls) -> Ints:
    """Return the values that several owners share, the others as -1."""
    pair = mixed(value, calls.owner[calls.account])
    _, first = np.unique(pair, return_index=True)
    owners = np.bincount(value[first][value[first] >= 0], minlength=int(value.max(initial=0)) + 1)
    return np.where((value >= 0) & (owners[value] >= OWNERS_MIN), value, -1)
