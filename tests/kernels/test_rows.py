from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernels.rows import distinct


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1) | st.integers(0, 2)), max_size=30))
def test_distinct_rows_are_those_of_a_counter_in_order(rows: list[tuple[int, int]]) -> None:
    first = np.array([row[0] for row in rows], dtype=np.int64)
    second = np.array([row[1] for row in rows], dtype=np.uint64)
    (found_first, found_second), counts = distinct(first, second)
    expected = sorted(Counter(rows).items())
    assert list(zip(found_first.tolist(), found_second.tolist(), strict=True)) == [row for row, _ in expected]
    assert counts.tolist() == [count for _, count in expected]
