"""Arrow rows as Spark can hold them, and back: unsigned numbers as signed ones of the same bits, shingles as bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch import trace

SIGNED = {
    pa.uint64(): pa.int64(),
    pa.uint32(): pa.int32(),
    pa.uint16(): pa.int16(),
    pa.uint8(): pa.int8(),
}

NAMES = {
    pa.int64(): "bigint",
    pa.int32(): "int",
    pa.int16(): "smallint",
    pa.int8(): "tinyint",
    pa.binary(): "binary",
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.float64(): "double",
    pa.list_(pa.string()): "array<string>",
    pa.timestamp("us", tz="UTC"): "timestamp",
}
"""Arrow's types and what Spark calls them."""

SHINGLE_TYPE = trace.TRACE_SCHEMA.field("shingles").type

KEYS = frozenset(field.name for field in trace.TRACE_SCHEMA if field.type == pa.uint64()) | {
    "block_key", "owner_key", "issuer_key", "taker_key", "presenter_key", "value",
}  # fmt: skip
"""Columns of pseudonyms and bits, which are unsigned wherever they come from."""


def spark_schema(schema: pa.Schema) -> pa.Schema:
    """Return what `to_spark` makes of a schema."""
    return pa.schema([pa.field(field.name, _spark_type(field.type)) for field in schema])


def _spark_type(kind: pa.DataType) -> pa.DataType:
    return pa.binary() if kind == SHINGLE_TYPE else SIGNED.get(kind, kind)


def ddl(schema: pa.Schema) -> str:
    """Return a schema, as `spark_schema` makes it, in Spark's words."""
    return ", ".join(f"{field.name} {NAMES[field.type]}" for field in schema)


def to_spark(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows as Spark can hold them, without a copy but for shingles."""
    columns = [
        shingle_bytes(column) if column.type == SHINGLE_TYPE else column.view(SIGNED.get(column.type, column.type))
        for column in rows.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=spark_schema(rows.schema))


def shingle_bytes(column: pa.FixedSizeListArray) -> pa.Array:
    """Return each row's shingles as bytes, as `shingles.packed` has them: both engines sort the same bytes."""
    data = np.asarray(column.flatten(), dtype="<u4").tobytes()
    offsets = np.arange(len(column) + 1, dtype=np.int32) * np.int32(4 * trace.SHINGLES)
    return pa.Array.from_buffers(pa.binary(), len(column), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def shingles_of(column: pa.Array) -> np.ndarray:
    """Return what `shingle_bytes` wrote as uint32[n, trace.SHINGLES]."""
    return numbers(column, "<u4").reshape(-1, trace.SHINGLES)


def numbers(column: pa.Array, dtype: str) -> np.ndarray:
    """Return the bytes of a binary column, row after row, as numbers of one type, without a copy."""
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return held[bounds[0] : bounds[-1]].view(dtype)


def from_spark(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return those columns of `schema` that the rows have, in its types."""
    names = [name for name in schema.names if name in rows.schema.names]
    columns = [_restored(rows[name], schema.field(name).type) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _restored(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == SHINGLE_TYPE:
        return pa.FixedSizeListArray.from_arrays(pa.array(shingles_of(column).ravel()), trace.SHINGLES)
    return column.view(kind) if kind in SIGNED else column.cast(kind)


def unsigned(table: pa.Table) -> pa.Table:
    """Return a table that Spark collected with its pseudonyms unsigned and its shingles as numbers."""
    columns = []
    for name in table.column_names:
        column = table[name].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        if name == "shingles":
            column = _restored(column, SHINGLE_TYPE)
        elif name in KEYS and column.type == pa.int64():
            column = column.view(pa.uint64())
        columns.append(column)
    return pa.table(columns, names=table.column_names)
