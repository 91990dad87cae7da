"""Dense blocks: owners and what they share as a graph, of which the densest parts are cut out one after another.

Owners are joined to their payment instruments, their sign-up address blocks and the five-word shingles they sent. An
edge to a value that many have weighs less, 1 / log(degree + 5), so that honest common ground is poor camouflage.
Peeling takes away what has the fewest edges and remembers when the rest was densest. The block's edges are then removed
and the search begins again. An account's score is the density of the first block that holds its owner, then its weight.

Source:      Hooi and others 2016, "FRAUDAR: bounding graph fraud in the face of camouflage", for weights and density;
             Shin, Hooi, Kim and Faloutsos 2017, "D-Cube: dense-block detection in terabyte-scale tensors", for repeated
             blocks and for taking away many rows in one pass, as Bahmani, Kumar and Vassilvitskii 2012 do.
Parameters:  FRAUDAR's column weights with its constant 5; 20 blocks. One of eight shingles is looked at, the same ones
             everywhere, and 256 of an owner.
Cost:        O(words + blocks · passes · edges).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.lab.baselines.contract import ALONE, Bools, Floats, Ints, Suspicion
from stillwatch.lab.baselines.log import Calls, Log, blocks, calls_of, coded
from stillwatch.lab.baselines.text import REQUEST, requests, shingles, words

IDENT = "dense-block"
TITLE = "dense blocks"

WORDS = 5
SAMPLED = 8

SHINGLES_MAX = 256
"""Of one owner: an owner with a million free texts would otherwise be most of the graph."""

BLOCKS_MAX = 20
"""The ledger has no day with as many campaigns, and what is found later is thinner."""

PASSES_MAX = 400
"""Each takes away at least a node; where a pass finds little to take, the block is as dense as it gets."""

OWNERS_MIN = 2


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges between owners and values.

    Shapes:  owner, value int64[edges]; weight float64[edges].
    """

    owner: Ints
    value: Ints
    weight: Floats

    def without(self, edges: Bools) -> Graph:
        """Return the graph after some edges were removed."""
        return Graph(self.owner[~edges], self.value[~edges], self.weight[~edges])


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account by the density of the first block that its owner is in; that block is its cluster."""
    calls = calls_of(log)
    graph = _graph(calls, log)
    owners = int(calls.owner.max(initial=0)) + 1
    score, block = np.full(owners, -np.inf), np.full(owners, ALONE, np.int64)
    for number in range(BLOCKS_MAX):
        density, inside, edges = densest(graph)
        if density <= 0:
            break
        own = np.bincount(graph.owner[edges], weights=graph.weight[edges], minlength=owners)
        fresh = np.flatnonzero(inside & (block[: len(inside)] == ALONE))
        score[fresh] = density + own[fresh] / (own.sum() + 1)
        block[fresh] = number
        graph = graph.without(edges)
    return Suspicion.of(calls.accounts, score[calls.owner], block[calls.owner])


def densest(graph: Graph) -> tuple[float, Bools, Bools]:
    """Return the density of the densest part that peeling finds, its owners, and which edges are inside.

    Density is the weight of the edges inside over the number of owners and values.
    """
    owner, value, weight = graph.owner, graph.value, graph.weight
    if not len(owner):
        return 0.0, np.zeros(0, bool), np.zeros(0, bool)
    held = [np.zeros(int(ends.max()) + 1, bool) for ends in (owner, value)]
    held[0][owner] = held[1][value] = True
    best, kept = -1.0, (held[0].copy(), held[1].copy())
    for _ in range(PASSES_MAX):
        live = held[0][owner] & held[1][value]
        owner, value, weight = owner[live], value[live], weight[live]
        nodes = int(held[0].sum() + held[1].sum())
        if not len(owner) or not nodes:
            break
        density = float(weight.sum()) / nodes
        if density > best:
            best, kept = density, (held[0].copy(), held[1].copy())
        degrees = [
            np.bincount(ends, weights=weight, minlength=len(side))
            for ends, side in zip((owner, value), held, strict=True)
        ]
        least = min(float(degree[side].min()) for degree, side in zip(degrees, held, strict=True) if side.any())
        limit = max(density, least)
        for degree, side in zip(degrees, held, strict=True):
            side &= degree > limit
    return best, kept[0], kept[0][graph.owner] & kept[1][graph.value]


def _graph(calls: Calls, log: Log) -> Graph:
    """Return the edges to all values that at least two owners have."""
    owner, value = _shingle_edges(calls, log)
    ends, first = [(owner, value)], int(value.max(initial=-1)) + 1
    for column in (calls.facts["payment_digest"], blocks(calls.facts["signup_ip"])):
        code = coded(column)[1]
        known = code >= 0
        pairs = np.unique(np.stack([calls.owner[known], first + code[known]]), axis=1)
        ends.append((pairs[0], pairs[1]))
        first += int(code.max(initial=-1)) + 1
    owner, value = (np.concatenate(side) for side in zip(*ends, strict=True))
    degree = np.bincount(value, minlength=first)
    kept = degree[value] >= OWNERS_MIN
    owner, value = owner[kept], value[kept]
    return Graph(owner, value, 1 / np.log(degree[value] + 5.0))


def _shingle_edges(calls: Calls, log: Log) -> tuple[Ints, Ints]:
    """Return which owner sent which of the sampled shingles, the smallest of each owner first."""
    found, at = [], 0
    for batch in log.batches(REQUEST):
        grams = shingles(words(requests(batch)), WORDS)
        owner = calls.owner[calls.account[at : at + len(batch)]]
        chosen = grams.code % np.uint64(SAMPLED) == 0
        found.append(_distinct(owner[grams.text[chosen]].astype(np.uint64), grams.code[chosen]))
        at += len(batch)
    pairs = _distinct(*np.concatenate(found, axis=1))
    owner = pairs[0].astype(np.int64)
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.arange(len(owner)) - np.repeat(starts, np.diff(starts, append=len(owner)))
    few = place < SHINGLES_MAX
    return owner[few], np.unique(pairs[1][few], return_inverse=True)[1].astype(np.int64)


def _distinct(owner: npt.NDArray[np.uint64], code: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the distinct pairs in order."""
    order = np.lexsort((code, owner))
    owner, code = owner[order], code[order]
    new = (np.diff(owner, prepend=owner[:1] + np.uint64(1)) != 0) | (np.diff(code, prepend=code[:1]) != 0)
    return np.stack([owner[new], code[new]])
