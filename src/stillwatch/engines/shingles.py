"""Which shingles do enough accounts share, and which events witness them: three passes over the traces.

The first pass was made while the log was read: one of eight bits for each account in a slot that sixteen values share.
The second marks what passed in slots of its own, so that strangers who met in a slot part again. The third counts what
is left, exactly, in a table of fixed size, a part of the values at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.kernels.sharing import hold, keep_shared_slots, mark_again, passing, shared_places

SECOND_SLOTS = 1 << 27
"""128 MiB: a slot for each four of the values that pass the first table at 20 million calls."""

HELD_ROWS_MAX = 1 << 21
"""Shingles counted in one go: 280 MB with eight holders and eight witnesses each. Every further go reads all traces."""

HELD_FULL = 0.6
"""Beyond it probing gets slow; the values are then parted once more."""

Pass = Callable[[list[str], Callable[[pa.RecordBatch], Any]], Iterator[Any]]
"""Reads columns of all traces and yields what a function makes of each batch, on all cores, in any cut."""


PACKED = pa.binary(4 * trace.SHINGLES)
"""Shingles as they are written: one run of bytes a call is read four times as fast as a list."""

PACKED_SCHEMA = pa.schema(
    [field.with_type(PACKED) if field.name == "shingles" else field for field in trace.TRACE_SCHEMA]
)


def packed(traces: pa.RecordBatch) -> pa.RecordBatch:
    """Return traces (trace.TRACE_SCHEMA) as PACKED_SCHEMA has them, without a copy."""
    column = traces["shingles"]
    values = column.flatten()
    data = values.buffers()[1].slice(4 * values.offset)
    shingles = pa.FixedSizeBinaryArray.from_buffers(PACKED, len(column), [None, data])
    columns = [shingles if name == "shingles" else traces[name] for name in PACKED_SCHEMA.names]
    return pa.RecordBatch.from_arrays(columns, schema=PACKED_SCHEMA)


def shingle_rows(rows: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Return the column `shingles`, a list or packed, as uint32[n, trace.SHINGLES]."""
    column = rows["shingles"]
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_fixed_size_list(column.type) or pa.types.is_list(column.type):
        return np.asarray(column.flatten(), dtype=np.uint32).reshape(-1, trace.SHINGLES)
    if column.type != PACKED:
        column = column.cast(PACKED)
    data = column.buffers()[1]
    values = np.frombuffer(data, dtype=np.uint32) if data else np.zeros(0, dtype=np.uint32)
    return values.reshape(-1, trace.SHINGLES)[column.offset : column.offset + len(column)]


def shared_shingles(over: Pass, table: np.ndarray, accounts_min: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shingles that `accounts_min` accounts share, ascending, and 32 bits of each one's witnesses.

    Shapes:  table uint8[2^TABLE_BITS]: account bits of the first pass; afterwards 1 where a slot passed
             → uint32[s], uint32[s, WITNESSES].
    """
    keep_shared_slots(table)
    second = np.zeros(SECOND_SLOTS, dtype=np.uint8)

    def places(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, values = shared_places(shingle_rows(batch), table)
        return values, rows, batch["account_key"].to_numpy()

    for values, rows, accounts in over(["account_key", "shingles"], places):
        mark_again(values, rows, accounts, second)
    keep_shared_slots(second)
    wanted = int(np.count_nonzero(second) / HELD_FULL) + 1
    held_rows = min(HELD_ROWS_MAX, 1 << wanted.bit_length())
    parts = wanted // held_rows + 1
    while (found := _counted(over, table, second, parts, held_rows, accounts_min)) is None:
        parts *= 2
    shingle, witnesses = found
    order = np.argsort(shingle)
    return shingle[order], witnesses[order]


def _counted(
    over: Pass, table: np.ndarray, second: np.ndarray, parts: int, held_rows: int, accounts_min: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Count one part of the values after the other; None where a part does not fit."""
    shingles, witnesses = [], []

    for part in range(parts):

        def places(batch: pa.RecordBatch, part: int = part) -> tuple[np.ndarray, ...]:
            rows, values = shared_places(shingle_rows(batch), table)
            rows, values = passing(values, rows, second)
            mine = values % np.uint32(parts) == part
            return values[mine], rows[mine], batch["account_key"].to_numpy(), batch["event_key"].to_numpy()

        shingle = np.zeros(held_rows, dtype=np.uint32)
        holders = np.zeros((held_rows, accounts_min), dtype=np.uint64)
        held = np.zeros(held_rows, dtype=np.uint8)
        minima = np.full((held_rows, trace.WITNESSES), ~np.uint64(0))
        taken = 0
        for values, rows, accounts, events in over(["event_key", "account_key", "shingles"], places):
            fresh = hold(values, rows, accounts, events, shingle, holders, held, minima)
            taken += fresh
            if fresh < 0 or taken > 0.9 * held_rows:
                return None
        shared = held >= accounts_min
        shingles.append(shingle[shared])
        witnesses.append((minima[shared] & np.uint64(0xFFFFFFFF)).astype(np.uint32))
    return np.concatenate(shingles), np.concatenate(witnesses)
