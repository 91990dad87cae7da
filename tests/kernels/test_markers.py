"""Names that a prompt fixes for its answer are found however the prompt is worded."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillwatch import trace
from stillwatch.kernels.markers import join_markers, markers
from tests.kernels.texts import texts
from tests.naive import markers as twin

SEED = 0x0123456789ABCDEF


def marked(*columns: list[bytes], seed: int = SEED) -> list[list[int]]:
    rows = len(columns[0])
    held = []
    for column in columns:
        offsets = np.cumsum([0, *map(len, column)]).astype(np.int32)
        held.append(np.zeros((rows, trace.MARKERS), dtype=np.uint64))
        markers(offsets, np.frombuffer(b"".join(column) + b"\0", dtype=np.uint8), np.uint64(seed), held[-1])
    out = np.zeros((rows, trace.MARKERS), dtype=np.uint32)
    join_markers(held[0], np.arange(rows), held[-1], np.arange(rows), out)
    return out.tolist()


@settings(max_examples=200)
@given(st.lists(texts, max_size=4), st.integers(0, 2**64 - 1))
@example([b"", b'"', b'""', b'"a"', b'"ab"cd"', b"<a><bc></bc>", b"< bc>", b"'t it's'", b"<\xe3\x81>"], SEED)
@example([b'"' + b"x" * 40 + b'" "' + b"y" * 41 + b'"', b"`one_two` 'one-two' <2two> \"t2\""], SEED)
def test_a_text_leaves_the_names_that_the_slow_twin_finds(column: list[bytes], seed: int) -> None:
    assert marked(column, seed=seed) == [twin.markers([text], seed, trace.MARKERS) for text in column]


@settings(max_examples=50)
@given(texts, texts)
def test_the_system_text_and_the_user_text_are_one_prompt(system: bytes, newest: bytes) -> None:
    assert marked([system], [newest]) == [twin.markers([system, newest], SEED, trace.MARKERS)]


def test_a_reworded_prompt_in_another_order_keeps_its_names() -> None:
    first = b'Think it over, then give JSON with "Worked_Steps", "verdict" and <final>...</final>.'
    second = b"Fill <final></final> at the end; `verdict` says how it went, 'worked_steps' how you got there."
    (one,), (two,) = marked([first]), marked([second])
    assert one == two
    assert one.count(0) == trace.MARKERS - 3
