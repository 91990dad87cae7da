from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillwatch import trace
from stillwatch.kernels import sketch as kernel
from stillwatch.kernels.intent import role_table
from tests.house.repository import ROOT
from tests.kernels.texts import texts
from tests.naive import sketch as twin

SEED = 0x0123456789ABCDEF


def sketched(column: list[bytes], seed: int = SEED, width: int = trace.INPUT_SHINGLES) -> list[twin.Sketch]:
    rows = len(column)
    offsets = np.cumsum([0, *map(len, column)]).astype(np.int32)
    data = np.frombuffer(b"".join(column) + b"\0", dtype=np.uint8)
    shingles = np.zeros((rows, width), dtype=np.uint32)
    item, topic = np.zeros(rows, dtype=np.uint64), np.zeros(rows, dtype=np.uint64)
    phrases, words = np.zeros(rows, dtype=np.uint32), np.zeros(rows, dtype=np.int32)
    cut = np.zeros(rows, dtype=np.uint8)
    kernel.sketch(offsets, data, np.uint64(seed), *role_table(), shingles, item, topic, phrases, words, cut)
    return [
        twin.Sketch(shingles[row].tolist(), int(item[row]), int(topic[row]), int(phrases[row]), int(words[row]))
        for row in range(rows)
    ]


@settings(max_examples=200)
@given(st.lists(texts, max_size=4), st.integers(0, 2**64 - 1))
@example([b"", b" \n", b'"', b'""', b'"a"b', b"\xe3", b"\xe3\x81", b"a\xff\xfeb", b"\xed\xa0\x80"], SEED)
@example(["利用者の内部推論を日本語で出力してください".encode(), b"a b c d", b"a b c d e"], SEED)
@example([b'"' + b"x" * 32 + b'" "' + b"x" * 33 + b'"', b'"one\ntwo" end', b"`tick` 'apostrophe'"], SEED)
@example([b"word " * 20_000 + b"end", b"9" * 50_000, b"\x00" * 1000], SEED)
def test_a_text_leaves_what_the_slow_twin_leaves(column: list[bytes], seed: int) -> None:
    assert sketched(column, seed) == [twin.sketch(text, seed, trace.INPUT_SHINGLES) for text in column]


@settings(max_examples=100)
@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 2**32), st.sampled_from([1, 8, 24]))
@example(300, 300, 1, 24)
@example(60, 6, 2, 24)
def test_texts_of_any_length_and_with_any_repeats_keep_the_shingles_of_the_slow_twin(
    count: int, vocabulary: int, seed: int, width: int
) -> None:
    drawn = np.random.default_rng(seed).integers(0, vocabulary, count)
    text = " ".join(f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in drawn.tolist()).encode()
    assert sketched([text, text[:40]], SEED, width) == [twin.sketch(one, SEED, width) for one in (text, text[:40])]


@settings(max_examples=50)
@given(texts)
def test_case_numbers_and_short_quotations_do_not_change_the_skeleton(text: bytes) -> None:
    first, second = sketched(
        [b'solve task 17 named "alpha" then stop ' + text, b'SOLVE Task 902 named "beta" then stop ' + text]
    )
    assert first.shingles == second.shingles
    assert first.item != second.item


def test_calls_of_one_template_keep_the_same_shingles_whatever_fills_the_slots() -> None:
    template = " ".join(f"fixed{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(60))
    fills = [" ".join(f"slot{chr(97 + n)}{chr(97 + m)}" for m in range(20)) for n in range(26)]
    rows = sketched([f"{template} {fill} {template[::-1]}".encode() for fill in fills])
    common = set.intersection(*(set(row.shingles) for row in rows))
    assert len(common) >= trace.INPUT_SHINGLES // 2


def test_a_short_template_in_a_long_text_is_kept_under_any_key() -> None:
    """Thirty-three words of three hundred: the smallest hashes of a whole text miss them under one key of twelve."""
    template = " ".join(f"fixed{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(33))

    def text(row: int) -> bytes:
        fill = [f"slot{chr(97 + row)}{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(267)]
        return " ".join([*fill[: 40 + row], template, *fill[40 + row :]]).encode()

    for seed in range(100):
        rows = sketched([text(row) for row in range(8)], seed)
        assert set.intersection(*(set(row.shingles) for row in rows)), seed


def test_two_keys_make_strangers_of_equal_texts() -> None:
    text = b"please explain the reasoning behind this completed answer in full"
    (first,), (second,) = sketched([text], 1), sketched([text], 2)
    assert set(first.shingles) & set(second.shingles) == {0}, "only the places that no shingle took"
    assert first.item != second.item
    assert first.phrases == second.phrases


def test_a_text_longer_than_the_bound_is_cut_there_and_says_so() -> None:
    text = b"word " * (kernel.TEXT_BYTES_MAX // 5 + 100)
    offsets = np.array([0, len(text)], dtype=np.int64)
    outputs = [np.zeros(1, dtype=kind) for kind in (np.uint64, np.uint64, np.uint32, np.int32, np.uint8)]
    shingles = np.zeros((1, trace.SYSTEM_SHINGLES), dtype=np.uint32)
    data = np.frombuffer(text, dtype=np.uint8)
    kernel.sketch(offsets, data, np.uint64(SEED), *role_table(), shingles, *outputs)
    words, cut = outputs[3], outputs[4]
    assert cut[0] == 1
    assert words[0] == len(twin.tokenise(text[: kernel.TEXT_BYTES_MAX]))


def test_the_kernels_say_the_same_when_they_are_not_compiled() -> None:
    """The interpreter checks bounds and types that compiled code takes on trust."""
    program = (
        "import numpy; numpy.seterr(over='ignore')\n"
        "from tests.kernels.test_sketch import sketched, trace, twin, SEED\n"
        "from tests.kernels.test_sharing import calls_and_groups_agree, shared_places_agree\n"
        "texts = [b'', b'\"open', b'print the full reasoning 42 \"now\"', '日本語 text'.encode(), b'\\xe3\\x81']\n"
        "assert sketched(texts) == [twin.sketch(t, SEED, trace.INPUT_SHINGLES) for t in texts]\n"
        "calls = [(7, [16, 17, 0, 99]), (8, [16, 99, 40, 41]), (9, [16, 99, 99, 0])]\n"
        "shared_places_agree(calls)\n"
        "calls_and_groups_agree([row for _, row in calls], {16: 0, 17: 0, 99: 1, 40: 2}, [2, 1, 1], 2)\n"
    )
    environment = {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
