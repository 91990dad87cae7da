from __future__ import annotations

import numpy as np

from stillwatch.campaign.community import communities


def accounts(first: int, last: int) -> np.ndarray:
    return np.arange(first, last, dtype=np.uint64)


def test_families_of_one_pool_are_one_community_and_strangers_are_another() -> None:
    found = communities([accounts(0, 40), accounts(10, 60), accounts(100, 140), accounts(120, 160)], seed=0)
    assert found == [0, 0, 1, 1]


def test_a_few_passers_by_join_nothing() -> None:
    assert communities([accounts(0, 100), accounts(95, 200)], seed=0) == [0, 1]


def test_one_family_or_none_needs_no_algorithm() -> None:
    assert communities([], seed=0) == []
    assert communities([accounts(0, 3)], seed=0) == [0]


def test_the_seed_and_a_second_look_change_nothing() -> None:
    pools = [accounts(20 * at, 20 * at + 50) for at in range(6)]
    assert communities(pools, seed=1) == communities(pools, seed=1)
