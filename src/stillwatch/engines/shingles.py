"""Which shingles do enough accounts share, and which events witness them: four passes over the traces.

The first pass was made while the log was read: one of eight bits for each account in a slot that sixteen values share.
The second marks what passed in slots of its own, so that strangers who met in a slot part again. The third writes what
is left as pairs of value and account, to files by value; each file is counted by itself, exactly. The fourth takes the
smallest event hashes of what is shared. However large the log is, there are no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.engines.parts import PairFiles
from stillwatch.kernels.holders import fresh_pairs, held_by_enough, take_witnesses
from stillwatch.kernels.sharing import (
    directory,
    drawer_bits,
    indices_of,
    mark_again,
    passing,
    shared_places,
    shared_slots,
    slots_of,
)

SECOND_SLOTS = 1 << 27
"""128 MiB: a slot for each four of the values that pass the first table at 20 million calls."""

KNOWN_ROWS = 1 << 17
"""Values whose accounts are known while pairs are written: 6 MB, which a core's cache nearly holds."""

PART_BITS = 7
"""128 files of pairs: at 20 million calls each is of some megabytes, and sorted in memory."""

WITNESSED_MAX = 1 << 23
"""Shingles witnessed in one pass: 512 MB. At 20 million calls two millions are shared; each further pass reads all
traces."""

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


def shared_shingles(
    over: Pass, first: np.ndarray, accounts: np.ndarray, accounts_min: int, work: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shingles that `accounts_min` accounts share, ascending, and 32 bits of each one's witnesses.

    Shapes:  first uint8[2^TABLE_BITS / 8]: which slots passed the first pass; accounts uint64[a] ascending, all that
             there are → uint32[s], uint32[s, WITNESSES].
    """
    second = _sifted_again(over, first)
    with PairFiles(work, PART_BITS) as pairs:
        _write_pairs(over, (first, second), accounts, accounts_min, pairs)
        shared: np.ndarray = np.concatenate(pairs.each(lambda some: held_by_enough(some, accounts_min)))
    witnesses = [
        _witnesses(over, shared[start : start + WITNESSED_MAX]) for start in range(0, len(shared), WITNESSED_MAX)
    ]
    return shared, np.concatenate(witnesses or [np.zeros((0, trace.WITNESSES), dtype=np.uint32)])


def _sifted_again(over: Pass, first: np.ndarray) -> np.ndarray:
    """Return which slots of the second table pass."""
    second = np.zeros(SECOND_SLOTS, dtype=np.uint8)

    def places(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, values = shared_places(shingle_rows(batch), first)
        return values, rows, batch["account_key"].to_numpy()

    for values, rows, accounts in over(["account_key", "shingles"], places):
        mark_again(values, rows, accounts, second)
    return np.asarray(shared_slots(second))


def _write_pairs(
    over: Pass, slots: tuple[np.ndarray, np.ndarray], accounts: np.ndarray, accounts_min: int, pairs: PairFiles
) -> None:
    """Write which accounts hold what passed both tables, as far as it takes to know whether they are enough."""
    known = np.zeros((KNOWN_ROWS, 3), dtype=np.uint32)
    holders = np.zeros((KNOWN_ROWS, accounts_min), dtype=np.uint32)

    def places(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, values = shared_places(shingle_rows(batch), slots[0])
        rows, values = passing(values, rows, slots[1])
        return values, rows, np.searchsorted(accounts, batch["account_key"].to_numpy()).astype(np.uint32)

    for values, rows, account in over(["account_key", "shingles"], places):
        pairs.write(fresh_pairs(values, rows, account, known, holders))


@dataclass(frozen=True, slots=True)
class KnownShingles:
    """Shingles that are looked for in calls: uint32[s] ascending. Most of a call's are none, and end at a bit."""

    values: np.ndarray
    bits: int
    starts: np.ndarray
    slots: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> KnownShingles:
        """Lay out a directory of four drawers a value, and eight bits a value in front of it."""
        bits = drawer_bits(len(values))
        return KnownShingles(values, bits, directory(values, bits), slots_of(values, 31 - bits))

    def places(self, shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which calls carry which of them, call by call: uint32[n, trace.SHINGLES] → int32[h], int32[h]."""
        rows, values = shared_places(shingles, self.slots, 31 - self.bits)
        found: tuple[np.ndarray, np.ndarray] = indices_of(rows, values, self.values, self.starts, self.bits)
        return found


def _witnesses(over: Pass, shared: np.ndarray) -> np.ndarray:
    """Return 32 bits of the smallest event hashes of each value: uint32[s] ascending → uint32[s, WITNESSES]."""
    known = KnownShingles.of(shared)
    minima = np.full((len(shared), trace.WITNESSES), ~np.uint64(0))

    def places(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, places = known.places(shingle_rows(batch))
        return places, rows, batch["event_key"].to_numpy()

    for carried, rows, events in over(["event_key", "shingles"], places):
        take_witnesses(carried, rows, events, minima)
    return np.asarray(minima & np.uint64(0xFFFFFFFF), dtype=np.uint32)
