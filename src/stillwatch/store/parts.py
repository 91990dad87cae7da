"""A part's two files: written whole under names that tell their content, read a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import trace
from stillwatch.errors import Error
from stillwatch.store.calls import NAMES_SCHEMA, TRACES_SCHEMA, shingles_of
from stillwatch.store.manifest import HOUR_US, NAMES, TRACES, File, Part, day_of
from stillwatch.store.place import Place, digest_of

PART_ROWS_MAX = 1 << 19
"""Calls of one part, which is sorted and written in memory: about 350 bytes each, and once more as a file."""

OPEN_GROUP_ROWS = 1 << 15
"""Calls of one row group of an hour: closing a day reads few accounts at a time out of each hour."""

READ_ROWS = 1 << 15

LEVEL_OPEN, LEVEL_CLOSED = 1, 9
"""zstd levels: an hour is written and read soon again, a closed day once and for long."""

RANDOM = ("event_key", "item_key", "topic", "issued", "presented")
"""Columns whose values hardly repeat; a dictionary of them would be as long as they are. The blocks of `issued` and
`presented` repeat, but seldom within a part."""

SHINGLE_LISTS = {
    "system_shingles": slice(0, trace.SYSTEM_SHINGLES),
    "input_shingles": trace.INPUT_PLACES,
    "marker_shingles": slice(trace.INPUT_PLACES.stop, trace.SHINGLES),
}
"""Column of a file ← the places of `shingles` whose shingles it lists, in their order and without absent ones. A third
smaller than a list with gaps; which place of its text a shingle had says nothing that its order does not."""

DELTA = ("time_us",)
SPLIT = ("words", "input_tokens", "output_tokens", "max_tokens")
"""Numbers of few significant bytes: apart by byte, the upper ones are runs of zeros."""

DICTIONARY_BYTES_MAX = 1 << 24
"""Four million shingles of a part, each named by its place in the dictionary; beyond they are written out."""

FILE_SCHEMA = pa.schema(
    [field for field in TRACES_SCHEMA if field.name != "shingles"]
    + [pa.field(name, pa.list_(pa.uint32()), nullable=False) for name in SHINGLE_LISTS]
)
"""The columns of a file of traces."""

FILLED = b"stillwatch.filled"
"""Which columns the calls of a part fill: a key in the footer of its traces."""


def write_part(place: Place, calls: pa.Table, filled: Collection[str], number: int, closed: bool) -> Part:
    """Write a part of one hour, or of one day where it is `closed`; it counts when a manifest says so.

    The name has the number of the manifest that comes next, so that no later part has it again.
    """
    assert 0 < len(calls) <= PART_ROWS_MAX
    time = calls["time_us"].to_numpy()
    first, last = int(time.min()), int(time.max())
    traces = _traces_file(calls.select(TRACES_SCHEMA.names), filled, closed)
    names = _names_file(calls.select(NAMES_SCHEMA.names), closed)
    span = "day" if closed else f"{first // HOUR_US % 24:02d}"
    name = f"parts/{day_of(first)}/{span}-{number:08d}-{digest_of(traces)}"
    part = Part(name, len(calls), first, last, closed, _file(traces), _file(names))
    for file, data in zip(part.files, (traces, names), strict=True):
        place.put(file, data)
    return part


def read_calls(
    place: Place, part: Part, columns: Sequence[str], accounts: tuple[int, int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield columns of CALLS_SCHEMA of a part, a batch at a time and row for row; of two files only what is asked for.

    `accounts` are the first and the last account_key that somebody wants: row groups of others are passed over.

    Raises:  FileNotFoundError where the part is gone; Error part-damaged.
    """
    wanted = {*columns, *(SHINGLE_LISTS if "shingles" in columns else ())}
    ours = [name for name in FILE_SCHEMA.names if name in wanted]
    theirs = [name for name in NAMES_SCHEMA.names if name in columns]
    try:
        with place.open(f"{part.name}{TRACES}") as traces:
            opened = pq.ParquetFile(traces)
            groups = _groups(opened.metadata, accounts)
            if not theirs:
                yield from map(_unpacked, opened.iter_batches(READ_ROWS, row_groups=groups, columns=ours))
                return
            with place.open(f"{part.name}{NAMES}") as names:
                named = pq.ParquetFile(names).iter_batches(READ_ROWS, row_groups=groups, columns=theirs)
                for one, other in zip(
                    opened.iter_batches(READ_ROWS, row_groups=groups, columns=ours), named, strict=True
                ):
                    yield _unpacked(pa.RecordBatch.from_arrays([*one.columns, *other.columns], names=ours + theirs))
    except (pa.ArrowException, ValueError) as error:
        raise _damaged(part) from error
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _damaged(part) from error


def footer(place: Place, part: Part) -> pq.FileMetaData:
    """Read what a part's file of traces says of itself. Raises:  as `read_calls`."""
    try:
        with place.open(f"{part.name}{TRACES}") as traces:
            return pq.ParquetFile(traces).metadata
    except (pa.ArrowException, ValueError) as error:
        raise _damaged(part) from error


def filled_of(place: Place, part: Part) -> set[str]:
    """Read which columns of events a part's calls fill. Raises:  as `read_calls`."""
    try:
        return set(json.loads(footer(place, part).metadata[FILLED]))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(part) from error


def _damaged(part: Part) -> Error:
    return Error(
        "part-damaged",
        "a part of the store cannot be read",
        hint="see what is wrong with: stillwatch store check DIR",
        where=part.name,
    )


def _groups(metadata: pq.FileMetaData, accounts: tuple[int, int] | None) -> list[int]:
    every = list(range(metadata.num_row_groups))
    if accounts is None:
        return every
    at = metadata.schema.to_arrow_schema().get_field_index("account_key")
    wanted = []
    for group in every:
        found = metadata.row_group(group).column(at).statistics
        if found is None or (found.min <= accounts[1] and found.max >= accounts[0]):
            wanted.append(group)
    return wanted


def _traces_file(traces: pa.Table, filled: Collection[str], closed: bool) -> bytes:
    said = {FILLED: json.dumps(sorted(filled)).encode()}
    plain = {*RANDOM, *DELTA, *SPLIT}
    repeating = [name for name in FILE_SCHEMA.names if name not in plain and name not in SHINGLE_LISTS]
    return _parquet(
        _packed(traces).replace_schema_metadata(said),
        closed,
        use_dictionary=[*repeating, *(f"{name}.list.element" for name in SHINGLE_LISTS)],
        column_encoding={
            **dict.fromkeys(DELTA, "DELTA_BINARY_PACKED"),
            **dict.fromkeys(SPLIT, "BYTE_STREAM_SPLIT"),
        },
        write_statistics=["account_key", "time_us"],
    )


def _packed(traces: pa.Table) -> pa.Table:
    """Return rows of TRACES_SCHEMA as rows of FILE_SCHEMA."""
    shingles = shingles_of(traces)
    columns = {name: traces[name] for name in TRACES_SCHEMA.names}
    for name, places in SHINGLE_LISTS.items():
        some = shingles[:, places]
        there = some != 0
        offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(some[there]))
    return pa.table([columns[name] for name in FILE_SCHEMA.names], schema=FILE_SCHEMA)


def _unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of a file with the column `shingles` in the place of its lists, where it has them."""
    if not set(SHINGLE_LISTS) <= set(batch.schema.names):
        return batch
    shingles = np.zeros((batch.num_rows, trace.SHINGLES), dtype=np.uint32)
    for name, places in SHINGLE_LISTS.items():
        some = shingles[:, places]
        length = np.diff(batch[name].offsets.to_numpy())
        some[np.arange(some.shape[1]) < length[:, None]] = batch[name].flatten().to_numpy()
    column = pa.FixedSizeListArray.from_arrays(pa.array(shingles.ravel()), trace.SHINGLES)
    kept = {name: batch[name] for name in batch.schema.names if name not in SHINGLE_LISTS}
    return pa.RecordBatch.from_arrays([*kept.values(), column], names=[*kept, "shingles"])


def _names_file(names: pa.Table, closed: bool) -> bytes:
    return _parquet(names, closed, use_dictionary=["account_id"], write_statistics=False)


def _parquet(table: pa.Table, closed: bool, **layout: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=LEVEL_CLOSED if closed else LEVEL_OPEN,
        dictionary_pagesize_limit=DICTIONARY_BYTES_MAX,
        row_group_size=PART_ROWS_MAX if closed else OPEN_GROUP_ROWS,
        **layout,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _file(data: bytes) -> File:
    return File(len(data), digest_of(data))


def one_table(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Return batches as one table of one chunk."""
    return pa.Table.from_batches(batches).combine_chunks()


def of_accounts(batch: pa.RecordBatch, first: int, last: int) -> pa.RecordBatch:
    """Return the rows of a batch whose account is one of `first` to `last`."""
    account = batch["account_key"].to_numpy()
    return batch.filter(pa.array((account >= np.uint64(first)) & (account <= np.uint64(last))))
