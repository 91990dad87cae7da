from __future__ import annotations

import ast
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernels.pseudonyms import pseudonyms, siphash
from stillwatch.pseudonym import Key
from tests.naive import pseudonyms as twin

halves = st.integers(0, 2**64 - 1)


@settings(max_examples=200)
@given(st.binary(max_size=70), halves, halves)
def test_a_hash_is_what_the_slow_twin_makes(data: bytes, first: int, second: int) -> None:
    buffer = np.frombuffer(b"##" + data + b"#", dtype=np.uint8)
    found = siphash(buffer, 2, 2 + len(data), np.uint64(first), np.uint64(second))
    assert int(found) == twin.siphash(data, first, second)


def test_the_twin_agrees_with_the_hash_that_python_itself_uses() -> None:
    """Python hashes bytes by SipHash-1-3, under a key of zeros where its seed is 0."""
    if sys.hash_info.algorithm != "siphash13":
        pytest.fail(f"this Python hashes by {sys.hash_info.algorithm}; find another witness")
    samples = [b"a", b"seven b", b"eight by", b"nine byte", bytes(range(64))]
    program = f"print([hash(sample) % 2**64 for sample in {samples!r}])"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=True
    )
    assert ast.literal_eval(done.stdout.decode()) == [twin.siphash(sample, 0, 0) for sample in samples]


@settings(max_examples=50)
@given(
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=12), st.integers(0, 3)
)
def test_a_column_becomes_pseudonyms_row_for_row_wherever_it_was_cut(values: list[str | None], skipped: int) -> None:
    key = Key.derive(b"a secret of a test", "identifiers")
    for kind in (pa.string(), pa.large_string()):
        column = pa.array(values, kind).slice(skipped)
        expected = [twin.pseudonym(value, key.first, key.second) for value in values[skipped:]]
        assert pseudonyms(column, key).tolist() == expected


def test_nothing_is_absent_and_the_empty_string_is_nothing() -> None:
    key = Key.derive(b"a secret of a test", "identifiers")
    assert pseudonyms(pa.array([None, "", "x"], pa.string()), key)[:2].tolist() == [0, 0]


def test_a_purpose_has_its_own_pseudonyms() -> None:
    column = pa.array(["same value"])
    found = {int(pseudonyms(column, Key.derive(b"secret", purpose))[0]) for purpose in ("identifiers", "shingles")}
    assert len(found) == 2


def test_a_column_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError):
        pseudonyms(pa.array([1, 2]), Key(1, 2))
