"""A tiny static embedding model of made-up words, saved as model2vec saves its own."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

DIMENSIONS = 64


def vector(word: str) -> np.ndarray:
    """A direction of the word's own: nearly at a right angle to every other word's."""
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=DIMENSIONS)


def save_model(
    folder: Path, synonyms: Mapping[str, Sequence[str]], words: Iterable[str] = (), apart: float = 0.1
) -> Path:
    """Save a model in which the synonyms of one notion are near one another and every other word stands alone.

    Skips the test where model2vec is not installed.
    """
    model2vec = pytest.importorskip("model2vec", reason='not installed: pip install "stillwatch[semantic]"')
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    vectors = {word: vector(word) for word in words}
    for notion, alike in synonyms.items():
        vectors |= {word: vector(f"notion of {notion}") + apart * vector(word) for word in alike}
    known = ["[UNK]", *sorted(vectors)]
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    table = np.array([np.zeros(DIMENSIONS), *(vectors[word] for word in known[1:])], dtype=np.float32)
    model2vec.StaticModel(table, tokenizer).save_pretrained(folder)
    return folder
