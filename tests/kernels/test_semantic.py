"""Paraphrases share a code, other subjects do not, and nothing but the text decides."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch import trace
from stillwatch.errors import Error
from stillwatch.event import EVENT_SCHEMA
from stillwatch.kernels.semantic import CODE_BITS, SEMANTIC_CHARACTERS_MAX, SEMANTIC_CODES, Embedder, fold, hyperplanes
from stillwatch.kernels.tracer import trace_batch
from tests.kernels.models import save_model
from tests.kernels.test_tracer import BARE, FULL, KEYS
from tests.naive import semantic as twin

SECRET = b"a secret of a test"
SYNONYMS = {
    "solve": ["solve", "resolve", "crack"],
    "exercise": ["exercise", "problem", "task"],
    "show": ["show", "print", "reveal"],
    "every": ["every", "each", "all"],
    "step": ["step", "stage", "move"],
    "finish": ["finish", "end", "close"],
    "result": ["result", "answer", "outcome"],
}
FIRST = "solve exercise show every step finish result"
SECOND = "print each stage crack problem close answer"
ELSEWHERE = "river garden winter bread candle"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"), SYNONYMS, ELSEWHERE.split())


def codes(model: Path, *texts: str | None, secret: bytes = SECRET) -> list[list[int]]:
    return Embedder.load(model, secret).codes(pa.array(texts, pa.string())).tolist()


@settings(max_examples=100)
@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), max_size=4),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_a_vector_folds_into_the_codes_that_the_slow_twin_finds(
    vectors: list[list[float]], key: int, seed: int
) -> None:
    planes = hyperplanes(key, 3)
    assert planes.tolist() == twin.hyperplanes(key, 3)
    found = fold(np.array(vectors, dtype=np.float32).reshape(-1, 3), planes, np.uint64(seed))
    assert found.tolist() == [twin.fold(vector, twin.hyperplanes(key, 3), seed) for vector in vectors]


@pytest.mark.parametrize("cosine", [0.99, 0.9, 0.5])
def test_two_vectors_share_a_code_as_often_as_their_angle_says(cosine: float) -> None:
    """Charikar's probability over 4,000 draws of a code's planes; the tolerance is four standard errors."""
    draws = 2_000
    pair = np.zeros((2, 128))
    pair[:, 0] = 1, cosine
    pair[1, 1] = np.sqrt(1 - cosine**2)
    shared = 0
    for key in range(draws):
        one, two = fold(pair, hyperplanes(key, 128), np.uint64(7))
        shared += int((one == two).sum())
    expected = (1 - np.arccos(cosine) / np.pi) ** CODE_BITS
    tolerance = 4 * np.sqrt(expected * (1 - expected) / (SEMANTIC_CODES * draws))
    assert abs(shared / (SEMANTIC_CODES * draws) - expected) < tolerance + 2e-3, "0.002: sums of bytes for normals"


def test_paraphrases_without_a_word_in_common_share_a_code_and_another_subject_does_not(model: Path) -> None:
    """Synonyms a tenth of their length apart: texts at a cosine of about 0.99 share one of two codes under 73 of 100
    secrets, texts at a right angle under 3 of 100,000. The tolerance is four standard errors over 200 secrets, and 0.04
    for what the drawn vectors differ from a tenth.
    """
    assert not set(FIRST.split()) & set(SECOND.split())
    near = far = 0
    for secret in range(200):
        first, second, elsewhere = codes(model, FIRST, SECOND, ELSEWHERE, secret=b"%d" % secret)
        near += any(a == b for a, b in zip(first, second, strict=True))
        far += any(a == b for a, b in zip(first, elsewhere, strict=True))
    assert abs(near / 200 - 0.73) < 0.17
    assert far == 0


def test_a_text_keeps_its_codes_among_any_neighbours(model: Path) -> None:
    words = [*ELSEWHERE.split(), *(word for alike in SYNONYMS.values() for word in alike)]
    rng = np.random.default_rng(5)
    texts = [" ".join(rng.choice(words, rng.integers(1, 40))) for _ in range(300)]
    embedder = Embedder.load(model, SECRET)
    alone = np.concatenate([embedder.codes(pa.array([text])) for text in texts])
    assert np.array_equal(embedder.codes(pa.array(texts)), alone)
    assert np.array_equal(embedder.codes(pa.array(["", *texts]).slice(1)), alone)
    assert np.array_equal(embedder.codes(pa.array(texts, pa.large_string())), alone)


def test_no_text_and_no_known_word_leave_no_code(model: Path) -> None:
    assert codes(model, None, "", "xyzzy", "\ud7ff") == [[0, 0]] * 4
    assert codes(model) == []


def test_another_secret_makes_strangers_of_the_codes(model: Path) -> None:
    (one,), (two,) = codes(model, FIRST), codes(model, FIRST, secret=b"another secret of a test")
    assert not set(one) & set(two)


def test_what_stands_behind_the_bound_does_not_count(model: Path) -> None:
    filling = "river " * (SEMANTIC_CHARACTERS_MAX // 6 + 1)
    one, two = codes(model, filling, filling + FIRST * 1_000)
    assert one == two


def test_codes_take_the_places_of_the_last_two_names(model: Path) -> None:
    batch = pa.RecordBatch.from_pylist([{**FULL, "input_text": FIRST}, BARE], schema=EVENT_SCHEMA)
    embedder = Embedder.load(model, SECRET)
    plain, coded = trace_batch(batch, KEYS, 0).to_pylist(), trace_batch(batch, KEYS, 0, embedder).to_pylist()
    for before, after in zip(plain, coded, strict=True):
        assert before["shingles"][:-SEMANTIC_CODES] == after["shingles"][:-SEMANTIC_CODES]
        assert {**before, "shingles": None} == {**after, "shingles": None}
    assert coded[0]["shingles"][-SEMANTIC_CODES:] == codes(model, FIRST)[0]
    assert coded[1]["shingles"] == [0] * trace.SHINGLES


def test_a_folder_is_read_and_all_else_refused_and_neither_is_looked_for_elsewhere(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("somebody went online")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert all(codes(model, FIRST)[0])
    (tmp_path / "file").write_text("no folder")
    for name in (Path("someone/some-model"), tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(Error) as refused:
            Embedder.load(name, SECRET)
        assert refused.value.ident == "no-such-embedding-model"
        assert refused.value.hint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_model_that_lacks_a_file_or_a_part_of_one_is_refused(name: str, cut: bool, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", SYNONYMS)
    if cut:
        (folder / name).write_bytes((folder / name).read_bytes()[:-2])
    else:
        (folder / name).unlink()
    with pytest.raises(Error) as refused:
        Embedder.load(folder, SECRET)
    assert refused.value.ident == "bad-embedding-model"


@pytest.mark.parametrize(("name", "text"), [("config.json", "[]"), ("tokenizer.json", "[]"), ("tokenizer.json", "{}")])
def test_a_model_with_a_file_of_another_kind_is_refused(name: str, text: str, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", SYNONYMS)
    (folder / name).write_text(text)
    with pytest.raises(Error) as refused:
        Embedder.load(folder, SECRET)
    assert refused.value.ident == "bad-embedding-model"


WITHOUT = """
import sys
from pathlib import Path
sys.modules["model2vec"] = None
from stillwatch.errors import Error
from stillwatch.kernels.semantic import Embedder
try:
    Embedder.load(Path("."), b"a secret of a test")
except Error as error:
    assert error.ident == "missing-extra" and "stillwatch[semantic]" in error.hint
else:
    raise SystemExit("no error")
"""


def test_it_is_said_which_extra_is_missing(tmp_path: Path) -> None:
    outcome = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert outcome.returncode == 0, outcome.stderr
