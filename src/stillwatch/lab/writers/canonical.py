"""Simulated events as the canonical table: Parquet, or JSON lines where a person wants to read them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.writers.lines import write_lines

PART_ROWS_MAX = 1_000_000
"""A file of a few hundred megabytes: large enough to compress, small enough to share out over cores."""


def write(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write Parquet part files into the folder `out`, each under its name only once it is whole."""
    out.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(_parts(batches, PART_ROWS_MAX)):
        path = out / f"part-{number:05}.parquet"
        unfinished = path.with_name(f"_{path.name}")
        with pq.ParquetWriter(unfinished, EVENT_SCHEMA, compression="zstd") as writer:
            for batch in part:
                writer.write_batch(batch)
        os.replace(unfinished, path)


def write_json(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write JSON lines into the folder `out`; null columns are left out."""
    rows = (row for batch in batches for row in batch.to_pylist())
    write_lines(({name: value for name, value in row.items() if value is not None} for row in rows), out)


def _parts(batches: Iterable[pa.RecordBatch], rows_max: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """Group batches, each group to be used up before the next, so that a file gets about `rows_max` rows."""
    waiting = iter(batches)

    def part(first: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        rows = first.num_rows
        yield first
        while rows < rows_max and (batch := next(waiting, None)) is not None:
            rows += batch.num_rows
            yield batch

    while (first := next(waiting, None)) is not None:
        yield part(first)
