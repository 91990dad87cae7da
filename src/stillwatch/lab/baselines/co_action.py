"""Co-action: accounts of different owners that send the same text within a minute, and do so twice.

Two accounts are joined by an edge whose weight is the number of different texts that both sent within the window.
Edges of weight 2 and more make the network, its components are the clusters, and an account's score is the weight of
its heaviest edge.

Source:      Giglietto, Righetti, Rossi and Marino 2020, "It takes a village to manipulate the media" (CooRnet); Graham
             and others, coordination-network-toolkit.
Parameters:  the toolkit's default window of 60 seconds. CooRnet keeps the heaviest tenth of the edges by default; where
             nearly all edges have weight 1, as here, that is weight 2. Texts are compared in lower case with spaces
             made single. A text's call is compared with the 50 next in time.
Cost:        O(calls · 50) at worst, when everybody sends one text.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.lab.baselines.contract import ALONE, Ints, Suspicion
from stillwatch.lab.baselines.log import Calls, Log, calls_of

IDENT = "co-action"
TITLE = "same text within a minute"

WINDOW_US = 60_000_000
WEIGHT_MIN = 2

NEIGHBOURS_MAX = 50
"""Later calls of one text that a call is compared with: a viral text would otherwise make all pairs of its senders."""


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account by its heaviest edge, and cluster it with those it is joined to."""
    calls = calls_of(log)
    first, second, weight = _edges(calls, _texts(log))
    size = len(calls.accounts)
    score = np.full(size, -np.inf)
    strength = np.zeros(size)
    for end in (first, second):
        np.maximum.at(score, end, weight.astype(np.float64))
        np.add.at(strength, end, weight)
    heavy = weight >= WEIGHT_MIN
    graph = coo_array((weight[heavy], (first[heavy], second[heavy])), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    tied = np.zeros(size, bool)
    tied[first[heavy]] = tied[second[heavy]] = True
    return Suspicion.of(calls.accounts, score + strength / (strength.sum() + 1), np.where(tied, component, ALONE))


def _texts(log: Log) -> Ints:
    """Return a number for each call's text; calls without one have -1."""
    found = []
    for batch in log.batches(["input_text"]):
        encoded = batch.column(0).dictionary_encode()
        plain = [" ".join(text.split()) for text in pc.utf8_lower(encoded.dictionary).to_pylist()]
        codes = np.array([_code(text) for text in plain] or [0], np.int64)
        at = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        found.append(np.where(at < 0, -1, codes[at]))
    return np.concatenate(found)


def _code(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _edges(calls: Calls, text: Ints) -> tuple[Ints, Ints, Ints]:
    """Return each pair of accounts that acted together, and over how many texts."""
    order = np.lexsort((calls.time, text))
    order = order[np.searchsorted(text[order], 0) :]
    account, time, text = calls.account[order], calls.time[order], text[order]
    met = []
    for step in range(1, min(NEIGHBOURS_MAX, max(len(order) - 1, 0)) + 1):
        near = (text[step:] == text[:-step]) & (time[step:] - time[:-step] <= WINDOW_US)
        if not near.any():
            break
        at = np.flatnonzero(near & (calls.owner[account[step:]] != calls.owner[account[:-step]]))
        ends = np.sort(np.stack([account[at], account[at + step]]), axis=0)
        met.append(np.stack([*ends, text[at]]))
    together = np.unique(np.concatenate(met, axis=1), axis=1) if met else np.zeros((3, 0), np.int64)
    pairs, weight = np.unique(together[:2], axis=1, return_counts=True)
    return pairs[0], pairs[1], weight.astype(np.int64)
