"""A run's own files: rows that several threads write at once, and pairs of numbers by the larger's highest bits."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.kernels.holders import by_part

CODEC = "lz4"

PAIRS_MAX = 1 << 23
"""Pairs sorted in one go: 64 MB on each core. Of a larger file one stretch of values is taken after the other."""


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


class PartedFiles:
    """Writes rows of one schema to Parquet files by a part that each row has, so that each part is read by itself.

    Threads write at once. Rows wait in memory until there are `rows` of them, and then go to their files, a row group
    in each; which stands first is left open.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, parts: int, rows: int) -> None:
        self.files = [folder / f"{name}-{part:05d}.parquet" for part in range(parts)]
        self._schema, self._rows_max = schema, rows
        self._lock, self._locks = threading.Lock(), [threading.Lock() for _ in self.files]
        self._waiting: list[list[pa.RecordBatch]] = [[] for _ in self.files]
        self._rows = 0
        options = {"compression": CODEC, "use_dictionary": False}
        self._writers = [pq.ParquetWriter(file, schema, **options) for file in self.files]

    def write(self, batch: pa.RecordBatch, starts: np.ndarray) -> None:
        """Write rows that are ordered by part, of which part p's begin at starts[p]: int64[parts + 1]."""
        with self._lock:
            for part in np.flatnonzero(np.diff(starts)).tolist():
                self._waiting[part].append(batch.slice(starts[part], starts[part + 1] - starts[part]))
            self._rows += batch.num_rows
            if self._rows < self._rows_max:
                return
            # All go at once: slices share their batch, which is in memory as long as one of them waits.
            waiting, self._waiting, self._rows = self._waiting, [[] for _ in self.files], 0
        self._flush(waiting)

    def close(self) -> None:
        """End all files, when no thread writes any more."""
        self._flush(self._waiting)
        for writer in self._writers:
            writer.close()

    def _flush(self, waiting: list[list[pa.RecordBatch]]) -> None:
        for part, some in enumerate(waiting):
            if some:
                with self._locks[part]:
                    self._writers[part].write_table(pa.Table.from_batches(some, self._schema))


def ordered(part: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in the order of their parts, and where each part begins: int64[n], int64[parts + 1]."""
    part = part.astype(np.uint16)  # of which numpy sorts as many in a tenth of the time
    order = np.argsort(part, kind="stable")
    return order, np.searchsorted(part[order], np.arange(parts + 1))


class PairFiles:
    """Pairs (`kernels.holders`) in files by their highest bits, which are gone when the run has looked at them."""

    def __init__(self, folder: Path, part_bits: int) -> None:
        self._paths = [folder / f"pairs-{part:05d}" for part in range(1 << part_bits)]
        self._bits = part_bits
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._files = [self._open.enter_context(path.open("wb")) for path in self._paths]
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
        for path in self._paths:
            path.unlink()

    def write(self, pairs: np.ndarray) -> None:
        """Append pairs: uint64[m] in any order, repeats among them."""
        parted, starts = by_part(pairs, self._bits)
        for part, file in enumerate(self._files):
            if starts[part] < starts[part + 1]:
                file.write(parted[starts[part] : starts[part + 1]].data)

    def each(self, work: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """Return what `work` makes of all pairs, a part after the other, ascending; on all cores."""
        for file in self._files:
            file.flush()
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            parts = pool.map(lambda part: [work(some) for some in self._ascending(part)], range(1 << self._bits))
            return [found for part in parts for found in part]

    def _ascending(self, part: int) -> Iterator[np.ndarray]:
        """Yield the pairs of a file, ascending, a stretch of its values at a time."""
        width = 1 << (32 - self._bits)
        stretches = self._paths[part].stat().st_size // (8 * PAIRS_MAX) + 1
        for stretch in range(stretches):
            first, last = ((part << 32 - self._bits) + width * edge // stretches for edge in (stretch, stretch + 1))
            with self._paths[part].open("rb") as file:
                found = [some[(some >> _VALUE >= first) & (some >> _VALUE < last)] for some in _numbers(file)]
            pairs = np.concatenate(found or [np.zeros(0, dtype=np.uint64)])
            pairs.sort()
            yield pairs


_VALUE = np.uint64(32)


def _numbers(file: BinaryIO) -> Iterator[np.ndarray]:
    while len(some := np.fromfile(file, dtype=np.uint64, count=PAIRS_MAX)):
        yield some
