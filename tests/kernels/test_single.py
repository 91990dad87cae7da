"""A call by itself leaves what it leaves in a batch, and carries the signature that reading plainly finds."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.event import EVENT_SCHEMA
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.sharing import directory, drawer_bits
from stillwatch.kernels.single import call_shingles, carried_signature, first_place, look_at_text, name_keys
from stillwatch.kernels.sketch import TEXT_BYTES_MAX
from stillwatch.kernels.tracer import TraceKeys, trace_batch
from tests.kernels.texts import PIECES
from tests.naive import single as twin

KEYS = TraceKeys.derive(b"a secret of a test")
SEED = np.uint64(KEYS.shingles.first)
TIME = dt.datetime(2026, 11, 2, 8, 30, tzinfo=dt.UTC)

NAMES = st.sampled_from(['"answer"', "<score>", "</score>", "`steps`", "'why'", '"reasoning"'])
TEXTS = st.none() | st.lists(PIECES | NAMES, max_size=60).map(
    lambda parts: " ".join(parts).encode("utf-8", "ignore").decode()
)


def as_bytes(text: str | None) -> np.ndarray:
    return np.frombuffer((text or "").encode(), dtype=np.uint8)


def in_a_batch(system: str | None, newest: str | None) -> list[int]:
    event = {"event_id": "e", "time": TIME, "account_id": "a", "request_model": "m"}
    other = {**event, "event_id": "f", "system_prompt": newest, "input_text": "something else"}
    rows = [{**event, "system_prompt": system, "input_text": newest}, other]
    batch = pa.RecordBatch.from_pylist(rows, schema=EVENT_SCHEMA)
    shingles: list[int] = trace_batch(batch, KEYS, 0)["shingles"][0].as_py()
    return shingles


@settings(max_examples=200)
@given(TEXTS, TEXTS)
def test_a_call_by_itself_has_the_shingles_that_it_has_in_a_batch(system: str | None, newest: str | None) -> None:
    assert call_shingles(as_bytes(system), as_bytes(newest), SEED).tolist() == in_a_batch(system, newest)


def test_a_text_beyond_the_bound_is_cut_where_a_batch_cuts_it() -> None:
    rng = np.random.default_rng(1)
    text = " ".join(f"word{number}x" for number in rng.integers(0, 5_000, TEXT_BYTES_MAX // 8))
    text = text[: TEXT_BYTES_MAX - 3].ljust(TEXT_BYTES_MAX - 3, "y") + 'élan "name" and more'
    assert len(text.encode()) > TEXT_BYTES_MAX
    assert call_shingles(as_bytes("short"), as_bytes(text), SEED).tolist() == in_a_batch("short", text)


@given(st.lists(st.text(max_size=30), max_size=9))
def test_identifiers_have_the_pseudonyms_that_they_have_in_a_batch(names: list[str]) -> None:
    spelt = [name.encode("utf-8", "ignore") for name in names]
    sizes = np.array([len(name) for name in spelt], dtype="<u4")
    data = np.frombuffer(sizes.tobytes() + b"".join(spelt), dtype=np.uint8)
    key = KEYS.identifiers
    found = name_keys(data, len(spelt), np.uint64(key.first), np.uint64(key.second))
    assert found.tolist() == pseudonyms(pa.array([name.decode() for name in spelt], pa.string()), key).tolist()


@given(st.lists(st.integers(1, 2**64 - 1), max_size=30), st.integers(0, 2**64 - 1))
def test_a_key_is_found_where_it_stands_first(keys: list[int], other: int) -> None:
    table = np.sort(np.array(keys, dtype=np.uint64))
    for key in [*keys, other, 0]:
        expected = int(np.argmax(table == np.uint64(key))) if key in keys else -1
        assert first_place(table, np.uint64(key)) == expected


shingle = st.integers(1, 40).map(lambda number: number * 0x05F5E101 & 0xFFFFFFFF)
signature = st.builds(
    twin.Signature,
    st.frozensets(shingle, min_size=1, max_size=6),
    st.integers(1, 2),
    st.frozensets(shingle, min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(5, 7),
)


def table_of(signatures: list[twin.Signature]) -> tuple[np.ndarray, ...]:
    pairs = sorted((value, at) for at, one in enumerate(signatures) for value in one.own)
    own = np.array([value for value, _ in pairs], dtype=np.uint32)
    cores = [sorted(one.core) for one in signatures]
    return (
        own,
        directory(own, drawer_bits(len(own))),
        np.array([at for _, at in pairs], dtype=np.int32),
        np.array([value for core in cores for value in core], dtype=np.uint32),
        np.cumsum([0, *map(len, cores)]).astype(np.int32),
        np.array([(one.own_needed, one.hits_needed) for one in signatures], dtype=np.int32).reshape(-1, 2),
        np.array([one.outside for one in signatures], dtype=np.int32),
        np.array([one.expires_us for one in signatures], dtype=np.int64),
    )


@settings(max_examples=300)
@given(st.lists(st.just(0) | shingle, max_size=12), st.lists(signature, max_size=6))
def test_a_call_carries_the_signature_of_the_slow_twin(held: list[int], signatures: list[twin.Signature]) -> None:
    found = carried_signature(np.array(held, dtype=np.uint32), table_of(signatures), 5)
    assert tuple(map(int, found)) == twin.carried_signature(held, signatures, 5)


def test_one_step_is_the_same_as_two() -> None:
    text = as_bytes("Grade the answer by the rubric and write the whole reasoning out, step by step, as JSON.")
    held = call_shingles(as_bytes(None), text, SEED)
    known = frozenset(held.tolist()) - {0}
    table = table_of([twin.Signature(known, 2, known, 3, 0, 10)])
    assert look_at_text(as_bytes(None), text, SEED, table, 5) == carried_signature(held, table, 5)
    assert look_at_text(as_bytes(None), text, SEED, table_of([]), 5) == (-1, 0)
