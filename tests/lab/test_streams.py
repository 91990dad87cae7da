from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lab.streams import mix, normal, stream, unit

KEYS = np.arange(200_000, dtype=np.uint64)


def test_distinct_keys_stay_distinct() -> None:
    assert len(np.unique(mix(KEYS, 7))) == len(KEYS)


@given(st.integers(0, 2**40), st.integers(0, 10_000))
def test_a_key_is_hashed_alike_alone_and_in_company(salt: int, place: int) -> None:
    assert mix(KEYS, salt)[place] == mix(KEYS[place : place + 1], salt)[0]


def test_unit_numbers_are_even_and_normal_ones_have_unit_variance() -> None:
    # 200,000 draws: the standard error of the mean is 0.0007 and 0.0022.
    assert abs(unit(KEYS, 3).mean() - 0.5) < 0.004
    assert abs(normal(KEYS, 3).mean()) < 0.012
    assert abs(normal(KEYS, 3).std() - 1.0) < 0.012


def test_two_salts_are_independent() -> None:
    assert abs(np.corrcoef(unit(KEYS, 1), unit(KEYS, 2))[0, 1]) < 0.012


def test_streams_of_other_names_or_seeds_differ_and_the_same_repeat() -> None:
    first = stream(1, "pool", 3).integers(0, 1 << 62, 8)
    assert (first == stream(1, "pool", 3).integers(0, 1 << 62, 8)).all()
    assert (first != stream(2, "pool", 3).integers(0, 1 << 62, 8)).any()
    assert (first != stream(1, "pool", 4).integers(0, 1 << 62, 8)).any()
