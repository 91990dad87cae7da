from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaign.families import WITNESSES_AGREEING_MIN, group_shingles
from tests.naive import families as twin
from tests.naive.sharing import witness_minima


def minima(calls: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the shingles of some calls, ascending, and each one's witnesses."""
    found = witness_minima([(shingle, 1_000_003 * event) for event, of in enumerate(calls) for shingle in of])
    return np.array(list(found), dtype=np.uint32), np.array(list(found.values()), dtype=np.uint64)


def log_of(templates: int, calls_each: int, width: int, seed: int) -> list[list[int]]:
    """Make calls that carry the shingles of one of several templates and a few of their own."""
    rng = np.random.default_rng(seed)
    skeletons = [100 * at + np.arange(1, width + 1) for at in range(1, templates + 1)]
    return [
        [
            *rng.permutation(skeleton)[: width - int(rng.random() < 0.3)].tolist(),
            *rng.integers(50_000, 90_000, 3).tolist(),
        ]
        for skeleton in skeletons
        for _ in range(calls_each)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_families_are_those_of_comparing_all_pairs(seed: int) -> None:
    shingle, witnesses = minima(log_of(templates=4, calls_each=12, width=8, seed=seed))
    found = group_shingles(shingle, witnesses)
    assert found.family.tolist() == twin.group_shingles(witnesses.tolist(), WITNESSES_AGREEING_MIN)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(1, 25), min_size=1, max_size=6, unique=True), min_size=1, max_size=25))
def test_a_family_never_joins_what_comparing_all_pairs_keeps_apart(calls: list[list[int]]) -> None:
    shingle, witnesses = minima(calls)
    found = group_shingles(shingle, witnesses)
    slow = twin.group_shingles(witnesses.tolist(), WITNESSES_AGREEING_MIN)
    joined = {}
    for family, of in zip(found.family.tolist(), slow, strict=True):
        assert joined.setdefault(family, of) == of


def test_a_template_is_one_family_and_a_harness_around_it_another() -> None:
    rng = np.random.default_rng(3)
    harness, template = list(range(1, 7)), list(range(11, 19))
    calls = [[*harness, *rng.integers(1_000, 9_000, 4).tolist()] for _ in range(80)]
    calls += [[*harness, *template] for _ in range(20)]
    shingle, witnesses = minima(calls)
    found = group_shingles(shingle, witnesses)
    family = dict(zip(shingle.tolist(), found.family.tolist(), strict=True))
    assert len({family[each] for each in harness}) == 1
    assert len({family[each] for each in template}) == 1
    assert family[1] != family[11]


def test_a_family_is_named_by_what_it_is_and_not_by_its_number() -> None:
    first = group_shingles(*minima([[1, 2, 3]] * 3))
    both = group_shingles(*minima([[1, 2, 3]] * 3 + [[7, 8]] * 3))
    names = {both.name(0), both.name(1)}
    assert first.name(0) in names
    assert len(names) == 2
    assert sorted(both.hits_needed().tolist()) == [2, 2]


def test_a_log_that_shares_nothing_has_no_families() -> None:
    found = group_shingles(np.zeros(0, dtype=np.uint32), np.zeros((0, 8), dtype=np.uint64))
    assert len(found.size) == 0
