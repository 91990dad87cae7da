"""Texts as hashed words, shingles and bags: the only features of content that the baselines use."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Words64 = npt.NDArray[np.uint64]

REQUEST = ("system_prompt", "input_text")
"""The columns that hold what was asked."""

_ODD = np.uint64(0x9E37_79B9_7F4A_7C15)
_MIX = np.uint64(0xBF58_476D_1CE4_E5B9)


@dataclass(frozen=True, slots=True)
class Grams:
    """Hashed words, or runs of words, of many texts.

    Shapes:  text int64[grams], the number of the text, rising; code uint64[grams].
    """

    text: npt.NDArray[np.int64]
    code: Words64
    texts_count: int


def requests(batch: pa.RecordBatch) -> pa.Array:
    """Return system prompt and user text of each call as one text."""
    parts = [pc.fill_null(batch.column(name), "") for name in REQUEST]
    return pc.binary_join_element_wise(*parts, "\n")


def words(texts: pa.Array) -> Grams:
    """Return the words of each text, in lower case, without punctuation, every digit as 0.

    Cost:    O(bytes), some 100 MB a second.
    """
    lists = pc.ascii_split_whitespace(_plain(texts))
    text = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    encoded = lists.flatten().dictionary_encode()
    distinct, place = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    # A text that begins with a space has an empty word there.
    real = np.array([bool(word) for word in distinct], bool)[place]
    code = _scrambled(np.array([zlib.crc32(word.encode()) for word in distinct], np.uint64))[place]
    return Grams(text[real], code[real], len(texts))


def shingles(grams: Grams, size: int) -> Grams:
    """Return the hashed runs of `size` words; a text with fewer words has none."""
    length = max(len(grams.code) - size + 1, 0)
    code = np.zeros(length, np.uint64)
    for at in range(size):
        code = _scrambled(code * _ODD + grams.code[at : at + length])
    whole = grams.text[:length] == grams.text[size - 1 : size - 1 + length]
    return Grams(grams.text[:length][whole], code[whole], grams.texts_count)


def bag(parts: Sequence[Grams], dims: int) -> npt.NDArray[np.float32]:
    """Return each text's grams as a unit vector of `dims` signed counts, zero for a text without any.

    Source:  Weinberger and others 2009, "Feature hashing for large scale multitask learning".
    """
    count = parts[0].texts_count
    filled = np.zeros(count * dims)
    for grams in parts:
        place = (grams.code >> np.uint64(1)) % np.uint64(dims)
        sign = np.where(grams.code & np.uint64(1), 1.0, -1.0)
        filled += np.bincount(grams.text * dims + place.astype(np.int64), weights=sign, minlength=count * dims)
    vectors = filled.reshape(count, dims).astype(np.float32)
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = vectors / np.maximum(norm, np.float32(1e-9))
    return unit


def _plain(texts: pa.Array) -> pa.Array:
    """Return the texts in lower case with a space for each sign and a 0 for each digit; lengths stay."""
    table = np.arange(256, dtype=np.uint8)
    for byte in range(128):
        letter = chr(byte)
        table[byte] = ord("0") if letter.isdigit() else ord(letter.lower()) if letter.isalpha() else ord(" ")
    texts = pa.concat_arrays([texts])  # Offsets that begin at zero.
    offsets, data = texts.buffers()[1:]
    raw = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return pa.StringArray.from_buffers(len(texts), offsets, pa.py_buffer(table[raw]), None, 0, texts.offset)


def _scrambled(code: Words64) -> Words64:
    code = (code ^ (code >> np.uint64(30))) * _MIX
    code = (code ^ (code >> np.uint64(27))) * _ODD
    return code ^ (code >> np.uint64(31))
