from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.kernels.second_account import MANY, enter, keep_entered, note_accounts
from tests.naive import second_account as twin

WIDTH = 5

logs = st.lists(
    st.tuples(st.integers(1, 6), st.lists(st.integers(0, 40), min_size=WIDTH, max_size=WIDTH)), min_size=1, max_size=30
)


@given(logs, st.integers(1, 4))
def test_shingles_of_two_accounts_are_those_of_counting_by_hand(log: list, parts: int) -> None:
    shingles = np.array([of for _, of in log], dtype=np.uint32)
    accounts = np.array([account for account, _ in log], dtype=np.uint64)
    found: list[int] = []
    for part in range(parts):
        shingle, account = np.zeros(64, dtype=np.uint32), np.zeros(64, dtype=np.uint64)
        taken = note_accounts(shingles, accounts, part, parts, shingle, account)
        assert taken == np.count_nonzero(shingle)
        found += shingle[account == MANY].tolist()
    assert sorted(found) == sorted(twin.note_accounts(log))
    table = np.zeros(128, dtype=np.uint32)
    enter(np.array(found, dtype=np.uint32), table)
    expected = twin.keep_entered([of for _, of in log], set(found))
    assert keep_entered(shingles, table).tolist() == expected


def test_a_table_without_room_says_so() -> None:
    shingles = np.arange(1, 11, dtype=np.uint32).reshape(2, 5)
    shingle, account = np.zeros(8, dtype=np.uint32), np.zeros(8, dtype=np.uint64)
    assert note_accounts(shingles, np.array([1, 2], dtype=np.uint64), 0, 1, shingle, account) == -1
