"""Text → two keyed codes of what it is about, by a static embedding from a local folder; the one room of model2vec.

Optional and off by default (docs/semantic.md). A code looks like a shingle, so that families form over paraphrases
with no five words in common; neither the text nor its vector leaves this file.
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import Error
from stillwatch.kernels.sketch import mix_all
from stillwatch.pseudonym import Key

if TYPE_CHECKING:
    from model2vec import StaticModel

SEMANTIC_CODES = 2
"""Two draws of the planes: near texts that one cuts apart, the other may leave together."""

CODE_BITS = 16
"""Planes of a code. Texts at a right angle then share one of two codes with probability 3e-5, texts at a cosine of
0.99 with 0.73; docs/semantic.md has the table."""

SEMANTIC_CHARACTERS_MAX = 2_048
"""What is embedded of one text: some 400 words. A template states its task in fewer, and the cost is linear in them."""

ENCODED_MAX = 64
"""Texts embedded at once: 64 of this length, at a token a character and 256 floats each, take 134 MB."""

MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json")

_STEPS = 1 << 20
"""A vector's largest entry in fixed point. Sums of products stay below 2^53, so that their order changes no bit."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SALT = np.uint64(0x8CB92BA72F3D8DD7)


class Embedder:
    """Codes texts under one key; threads may share it, and take turns.

    `ident` is a digest of the model's files: another model gives other families.
    """

    def __init__(self, model: StaticModel, ident: str, key: Key) -> None:
        self.ident = ident
        self._model = model
        self._seed = np.uint64(key.first)
        self._planes = hyperplanes(key.second, int(model.dim))
        # model2vec sets the tokenizer's limits anew at each call, which it must not do while another call reads them.
        self._lock = threading.Lock()

    @staticmethod
    def load(folder: Path, secret: bytes) -> Embedder:
        """Read a model in model2vec's format; nothing is fetched from anywhere.

        Raises:  Error `no-such-embedding-model`, `bad-embedding-model`, `missing-extra`.
        """
        if not folder.is_dir():
            raise Error(
                "no-such-embedding-model",
                "expected a folder with a static embedding model, and there is none of that name",
                hint="name a folder on this machine; a model is never fetched by its name",
                where=str(folder),
            )
        try:
            from model2vec import StaticModel
            from safetensors import SafetensorError
        except ImportError as error:
            raise Error(
                "missing-extra",
                "--semantic needs the model2vec library, which is not installed",
                hint='install the extra: pip install "stillwatch[semantic]"',
            ) from error
        try:
            digest = hashlib.blake2b(digest_size=8)
            for name in MODEL_FILES:
                with (folder / name).open("rb") as file:
                    digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
            # For what is no tokeniser the library raises a bare Exception, which only a door may catch.
            json.loads((folder / "tokenizer.json").read_bytes())["model"]
            # Where the path is absolute and exists, the library reads it and looks nowhere else.
            model = StaticModel.from_pretrained(folder.resolve())
        except (OSError, ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
            raise _bad_model(folder) from error
        return Embedder(model, digest.hexdigest(), Key.derive(secret, "semantics"))

    def codes(self, texts: pa.Array) -> npt.NDArray[np.uint32]:
        """Return each text's codes: uint32[n, SEMANTIC_CODES], 0 where it has no word that the model knows.

        A text's codes do not depend on its neighbours.

        Cost:    O(characters); one Python string a text, held for ENCODED_MAX texts.
        """
        out = np.zeros((len(texts), SEMANTIC_CODES), dtype=np.uint32)
        for start in range(0, len(texts), ENCODED_MAX):
            some = pc.fill_null(texts.slice(start, ENCODED_MAX), "")
            cut = pc.utf8_slice_codeunits(some, 0, SEMANTIC_CHARACTERS_MAX).to_pylist()
            with self._lock:
                vectors = self._model.encode(cut, max_length=None, use_multiprocessing=False)
            out[start : start + ENCODED_MAX] = fold(np.asarray(vectors), self._planes, self._seed)
        return out


def hyperplanes(key: int, dimensions: int) -> npt.NDArray[np.float64]:
    """Draw the planes of all codes from a key: float64[SEMANTIC_CODES · CODE_BITS, dimensions], whole numbers.

    Each entry is the centred sum of eight keyed bytes, close to normal as sums of eight are; numpy's own draws may
    change with its version.

    Twin:    tests/naive/semantic.py::hyperplanes
    """
    rows = SEMANTIC_CODES * CODE_BITS
    counters = np.arange(1, rows * dimensions + 1, dtype=np.uint64) * _GOLDEN
    drawn = mix_all(mix_all(counters) ^ np.uint64(key)).astype("<u8").view(np.uint8).reshape(rows, dimensions, 8)
    return np.asarray(drawn.sum(axis=2, dtype=np.int64) - 1020, dtype=np.float64)


def fold(vectors: npt.NDArray[np.floating], planes: npt.NDArray[np.float64], seed: np.uint64) -> npt.NDArray[np.uint32]:
    """Return on which sides of the planes each vector lies, as codes that look like shingles; 0 for a zero vector.

    Two vectors at angle a share a code with probability (1 - a / pi)^CODE_BITS over the draw of the planes.

    Shapes:  float[n, d], float64[SEMANTIC_CODES · CODE_BITS, d] → uint32[n, SEMANTIC_CODES].
    Cost:    O(n d).
    Source:  Charikar 2002, "Similarity estimation techniques from rounding algorithms".
    Twin:    tests/naive/semantic.py::fold
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0).astype(np.float64)
    known = np.isfinite(largest) & (largest > 0)
    fixed = np.rint(np.where(known, vectors, 0) / np.where(known, largest, 1) * _STEPS)
    # Not `@`: threads of a BLAS would wait for the cores that the other kernels are busy on.
    above = (np.einsum("nd,pd->np", fixed, planes) > 0).reshape(len(vectors), SEMANTIC_CODES, CODE_BITS)
    sides = (above.astype(np.uint64) << np.arange(CODE_BITS, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
    sides |= np.arange(1, SEMANTIC_CODES + 1, dtype=np.uint64) << np.uint64(CODE_BITS)
    hashed = mix_all((sides ^ seed ^ _SALT).ravel()).reshape(sides.shape).astype(np.uint32)
    return np.where(known, np.maximum(hashed, 1), 0).astype(np.uint32)


def _bad_model(folder: Path) -> Error:
    return Error(
        "bad-embedding-model",
        f"the folder holds no model that can be read: expected {', '.join(MODEL_FILES)} as model2vec saves them",
        hint="save one there with model2vec's save_pretrained",
        where=str(folder),
    )
