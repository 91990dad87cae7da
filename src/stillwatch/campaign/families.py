"""Shared shingles → template families: shingles that are carried by the same calls are one template."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

WITNESSES_AGREEING_MIN = 6
"""Of eight witnesses: shingles carried by about three quarters of the same calls (Jaccard index 0.75)."""

CARRIED_MIN = 2
"""Shingles of a family that a call must carry, where the family has as many: one alone is a common phrase."""


NAME_SHINGLES = 8
"""Shingles that name a family: 256 bits of keyed hashes, so that two families never share a name."""


@dataclass(frozen=True, slots=True)
class Families:
    """Shapes: shingle uint32[s] ascending, family int32[s]; size int32[f], shingles of each family; by_family int64[s],
    the places of the shingles family by family.
    """

    shingle: npt.NDArray[np.uint32]
    family: npt.NDArray[np.int32]
    size: npt.NDArray[np.int32]
    by_family: npt.NDArray[np.int64]

    def hits_needed(self) -> npt.NDArray[np.int32]:
        """Return how many of its shingles each family asks of a call: int32[f]."""
        return np.minimum(self.size, CARRIED_MIN).astype(np.int32)

    def name(self, family: int) -> str:
        """Return a family's ident, a digest of its smallest shingles."""
        start = int(self.size[:family].sum())
        shingles = self.shingle[self.by_family[start : start + min(int(self.size[family]), NAME_SHINGLES)]]
        return "f-" + hashlib.blake2b(np.sort(shingles).astype("<u4").tobytes(), digest_size=6).hexdigest()


def group_shingles(shingle: npt.NDArray[np.uint32], witnesses: npt.NDArray[np.uint32]) -> Families:
    """Join shingles whose sets of calls agree, and name each family by its smallest shingles.

    Shapes:  shingle uint32[s] ascending; witnesses uint32[s, 8]: 32 bits of the smallest event hashes.
    Cost:    O(s log s): sorting by each witness and comparing neighbours.
    Source:  Broder 1997 for the agreement of minima.
    Twin:    tests/naive/families.py::group_shingles
    """
    count, width = witnesses.shape
    edges: list[npt.NDArray[np.int64]] = []
    for witness in range(width):
        order = np.argsort(witnesses[:, witness], kind="stable")
        for step in (1, 2, 3):
            first, second = order[:-step], order[step:]
            same = witnesses[first, witness] == witnesses[second, witness]
            first, second = first[same], second[same]
            agreeing = (witnesses[first] == witnesses[second]).sum(axis=1) >= WITNESSES_AGREEING_MIN
            edges.append(np.column_stack([first[agreeing], second[agreeing]]))
    pairs = np.concatenate(edges) if edges else np.empty((0, 2), dtype=np.int64)
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    # Labels follow the smallest member, so that they do not depend on how edges were met.
    first_seen = np.full(label.max() + 1 if count else 0, count, dtype=np.int64)
    np.minimum.at(first_seen, label, np.arange(count))
    rank = np.argsort(np.argsort(first_seen))
    family = rank[label].astype(np.int32)
    size = np.bincount(family).astype(np.int32)
    return Families(shingle, family, size, np.argsort(family, kind="stable"))
