"""Parquet files that several threads write at once: each thread fills a file of its own, and nobody waits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CODEC = "lz4"


@dataclass(slots=True)
class _Part:
    writer: pq.ParquetWriter
    rows: int = 0


class PartFiles:
    """Writes batches of one schema to numbered files, a row group each; which file a batch comes to is left open.

    There are as many files as threads that write at one time, and more where one has `rows_max` rows.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, rows_max: int | None = None) -> None:
        self._folder, self._name, self._schema, self._rows_max = folder, name, schema, rows_max
        self._free: deque[_Part] = deque()
        self._numbers = count()
        self.files: list[Path] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch to a file that no other thread is writing to."""
        try:
            part = self._free.pop()
        except IndexError:
            part = self._open()
        part.writer.write_batch(batch)
        part.rows += batch.num_rows
        if self._rows_max is not None and part.rows >= self._rows_max:
            part.writer.close()
        else:
            self._free.append(part)

    def close(self) -> None:
        """End all files, when no thread writes any more; there is one at least."""
        if not self.files:
            self._free.append(self._open())
        while self._free:
            self._free.pop().writer.close()

    def _open(self) -> _Part:
        # A count is taken in one step of the interpreter, so that two threads never get the same.
        path = self._folder / f"{self._name}-{next(self._numbers):05d}.parquet"
        self.files.append(path)
        options = {"compression": CODEC, "use_dictionary": False, "write_statistics": False}
        return _Part(pq.ParquetWriter(path, self._schema, **options))
