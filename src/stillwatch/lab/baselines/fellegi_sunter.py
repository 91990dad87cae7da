"""Blind record linkage: which accounts were opened by one hand, judged by their attributes alone.

Pairs of accounts are compared in five attributes. Where both have one, it agrees or not; the weight of an agreement is
the logarithm of how much likelier it is for a true match (m) than for a pair at random (u), and for an agreement on a
rare value the value's own frequency stands for u. m is learnt without labels by expectation maximisation. Pairs whose
probability passes 0.95 are joined, and an account's score is the number of owners it is joined with, then its
heaviest weight.

Source:      Fellegi and Sunter 1969, "A theory for record linkage"; Winkler 1988 for the EM; term frequencies as in
             Splink (Linacre and others 2022); sorted neighbourhoods, Hernández and Stolfo 1995.
Parameters:  as Splink's authors advise: u from random pairs; m by one EM for each blocking rule, over the attributes
             that the rule does not fix, averaged; 0.95 as the threshold. Four blocking rules; in a block an account is
             compared with the ten that signed up next.
Cost:        O(accounts log accounts).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.lab.baselines.contract import ALONE, Bools, Floats, Ints, Suspicion
from stillwatch.lab.baselines.log import DAY_US, Log, blocks, calls_of, coded, mixed

IDENT = "fellegi-sunter"
TITLE = "record linkage of accounts"

ATTRIBUTES = ("payment", "address block", "e-mail domain", "client", "sign-up day")

RULES = ((0,), (1,), (2, 4), (3, 4))
"""Attributes that must agree for a pair to be compared at all, one rule each."""

NEIGHBOURS_MAX = 10
"""Later sign-ups in its block that an account is compared with: blocks of thousands would otherwise make millions."""

RANDOM_PAIRS = 200_000
ROUNDS = 30
PROBABILITY_MIN = 0.95
FLOOR = 1e-6
"""Least value of m, u and a frequency: no weight is infinite."""


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account by the size of the group that it is linked to."""
    calls = calls_of(log)
    values, owner = _values(calls.facts), calls.owner
    created = calls.facts["created_at"].cast(pa.int64()).fill_null(0).to_numpy()
    size = len(owner)
    first, second, blocked = _candidates(values, owner, created)
    if not len(first):
        return Suspicion.of(calls.accounts, np.full(size, -np.inf))
    compared = _compare(values, first, second)
    u = _by_chance(values, seed)
    m = _m(compared, blocked, u)
    weight = _weights(values, first, compared, m, u)
    share = _matches(weight) / (size * (size - 1) / 2)
    linked = weight + np.log2(share / (1 - share)) > np.log2(PROBABILITY_MIN / (1 - PROBABILITY_MIN))
    graph = coo_array((np.ones(linked.sum()), (first[linked], second[linked])), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    owners = _owners(component, owner)[component]
    heaviest = np.full(size, -np.inf)
    for end in (first, second):
        np.maximum.at(heaviest, end, weight)
    cluster = np.where(np.bincount(component)[component] > 1, component, ALONE)
    return Suspicion.of(calls.accounts, np.log2(owners) + heaviest / 1_000, cluster)


def _values(facts: pa.Table) -> Ints:
    """Return the attributes of each account as numbers, -1 where unknown.

    Shapes:  int64[ATTRIBUTES, accounts].
    """
    created = facts["created_at"].cast(pa.int64())
    day = created.fill_null(-DAY_US).to_numpy() // DAY_US
    return np.stack(
        [
            coded(facts["payment_digest"])[1],
            coded(blocks(facts["signup_ip"]))[1],
            coded(facts["email_domain"])[1],
            coded(facts["signup_tls_fingerprint"])[1],
            day,
        ]
    )


def _candidates(values: Ints, owner: Ints, created: Ints) -> tuple[Ints, Ints, Bools]:
    """Return the pairs to compare, and by which rules each was found.

    Shapes:  int64[pairs], int64[pairs], bool[RULES, pairs].
    """
    pairs, rules = [], []
    for number, rule in enumerate(RULES):
        block = values[rule[0]]
        for other in rule[1:]:
            block = mixed(block, values[other])
        order = np.lexsort((created, block))
        order = order[np.searchsorted(block[order], 0) :]
        for step in range(1, min(NEIGHBOURS_MAX, max(len(order) - 1, 0)) + 1):
            one, two = order[:-step], order[step:]
            kept = (block[one] == block[two]) & (owner[one] != owner[two])
            pairs.append(np.sort(np.stack([one[kept], two[kept]]), axis=0))
            rules.append(np.full(int(kept.sum()), number))
    every = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.int64)
    found, where = np.unique(every, axis=1, return_inverse=True)
    blocked = np.zeros((len(RULES), found.shape[1]), bool)
    if rules:
        blocked[np.concatenate(rules), where.ravel()] = True
    return found[0], found[1], blocked


def _compare(values: Ints, first: Ints, second: Ints) -> Ints:
    """Return 1 where an attribute agrees, 0 where it differs, -1 where it is unknown."""
    one, two = values[:, first], values[:, second]
    return np.where((one < 0) | (two < 0), -1, (one == two).astype(np.int64))


def _by_chance(values: Ints, seed: int) -> Floats:
    """Return u: how often each attribute of two random accounts agrees."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, values.shape[1], (2, RANDOM_PAIRS))
    compared = _compare(values, *(end[first != second] for end in (first, second)))
    known = np.maximum((compared >= 0).sum(axis=1), 1)
    u: Floats = np.clip((compared == 1).sum(axis=1) / known, FLOOR, 1 - FLOOR)
    return u


def _m(compared: Ints, blocked: Bools, u: Floats) -> Floats:
    """Return m: how often each attribute of a true match agrees, averaged over the rules that leave it free."""
    learnt: list[list[float]] = [[] for _ in ATTRIBUTES]
    for rule, mine in zip(RULES, blocked, strict=True):
        free = [at for at in range(len(ATTRIBUTES)) if at not in rule]
        if mine.any():
            for at, value in zip(free, _learn(compared[free][:, mine], u[free]), strict=True):
                learnt[at].append(value)
    return np.array([np.mean(values) if values else 0.9 for values in learnt])


def _learn(compared: Ints, u: Floats) -> Sequence[float]:
    """Return m of some attributes by expectation maximisation with u held fixed."""
    m, share = np.full(len(u), 0.9), 0.1
    agree, differ = (compared == 1).astype(np.float64), (compared == 0).astype(np.float64)
    for _ in range(ROUNDS):
        weight = agree.T @ np.log(m / u) + differ.T @ np.log((1 - m) / (1 - u))
        chance = 1 / (1 + (1 - share) / share * np.exp(-weight))
        share = float(np.clip(chance.mean(), FLOOR, 1 - FLOOR))
        m = np.clip(agree @ chance / np.maximum((agree + differ) @ chance, FLOOR), FLOOR, 1 - FLOOR)
    return [float(value) for value in m]


def _weights(values: Ints, first: Ints, compared: Ints, m: Floats, u: Floats) -> Floats:
    """Return the match weight of each pair in bits, agreements on rare values weighing more."""
    total = np.zeros(len(first))
    for at in range(len(ATTRIBUTES)):
        known = values[at][values[at] >= 0]
        value = values[at][first]
        distinct, count = np.unique(known, return_counts=True)
        place = np.searchsorted(distinct, value).clip(0, max(len(distinct) - 1, 0))
        frequency = np.maximum(count[place] / len(known), FLOOR) if len(known) else np.ones(len(first))
        total += np.where(compared[at] == 1, np.log2(m[at] / frequency), 0.0)
        total += np.where(compared[at] == 0, np.log2((1 - m[at]) / (1 - u[at])), 0.0)
    return total


def _matches(weight: Floats) -> float:
    """Return how many of the compared pairs are matches, by the fixed point of their own probabilities."""
    share = 0.1
    for _ in range(ROUNDS):
        share = float(np.clip(np.mean(1 / (1 + (1 - share) / share * np.exp2(-weight))), FLOOR, 1 - FLOOR))
    return share * len(weight)


def _owners(component: Ints, owner: Ints) -> Ints:
    """Return how many owners each component holds."""
    _, first = np.unique(mixed(component, owner), return_index=True)
    return np.bincount(component[first], minlength=int(component.max(initial=0)) + 1)
