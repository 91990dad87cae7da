"""Which shingles do enough accounts share, on a cluster: the same answer as `shingles.shared_shingles`, bit for bit.

A part of the values is a stretch of them. The first shuffle carries five bytes for each shingle of each call, and the
part that gets them knows which slots of the first table pass; the second does the same for the second table, and drops
what fewer calls carry than accounts are asked for; what is left is short enough to be sent to all, and counted exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.engines.shingles import SECOND_SLOTS
from stillwatch.engines.spark_rows import numbers, shingles_of
from stillwatch.kernels.sharing import SLOT_SHIFT, TABLE_BITS, hold, keep_shared_slots, shared_places, slots_of
from stillwatch.kernels.sifting import (
    account_codes,
    fold,
    mark_first,
    mark_second,
    merge_held,
    passing_first,
    second_slots,
    spread,
)
from stillwatch.trace import SHINGLES, WITNESSES

PART_BYTES = 16 << 20
"""Of the first shuffle, for each part: it is held in memory twice while it is sifted."""

PART_BITS_MAX = 12
"""4,096 parts: with 360 million calls each is of PART_BYTES, with twelve billion of 550 MB."""

HELD_ROWS = 1 << 19
"""Shingles counted in one pass: 140 MB in each task, in a table that is half full at most."""

SECOND_BITS = SECOND_SLOTS.bit_length() - 1

BLOBS = pa.schema([("part", pa.int32()), ("blob", pa.binary())])
VALUES = pa.schema([("count", pa.int64()), ("blob", pa.binary())])
HELD = pa.schema([("value", pa.int32()), ("holders", pa.binary()), ("held", pa.int8()), ("minima", pa.binary())])
SHARED = pa.schema([("value", pa.int32()), ("witnesses", pa.binary())])

Batches = Iterator[pa.RecordBatch]


def part_bits_of(rows: int) -> int:
    """Return how many bits of a value say its part, for a log of so many calls."""
    return min(PART_BITS_MAX, max(0, (5 * SHINGLES * rows // PART_BYTES).bit_length()))


@dataclass(frozen=True, slots=True)
class Spread:
    """Traces → their shingles by part, each with its call's code (`kernels.sifting`)."""

    part_bits: int
    kind: int

    def run(self, batches: Batches) -> Batches:
        for batch in batches:
            codes = account_codes(_unsigned(batch["account_key"]), np.uint8(self.kind))
            values, said, starts = spread(shingles_of(batch["shingles"]), codes, self.part_bits)
            yield _blobs(starts, values, said)


@dataclass(frozen=True, slots=True)
class SiftFirst:
    """Parts of values → those whose slot of the first table passed, by part of the second."""

    part_bits: int

    def run(self, batches: Batches) -> Batches:
        for part, blobs in _by_part(batches):
            values, codes = _joined(blobs, 5)
            slots = 1 << (TABLE_BITS - self.part_bits)
            table = np.zeros(slots, dtype=np.uint8)
            mark_first(values, codes[0], table, part * slots)
            keep_shared_slots(table)
            values, bits, calls = fold(np.sort(passing_first(values, codes[0], table, part * slots)))
            place = (second_slots(values, SECOND_SLOTS) >> (SECOND_BITS - self.part_bits)).astype(np.uint16)
            order = np.argsort(place, kind="stable")
            starts = np.searchsorted(place[order], np.arange((1 << self.part_bits) + 1))
            yield _blobs(starts, values[order], bits[order], calls[order])


@dataclass(frozen=True, slots=True)
class SiftSecond:
    """Parts of the second table → the values that passed it and that as many calls carry as accounts are asked for."""

    part_bits: int
    accounts_min: int

    def run(self, batches: Batches) -> Batches:
        for part, blobs in _by_part(batches):
            values, (bits, calls) = _joined(blobs, 6)
            slots = SECOND_SLOTS >> self.part_bits
            place = second_slots(values, SECOND_SLOTS) - part * slots
            table = np.zeros(slots, dtype=np.uint8)
            mark_second(place, bits, table)
            keep_shared_slots(table)
            kept = values[(table[place] == 1) & (calls >= self.accounts_min)]
            yield pa.record_batch([pa.array([len(kept)], pa.int64()), pa.array([kept.tobytes()])], schema=VALUES)


@dataclass(frozen=True, slots=True)
class Hold:
    """Traces → who holds each of some values (uint32[v] ascending), and its smallest event hashes, in one task."""

    values: np.ndarray
    accounts_min: int

    def run(self, batches: Batches) -> Batches:
        slots = slots_of(self.values, SLOT_SHIFT)
        rows = 2 << len(self.values).bit_length()
        shingle = np.zeros(rows, dtype=np.uint32)
        holders = np.zeros((rows, self.accounts_min), dtype=np.uint64)
        held = np.zeros(rows, dtype=np.uint8)
        minima = np.full((rows, WITNESSES), ~np.uint64(0))
        for batch in batches:
            at, values = shared_places(shingles_of(batch["shingles"]), slots)
            known = self.values[np.minimum(np.searchsorted(self.values, values), len(self.values) - 1)] == values
            accounts, events = _unsigned(batch["account_key"]), _unsigned(batch["event_key"])
            hold(values[known], at[known], accounts, events, shingle, holders, held, minima)
        taken = np.flatnonzero(shingle)
        columns = [
            pa.array(shingle[taken].view(np.int32)),
            _rows_of_bytes(holders[taken]),
            pa.array(held[taken].view(np.int8)),
            _rows_of_bytes(minima[taken]),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=HELD)


@dataclass(frozen=True, slots=True)
class MergeHeld:
    """What tasks saw of each value → the values that enough accounts hold, with their witnesses."""

    accounts_min: int

    def run(self, batches: Batches) -> Batches:
        found = pa.Table.from_batches(list(batches), schema=HELD).combine_chunks().to_batches()
        for batch in found:
            values = batch["value"].to_numpy().view(np.uint32)
            order = np.argsort(values)
            shared, witnesses = merge_held(
                values[order],
                numbers(batch["holders"], "<u8").reshape(-1, self.accounts_min)[order],
                batch["held"].to_numpy().view(np.uint8)[order],
                numbers(batch["minima"], "<u8").reshape(-1, WITNESSES)[order],
                self.accounts_min,
            )
            columns = [pa.array(shared.view(np.int32)), _rows_of_bytes(witnesses)]
            yield pa.RecordBatch.from_arrays(columns, schema=SHARED)


def values_in(found: pa.Table) -> np.ndarray:
    """Return the values of rows of VALUES, ascending: uint32[v]."""
    return np.sort(np.concatenate([np.frombuffer(blob, "<u4") for blob in found["blob"].to_pylist()] or [_NONE]))


def shared_in(found: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of SHARED by value: uint32[s], uint32[s, WITNESSES]."""
    batch = found.combine_chunks().to_batches(max_chunksize=None)
    values = np.concatenate([one["value"].to_numpy().view(np.uint32) for one in batch] or [_NONE])
    witnesses = np.concatenate([numbers(one["witnesses"], "<u4") for one in batch] or [_NONE])
    order = np.argsort(values)
    return values[order], witnesses.reshape(-1, WITNESSES)[order]


_NONE = np.zeros(0, dtype=np.uint32)


def _unsigned(column: pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy()).view(np.uint64)


def _rows_of_bytes(rows: np.ndarray) -> pa.Array:
    width = rows.shape[1] * rows.dtype.itemsize
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(rows).tobytes()
    return pa.Array.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _blobs(starts: np.ndarray, values: np.ndarray, *said: np.ndarray) -> pa.RecordBatch:
    """Return a row for each part that has values: the values, and then what is said of each, a byte a piece."""
    parts = np.flatnonzero(np.diff(starts))
    blobs = [
        b"".join(column[starts[part] : starts[part + 1]].tobytes() for column in (values, *said)) for part in parts
    ]
    return pa.record_batch([pa.array(parts, pa.int32()), pa.array(blobs, pa.binary())], schema=BLOBS)


def _by_part(batches: Batches) -> Iterator[tuple[int, list[bytes]]]:
    """Yield each part with its blobs; rows come sorted by part."""
    rows: Iterator[tuple[Any, Any]] = (
        (part, blob) for batch in batches for part, blob in zip(batch["part"], batch["blob"], strict=True)
    )
    for part, of in groupby(((part.as_py(), blob.as_py()) for part, blob in rows), key=lambda row: row[0]):
        yield part, [blob for _, blob in of]


def _joined(blobs: list[bytes], width: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the values of several blobs and what is said of each, `width` bytes of a value in all."""
    counts = [len(blob) // width for blob in blobs]
    values = np.concatenate([np.frombuffer(blob, "<u4", count) for blob, count in zip(blobs, counts, strict=True)])
    said = [
        np.concatenate(
            [np.frombuffer(blob, np.uint8, count, (4 + at) * count) for blob, count in zip(blobs, counts, strict=True)]
        )
        for at in range(width - 4)
    ]
    return values, said
