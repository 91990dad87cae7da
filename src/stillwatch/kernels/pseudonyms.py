"""Keyed pseudonyms of whole Arrow columns of identifiers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from stillwatch.pseudonym import Key


@njit(nogil=True, cache=True, inline="always")
def _rotate(value, bits):
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@njit(nogil=True, cache=True, inline="always")
def _round(v0, v1, v2, v3):
    v0 += v1
    v2 += v3
    v1 = _rotate(v1, 13) ^ v0
    v3 = _rotate(v3, 16) ^ v2
    v0 = _rotate(v0, 32)
    v2 += v1
    v0 += v3
    v1 = _rotate(v1, 17) ^ v2
    v3 = _rotate(v3, 21) ^ v0
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@njit(nogil=True, cache=True)
def siphash(data, start, end, first, second):
    """Return SipHash-1-3 of data[start:end].

    Source:  Aumasson and Bernstein 2012, "SipHash: a fast short-input PRF".
    Twin:    tests/naive/pseudonyms.py::siphash
    """
    v0 = first ^ np.uint64(0x736F6D6570736575)
    v1 = second ^ np.uint64(0x646F72616E646F6D)
    v2 = first ^ np.uint64(0x6C7967656E657261)
    v3 = second ^ np.uint64(0x7465646279746573)
    size = end - start
    for block in range(size // 8 + 1):
        at = start + 8 * block
        word = np.uint64(0)
        for place in range(min(8, end - at)):
            word |= np.uint64(data[at + place]) << np.uint64(8 * place)
        if block == size // 8:
            word |= np.uint64(size & 255) << np.uint64(56)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= np.uint64(255)
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(nogil=True, cache=True)
def _fill(offsets, data, first, second, out):
    for row in range(out.shape[0]):
        if offsets[row + 1] > offsets[row]:
            value = siphash(data, offsets[row], offsets[row + 1], first, second)
            out[row] = value if value != 0 else np.uint64(1)
        else:
            out[row] = 0


def text_buffers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return a string column's offsets (int32 or int64[n + 1]) and bytes (uint8) without a copy.

    Nulls become empty. Raises TypeError for a column that is no string.
    """
    if column.null_count:
        column = pc.fill_null(column, "")
    if pa.types.is_string(column.type):
        width: type[np.signedinteger] = np.int32
    elif pa.types.is_large_string(column.type):
        width = np.int64
    else:
        raise TypeError(f"expected a string column, got {column.type}")
    _, offsets_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=width)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer else np.zeros(1, dtype=np.uint8)
    return offsets, data if len(data) else np.zeros(1, dtype=np.uint8)


def pseudonyms(column: pa.Array, key: Key) -> np.ndarray:
    """Return uint64[n] keyed pseudonyms; 0 where the value is null or empty.

    Cost:    O(bytes); values that repeat inside the batch are hashed again, which is cheaper than a dictionary.
    """
    out = np.empty(len(column), dtype=np.uint64)
    offsets, data = text_buffers(column)
    _fill(offsets, data, np.uint64(key.first), np.uint64(key.second), out)
    return out
