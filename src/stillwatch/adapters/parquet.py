"""Parquet files → record batches of bounded size, with what cannot be read rejected."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.adapters.contract import LogFile, Reject, Rejection
from stillwatch.adapters.streams import CHUNK_BYTES, PARQUET_MAGIC, is_packed, open_stream, unreadable

DAMAGE = (pa.ArrowException, EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a cut or damaged file raises; Arrow also raises OSError, then without an errno."""

TEXT_BYTES_MAX = 16 * 2**20
"""Text in one batch: with a few batches in flight per worker a run stays far under 2 GB."""

TEXT_TYPES = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)

DICTIONARY_COLUMNS = ("system_prompt", "input_text")
"""Read as dictionaries: 16,384 rows may share one 100 KB prompt, which is then stored once."""


def is_parquet(file: LogFile) -> bool:
    """Tell Parquet by its first bytes, looking through gzip and zstd.

    Raises: Error input-vanished, input-unreadable.
    """
    with open_stream(file) as stream:
        try:
            return stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return False


@contextmanager
def open_parquet(file: LogFile) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; one inside gzip or zstd is unpacked to a temporary file first.

    Raises: Error input-vanished, input-unreadable; one of DAMAGE if it is damaged.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_stream(file))
        if is_packed(stream):
            unpacked = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, unpacked, CHUNK_BYTES)
            stream = cast(BinaryIO, unpacked)
        metadata = pq.ParquetFile(stream).metadata
        texts = [
            leaf.path
            for leaf in map(metadata.schema.column, range(metadata.num_columns))
            if leaf.path in DICTIONARY_COLUMNS and leaf.physical_type == "BYTE_ARRAY"
        ]
        yield pq.ParquetFile(
            stream, metadata=metadata, read_dictionary=texts, pre_buffer=False, buffer_size=CHUNK_BYTES
        )


def parquet_columns(file: LogFile) -> tuple[str, ...]:
    """Name the columns of a Parquet file, none if it is damaged.

    Raises: Error input-vanished, input-unreadable.
    """
    try:
        with open_parquet(file) as parquet:
            return tuple(parquet.schema_arrow.names)
    except DAMAGE:
        return ()
    except OSError as error:
        if error.errno is not None:
            raise unreadable(file, error) from error
        return ()


def row_groups(file: LogFile) -> list[tuple[int, int]]:
    """Return the rows and bytes of each row group, none if the file is damaged.

    Raises: Error input-vanished, input-unreadable.
    """
    try:
        with open_parquet(file) as parquet:
            groups = [parquet.metadata.row_group(at) for at in range(parquet.num_row_groups)]
            return [(group.num_rows, group.total_byte_size) for group in groups]
    except DAMAGE:
        return []
    except OSError as error:
        if error.errno is not None:
            raise unreadable(file, error) from error
        return []


def parquet_batches(file: LogFile, columns: Sequence[str], batch_rows: int, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield those of `columns` that the file has, at most `batch_rows` rows or TEXT_BYTES_MAX at a time.

    Types are the file's own; DICTIONARY_COLUMNS arrive as dictionaries where they are strings. A
    file that cannot be read to its end gives one rejection (file-damaged) at the row after the last.

    Raises: Error input-vanished, input-unreadable.
    """
    rows = 0
    try:
        with open_parquet(file) as parquet:
            wanted = [name for name in columns if name in parquet.schema_arrow.names]
            for group in range(*(file.span or (0, parquet.num_row_groups))):
                step = _rows_that_fit(parquet.metadata.row_group(group), batch_rows)
                for batch in parquet.iter_batches(step, row_groups=[group], columns=wanted):
                    for part in _split(batch):
                        rows += part.num_rows
                        yield part
    except DAMAGE:
        reject(Rejection(file.uri, rows + 1, "file-damaged", "the parquet file is cut or damaged"))
    except OSError as error:
        if error.errno is not None:
            raise unreadable(file, error) from error
        reject(Rejection(file.uri, rows + 1, "file-damaged", "the parquet file is cut or damaged"))


def _rows_that_fit(group: Any, batch_rows: int) -> int:
    row_bytes = group.total_byte_size / max(1, group.num_rows)
    return max(1, min(batch_rows, int(TEXT_BYTES_MAX / max(1.0, row_bytes))))


def _split(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Halve a batch until the text in it, once written out, fits."""
    if batch.num_rows <= 1 or sum(map(_text_bytes, batch.columns)) <= TEXT_BYTES_MAX:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _split(batch.slice(0, half))
    yield from _split(batch.slice(half))


def _text_bytes(column: Any) -> int:
    indices = None
    if pa.types.is_dictionary(column.type):
        column, indices = column.dictionary, column.indices
    if not any(is_text(column.type) for is_text in TEXT_TYPES):
        return 0
    lengths = pc.binary_length(column)
    return int(pc.sum(lengths if indices is None else pc.take(lengths, indices)).as_py() or 0)
