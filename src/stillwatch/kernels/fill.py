"""What a call puts into a template: the part of its shingles that is neither template nor preamble."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.rows import distinct
from stillwatch.kernels.sketch import mix

TEMPLATE_SHARE = 0.2
"""A shingle in a fifth of a family's calls belongs to the template; an item of a list of five or fewer
would be taken for one, and so short a list is a common task in any case."""

PREAMBLE_SHARE = 0.5
PREAMBLE_CALLS_MIN = 4
"""A shingle in half of one account's calls, of which there are at least four, is the account's preamble."""

FILL_SHINGLES = 2
"""Two smallest fill shingles name an item: one alone is too often a phrase that several items share."""


def template_shingles(shingles: np.ndarray) -> np.ndarray:
    """Return, ascending, the shingles that TEMPLATE_SHARE of the calls carry.

    Shapes:  shingles uint32[n, k], 0 is none → uint32[t].
    """
    return _common(shingles, max(2.0, TEMPLATE_SHARE * len(shingles)))


def _common(shingles: np.ndarray, least: float) -> np.ndarray:
    """Return, ascending, the shingles that occur `least` times at least."""
    values, counts = np.unique(_crowded(shingles, least), return_counts=True)
    return np.asarray(values[counts >= least])


@njit(nogil=True, cache=True)
def _crowded(shingles, least):
    """Return the shingles whose low 16 bits occur `least` times, so that only a few have to be sorted."""
    met = np.zeros(1 << 16, dtype=np.int64)
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            met[shingles[row, place] & np.uint32(0xFFFF)] += 1
    kept = 0
    for slot in range(met.shape[0]):
        if met[slot] >= least:
            kept += met[slot]
    out = np.empty(kept, dtype=np.uint32)
    taken = 0
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            value = shingles[row, place]
            if value != 0 and met[value & np.uint32(0xFFFF)] >= least:
                out[taken] = value
                taken += 1
    return out[:taken]


CORE_SHARE = 0.5
"""A shingle in half of a family's calls belongs to its core: what the majority sends, not what some of them add."""

CORE_HITS = 0.5
"""A call that carries less than half of the core shingles that the median call carries shares a phrase with the
family, not its skeleton."""


def core_shingles(shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the shingles that most calls of a family carry, ascending, how many of them each call carries, and must.

    Shapes:  shingles uint32[n, k], 0 is none → uint32[c], int64[n], and a number of at least 1.
    """
    core = _common(shingles, CORE_SHARE * len(shingles))
    hits = core_hits(shingles, core)
    median = float(np.median(hits)) if len(hits) else 0.0
    return core, hits, max(1, int(np.ceil(CORE_HITS * median)))


@njit(nogil=True, cache=True)
def core_hits(shingles, core):
    """Return how many of the core shingles each call carries: uint32[n, k], uint32[c] ascending → int64[n].

    Twin:    tests/naive/fill.py::core_hits
    """
    out = np.zeros(shingles.shape[0], dtype=np.int64)
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            index = np.searchsorted(core, shingles[row, place])
            if index < core.shape[0] and core[index] == shingles[row, place]:
                out[row] += 1
    return out


@njit(nogil=True, cache=True)
def carried_counts(shingles, values):
    """Return how often each value stands in calls: uint32[n, k], uint32[c] ascending → int64[c].

    Twin:    tests/naive/fill.py::carried_counts
    """
    out = np.zeros(values.shape[0], dtype=np.int64)
    for row in range(shingles.shape[0]):
        for place in range(shingles.shape[1]):
            index = np.searchsorted(values, shingles[row, place])
            if index < values.shape[0] and values[index] == shingles[row, place]:
                out[index] += 1
    return out


@njit(nogil=True, cache=True)
def fill_keys(shingles, starts, template):
    """Return a key for each call's fill: its smallest input shingles that are neither template nor preamble.

    Shapes:  shingles uint32[n, k], rows sorted by account, smallest hash first; starts int64[a + 1]: where
             each account's rows start; template uint32[t] ascending → uint64[n], 0 where nothing is left.
    Cost:    O(n · k · log) time; scratch for the largest account.
    Twin:    tests/naive/fill.py::fill_keys
    """
    out = np.zeros(shingles.shape[0], dtype=np.uint64)
    nobody = np.zeros(0, dtype=np.uint32)
    for account in range(starts.shape[0] - 1):
        first, last = starts[account], starts[account + 1]
        calls = last - first
        counted = calls >= PREAMBLE_CALLS_MIN
        own = np.sort(shingles[first:last].copy().ravel()) if counted else nobody
        needed = max(PREAMBLE_SHARE * calls, 2.0)
        for row in range(first, last):
            taken = 0
            key = np.uint64(0)
            for place in range(shingles.shape[1]):
                value = shingles[row, place]
                if value == 0 or taken == FILL_SHINGLES:
                    continue
                index = np.searchsorted(template, value)
                if index < template.shape[0] and template[index] == value:
                    continue
                if counted:
                    times = np.searchsorted(own, value, side="right") - np.searchsorted(own, value)
                    if times >= needed:
                        continue
                key = mix(key * np.uint64(0x9FB21C651E98DF25) + np.uint64(value))
                taken += 1
            out[row] = key
    return out


def item_keys(exact: np.ndarray, shingles: np.ndarray, account: np.ndarray, discovery: np.ndarray) -> np.ndarray:
    """Name what each call asks: its exact text, or its fill where a preamble of each account hides that.

    The name that other accounts meet again more often on the discovery blocks is the one.

    Shapes:  rows sorted by account; exact uint64[n]; shingles uint32[n, k] of the user text; account int64[n];
             discovery bool[n] → uint64[n], 0 where the log has no text.
    """
    starts = np.searchsorted(account, np.arange(account.max() + 2)).astype(np.int64)
    fill = fill_keys(shingles, starts, template_shingles(shingles))
    fill = np.where(fill == 0, exact, fill)
    again = [_met_again(names[discovery], account[discovery]) for names in (exact, fill)]
    return fill if again[1] > again[0] else exact


def _met_again(item: np.ndarray, account: np.ndarray) -> int:
    (asked, _), _ = distinct(item[item != 0], account[item != 0])
    return int((asked[1:] == asked[:-1]).sum())
