"""Calls as a part holds them: a trace, the reasoning blocks it moved, and its names in clear, row for row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch import trace
from stillwatch.event import EVENT_SCHEMA
from stillwatch.kernels.semantic import Embedder
from stillwatch.kernels.sketch import mix_all
from stillwatch.kernels.tracer import TraceKeys, block_rows, trace_batch
from stillwatch.store.manifest import HOUR_US

BLOCK_LISTS = ("issued", "presented")
"""Columns of reasoning blocks, by their value of `presented` in trace.BLOCK_SCHEMA."""

TRACES_SCHEMA = pa.schema(
    [field for field in trace.TRACE_SCHEMA if field.name != "source"]
    + [pa.field(name, pa.list_(pa.uint64()), nullable=False) for name in BLOCK_LISTS]
)
"""A file of traces. `source` is a matter of one run."""

NAMES_SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("event_id", "account_id")])
"""A file of names, in clear: what findings list, and nothing else."""

CALLS_SCHEMA = pa.schema([*TRACES_SCHEMA, *NAMES_SCHEMA])


def calls_of(events: pa.RecordBatch, keys: TraceKeys, embedder: Embedder | None = None) -> pa.RecordBatch:
    """Return the calls (CALLS_SCHEMA) of a batch of events, row for row. From here on there is no text."""
    traces = trace_batch(events, keys, 0, embedder)
    place = pa.array(np.arange(events.num_rows, dtype=np.uint64))
    # Which row each block belongs to stands where its event would: a repeated event would hide it.
    numbered = pa.record_batch({"event_key": place, "account_key": traces["account_key"]})
    blocks = block_rows(events, numbered, keys)
    columns = [traces[field.name] for field in TRACES_SCHEMA if field.name not in BLOCK_LISTS]
    columns += [_block_list(blocks, moved, events.num_rows) for moved in range(len(BLOCK_LISTS))]
    columns += [events[name].cast(pa.string()) for name in NAMES_SCHEMA.names]
    return pa.RecordBatch.from_arrays(columns, schema=CALLS_SCHEMA)


def _block_list(blocks: pa.RecordBatch, presented: int, rows: int) -> pa.ListArray:
    """Return a list for each call, from rows of blocks in the order of their calls."""
    mine = blocks.filter(pc.equal(blocks["presented"], pa.scalar(presented, pa.uint8())))
    ends = np.cumsum(np.bincount(mine["event_key"].to_numpy().astype(np.int64), minlength=rows))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), mine["block_key"])


def trace_rows(calls: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return the traces (trace.TRACE_SCHEMA) and the blocks (trace.BLOCK_SCHEMA) of rows of TRACES_SCHEMA."""
    source = pa.array(np.zeros(calls.num_rows, dtype=np.int32))
    columns = [source if name == "source" else calls[name] for name in trace.TRACE_SCHEMA.names]
    parts = []
    for presented, name in enumerate(BLOCK_LISTS):
        rows = pc.list_parent_indices(calls[name])
        owner = [calls[key].take(rows) for key in ("event_key", "account_key")]
        flag = pa.array(np.full(len(rows), presented, dtype=np.uint8))
        parts.append(pa.RecordBatch.from_arrays([calls[name].flatten(), *owner, flag], schema=trace.BLOCK_SCHEMA))
    blocks = pa.Table.from_batches(parts).combine_chunks().to_batches()
    return (
        pa.RecordBatch.from_arrays(columns, schema=trace.TRACE_SCHEMA),
        blocks[0] if blocks else parts[0],
    )


def filled_hours(events: pa.RecordBatch, hours: np.ndarray) -> dict[int, set[str]]:
    """Return which columns are filled in each hour: hours int64[n], of each event."""
    filled: dict[int, set[str]] = {int(hour): set() for hour in np.unique(hours)}
    for name in EVENT_SCHEMA.names:
        absent = events[name].null_count
        if absent == events.num_rows:
            continue
        present = np.asarray(pc.is_valid(events[name])) if absent else slice(None)
        for hour in np.unique(hours[present]):
            filled[int(hour)].add(name)
    return filled


def hours_of(calls: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Return the hour of each call, since 1970: int64[n]."""
    return np.asarray(calls["time_us"].to_numpy() // HOUR_US)


def ordered(calls: pa.Table) -> pa.Table:
    """Return the calls by account and time, each exact repeat once: neither cut nor order of the log shows."""
    account, time, event = (calls[name].to_numpy() for name in ("account_key", "time_us", "event_key"))
    mark = _fingerprint(calls)
    order = np.lexsort((mark, event, time, account))
    fresh = np.ones(len(order), dtype=bool)
    for column in (event, mark):
        column = column[order]
        fresh[1:] &= column[1:] == column[:-1]
    fresh[1:] = ~fresh[1:]
    return calls.take(pa.array(order[fresh]))


def once(calls: pa.Table) -> pa.Table:
    """Return one call of each event, the first by its columns as `Embedded.drop_repeats` takes it."""
    event = calls["event_key"].to_numpy()
    ranked = np.argsort(event, kind="stable")
    same = event[ranked][1:] == event[ranked][:-1]
    repeated = np.zeros(len(event), dtype=bool)
    repeated[ranked[1:][same]] = True
    repeated[ranked[:-1][same]] = True
    if not repeated.any():
        return calls
    rows = np.flatnonzero(repeated)
    some = calls.take(pa.array(rows))
    names = [name for name in TRACES_SCHEMA.names if name not in ("event_key", "shingles", *BLOCK_LISTS)]
    columns = [some["event_key"].to_numpy(), *(some[name].to_numpy() for name in names), *shingles_of(some).T]
    order = np.lexsort(columns[::-1])
    met = columns[0][order]
    later = np.concatenate([[False], met[1:] == met[:-1]])
    keep = np.ones(len(event), dtype=bool)
    keep[rows[order[later]]] = False
    return calls.filter(pa.array(keep))


def shingles_of(calls: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Return the column `shingles` as uint32[n, trace.SHINGLES]."""
    column = calls["shingles"]
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return np.asarray(column.flatten(), dtype=np.uint32).reshape(-1, trace.SHINGLES)


def with_shingles(calls: pa.Table, shingles: np.ndarray) -> pa.Table:
    """Return calls with other shingles: uint32[n, trace.SHINGLES]."""
    at = calls.schema.get_field_index("shingles")
    column = pa.FixedSizeListArray.from_arrays(pa.array(shingles.ravel()), trace.SHINGLES)
    return calls.set_column(at, calls.schema.field(at), column)


def _fingerprint(calls: pa.Table) -> np.ndarray:
    """Return 64 bits of all that a call's row holds, names aside: uint64[n]."""
    mark = np.zeros(len(calls), dtype=np.uint64)
    for field in TRACES_SCHEMA:
        if not pa.types.is_nested(field.type):
            mark = mix_all(mark ^ calls[field.name].to_numpy().astype(np.uint64))
    for place in shingles_of(calls).T:
        mark = mix_all(mark ^ place.astype(np.uint64))
    for name in BLOCK_LISTS:
        column = calls[name].combine_chunks()
        brought = np.zeros(len(calls), dtype=np.uint64)
        np.add.at(brought, pc.list_parent_indices(column).to_numpy(), mix_all(column.flatten().to_numpy()))
        mark = mix_all(mark ^ brought)
    return mark
