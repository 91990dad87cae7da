"""Families of different accounts of one hand: a campaign that words its template anew for each small part of its pool.

Each part alone is too small to be evidence. Parts are kin where they hang together by rare values or accounts, ask
alike, and never ask the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from stillwatch.campaign.community import OVERLAP_MIN
from stillwatch.campaign.likeness import Likeness
from stillwatch.kernels.rows import distinct
from stillwatch.kernels.sketch import mix_all
from stillwatch.signals.contract import LOG_E_MAX, Ints, Pool
from stillwatch.signals.counts import log_poisson_tail

LINK_P_MAX = 0.01
"""How likely strangers' families may hold so many rare values in common. It is looked at in all pairs and not corrected
for: a link by chance costs a comparison of subjects, and is no evidence. Of 30,000 owners and more, one card of three
is a link between two families of a dozen."""

LINKS_MAX = 4_000
"""Pairs of families that are looked into, those that hang together most surely first: what a pool has in common is far
beyond chance, and chance links are the first to go."""

BUCKET_FAMILIES_MAX = 64
"""Families that hold one rare value, beyond which its holders use everything and it links nothing; it also bounds the
work for each value that is kept."""

COMPARED_MAX = 4_000
"""Pairs of families whose subjects are compared, those around the families with the most calls first: a minute at most,
in a run that tests for many."""

PARTS_MAX = 256
"""Families of one hypothesis, all of whose calls are in memory together; what is left makes another."""


MODELS = 2
"""Families of a group that others are compared with: with one, a sample that is odd by chance would lose many parts."""


def links(
    likenesses: Sequence[Likeness], pools: Sequence[Pool], owners_count: int
) -> tuple[sparse.csr_matrix, dict[str, int]]:
    """Return how surely families hang together, as a symmetric table, and the bounds that were hit.

    They do where one holds a fifth of the other's accounts, or where more rare values than chance puts there are held
    by an account of each. A value that the same account brings into both is no tie. Were a family's owners any of
    `owners_count`, each holder of a value outside the other family would be among them with probability owners /
    owners_count: the sum over values is the mean of a Poisson count.

    Cost:    O(sum of accounts), and BUCKET_FAMILIES_MAX neighbours for each kept value.
    Twin:    tests/naive/kin.py::links
    """
    count = len(likenesses)
    family = np.repeat(np.arange(count), [len(each.value) for each in likenesses])
    value = np.concatenate([np.zeros(0, np.uint64), *(each.value for each in likenesses)])
    holder = np.concatenate([np.zeros(0, np.uint64), *(each.holder for each in likenesses)])
    degree = np.concatenate([np.zeros(0, np.int64), *(each.degree for each in likenesses)])
    (of_value, _), _ = distinct(value, family.astype(np.uint64))
    values, families = np.unique(of_value, return_counts=True)
    crowded = families > BUCKET_FAMILIES_MAX
    kept = ~np.isin(value, values[crowded])
    family, value, holder, degree = family[kept], value[kept], holder[kept], degree[kept]
    held, same = _held(family, value, count), _held(family, mix_all(value ^ mix_all(holder)), count)
    common = sparse.coo_matrix(held @ held.T - same @ same.T)
    outside = _outside(family, value, degree, count)
    owners = np.array([each.owners_count for each in likenesses], dtype=np.float64)
    row, col = common.row, common.col
    expected = np.maximum(outside[row] * owners[col], outside[col] * owners[row]) / max(1, owners_count)
    log_p = np.maximum(log_poisson_tail(common.data - 1, expected), -LOG_E_MAX)
    tied = (row != col) & (common.data > 0) & (log_p <= np.log(LINK_P_MAX))
    by_value = sparse.csr_matrix((-log_p[tied], (row[tied], col[tied])), shape=(count, count))
    linked, pairs = _surest(by_value.maximum(_overlapping(pools)), [pool.group_id for pool in pools])
    saturated = {"kin_bucket_families_max": int(families.max(initial=0))} if crowded.any() else {}
    return linked, saturated | ({"kin_links_max": pairs} if pairs > LINKS_MAX else {})


def _surest(linked: sparse.csr_matrix, names: Sequence[str]) -> tuple[sparse.csr_matrix, int]:
    """Return the LINKS_MAX surest links, rare values before accounts, and how many there were."""
    upper = sparse.coo_matrix(sparse.triu(linked, 1))
    name = np.argsort(np.argsort(np.array(names, dtype=str), kind="stable"))
    first, second = (pick(name[upper.row], name[upper.col]) for pick in (np.minimum, np.maximum))
    kept = np.lexsort((second, first, -upper.data))[:LINKS_MAX]
    half = sparse.csr_matrix((upper.data[kept], (upper.row[kept], upper.col[kept])), shape=linked.shape)
    return sparse.csr_matrix(half + half.T), upper.nnz


def _held(family: Ints, key: np.ndarray, count: int) -> sparse.csr_matrix:
    """Return the table of which family holds which key: 1 once, however many of its accounts do."""
    (family_of, key_of), _ = distinct(family, key)
    _, column = np.unique(key_of, return_inverse=True)
    shape = (count, int(column.max(initial=-1)) + 1)
    return sparse.csr_matrix((np.ones(len(column)), (family_of.astype(np.int64), column)), shape=shape)


def _outside(family: Ints, value: np.ndarray, degree: Ints, count: int) -> np.ndarray:
    """Return how many holders the values of each family have outside it, one at least for each value: float64[f]."""
    (family_of, _, most), holders = distinct(family, value, degree)
    others = np.maximum(most.astype(np.int64) - holders, 1)
    return np.bincount(family_of.astype(np.int64), weights=others, minlength=count)


def _overlapping(pools: Sequence[Pool]) -> sparse.csr_matrix:
    """Return what share of the smaller family's accounts the larger has, where that is OVERLAP_MIN at least."""
    count = len(pools)
    family = np.repeat(np.arange(count), [len(pool.accounts) for pool in pools])
    held = _held(family, np.concatenate([np.zeros(0, np.uint64), *(pool.accounts for pool in pools)]), count)
    both = sparse.coo_matrix(held @ held.T)
    size = np.array([len(pool.accounts) for pool in pools])
    share = both.data / np.minimum(size[both.row], size[both.col])
    near = (both.row != both.col) & (share >= OVERLAP_MIN)
    return sparse.csr_matrix((share[near], (both.row[near], both.col[near])), shape=(count, count))


def kindred(
    pools: Sequence[Pool], linked: sparse.csr_matrix, alike: Callable[[int, int], bool]
) -> tuple[list[list[int]], dict[str, int]]:
    """Return groups of two families at least, each led by the one with the most calls, and the bounds that were hit.

    The largest family gathers whoever is linked to one of its group and is like itself, then, once more, whoever is
    like the first that it gathered, since one sample may be odd; then the largest of those left does. Links may chain,
    as a pool shares its cards; likeness may not, and is always that to one of two.

    Twin:    tests/naive/kin.py::kindred
    """
    gathering = _Gathering(pools, linked, alike)
    groups = []
    for leader in gathering.order:
        if not gathering.free[leader]:
            continue
        gathering.free[leader] = False
        group = [leader]
        for turn in range(MODELS):
            if turn < len(group):
                gathering.grow(group, group[turn])
        if len(group) > 1:
            groups.append(group)
    hit = gathering.compared == COMPARED_MAX
    return groups, {"kin_compared_max": linked.nnz // 2} if hit else {}


class _Gathering:
    """Which families no group has taken, and how many pairs were compared."""

    def __init__(self, pools: Sequence[Pool], linked: sparse.csr_matrix, alike: Callable[[int, int], bool]) -> None:
        self.order = sorted(range(len(pools)), key=lambda at: (-pools[at].events_count, pools[at].group_id))
        self.free = np.ones(len(pools), dtype=bool)
        self.compared = 0
        self._rank = np.argsort(self.order)
        self._linked = linked
        self._alike = alike

    def grow(self, group: list[int], model: int) -> None:
        """Add to a group whoever is linked to it and like the model, those with the most calls first."""
        met = set(group)
        waiting: list[int] = []
        fresh = list(group)
        while True:
            for member in fresh:
                near = self._linked.indices[self._linked.indptr[member] : self._linked.indptr[member + 1]]
                for other in (int(at) for at in near if self.free[at] and at not in met):
                    met.add(other)
                    heapq.heappush(waiting, int(self._rank[other]))
            if not waiting or len(group) == PARTS_MAX or self.compared == COMPARED_MAX:
                return
            other = self.order[heapq.heappop(waiting)]
            self.compared += 1
            fresh = [other] if self._alike(model, other) else []
            group += fresh
            self.free[fresh] = False
