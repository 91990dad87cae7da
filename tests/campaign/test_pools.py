"""A pool that works through several tasks is one hypothesis, and is judged by all that its accounts do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaign.pools import devotion, same_accounts
from stillwatch.signals.contract import Pool
from tests.naive import pools as twin


def pool(accounts: list[int], calls: int = 4, name: str = "f-1", sent: int = 10) -> Pool:
    count = len(accounts)
    return Pool(
        name, np.array(sorted(accounts), dtype=np.uint64), np.zeros(count, dtype=np.uint64), np.full(count, sent),
        np.full(count, calls), np.zeros(count, dtype=bool),
    )  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sets(st.integers(1, 12), min_size=1), st.integers(1, 5)), max_size=8))
def test_families_are_parted_as_by_the_slow_twin(drawn: list[tuple[set[int], int]]) -> None:
    pools = [pool(list(accounts), calls, f"f-{at:02d}") for at, (accounts, calls) in enumerate(drawn)]
    expected = twin.same_accounts(
        [accounts for accounts, _ in drawn],
        [calls * len(accounts) for accounts, calls in drawn],
        [each.group_id for each in pools],
    )
    assert same_accounts(pools) == expected


def test_tasks_of_one_pool_are_one_hypothesis_and_strangers_another() -> None:
    first, second = list(range(1, 41)), list(range(100, 140))
    parts = same_accounts([pool(first, 3, "f-1"), pool(second, 3, "f-2"), pool(first[:30], 5, "f-3")])
    assert sorted(map(sorted, parts)) == [[0, 2], [1]]


def test_a_pool_is_as_devoted_as_all_its_families_together() -> None:
    accounts = list(range(1, 21))
    members = [pool(accounts, 4), pool(accounts, 3), pool(accounts[:5], 9)]
    assert devotion(members[0], members[:1]) == pytest.approx(0.4)
    assert devotion(members[0], members) == pytest.approx(0.7)


def test_a_family_of_which_a_tenth_is_in_memory_takes_up_as_much_of_its_accounts_as_the_whole() -> None:
    accounts = list(range(1, 21))
    whole, tenth = pool(accounts, 40, sent=100), replace(pool(accounts, 4, sent=100), kept=0.1)
    assert tenth.shares == pytest.approx(whole.shares)
    assert tenth.events_count == whole.events_count
    assert devotion(tenth, [tenth, pool(accounts, 20, sent=100)]) == pytest.approx(0.6)
