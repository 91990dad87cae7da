"""What many threads write is all there, and shingles are the same in every form that they are kept in."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch import trace
from stillwatch.engines.parts import PartedFiles, PartFiles, ordered
from stillwatch.engines.shingles import PACKED_SCHEMA, packed, shingle_rows

SCHEMA = pa.schema([("row", pa.int64())])


def batch(first: int, rows: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(range(first, first + rows), pa.int64())], schema=SCHEMA)


@pytest.mark.parametrize("rows_max", [None, 25])
def test_every_row_that_threads_write_at_once_is_in_one_file(tmp_path: Path, rows_max: int | None) -> None:
    parts = PartFiles(tmp_path, "rows", SCHEMA, rows_max)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(parts.write, [batch(10 * number, 10) for number in range(200)]))
    parts.close()
    assert sorted(parts.files) == sorted(tmp_path.glob("rows-*.parquet"))
    found = Counter(row for file in parts.files for row in pq.read_table(file)["row"].to_pylist())
    assert found == Counter(range(2_000))
    if rows_max:
        assert max(pq.read_metadata(file).num_rows for file in parts.files) == 30


def test_where_nothing_was_written_there_is_a_file_without_rows(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path, "rows", SCHEMA)
    parts.close()
    (file,) = parts.files
    assert pq.read_table(file).equals(pa.table({"row": pa.array([], pa.int64())}))


def traces(shingles: np.ndarray) -> pa.RecordBatch:
    columns = {
        field.name: pa.array(np.zeros(len(shingles), dtype=field.type.to_pandas_dtype()))
        for field in trace.TRACE_SCHEMA
        if field.name != "shingles"
    }
    columns["shingles"] = pa.FixedSizeListArray.from_arrays(pa.array(shingles.ravel()), trace.SHINGLES)
    return pa.RecordBatch.from_arrays([columns[name] for name in trace.TRACE_SCHEMA.names], schema=trace.TRACE_SCHEMA)


@pytest.mark.parametrize("skipped", [0, 3, 10])
def test_shingles_are_the_same_as_a_list_as_bytes_and_as_the_database_returns_them(
    tmp_path: Path, skipped: int
) -> None:
    shingles = np.random.default_rng(1).integers(0, 2**32, (10, trace.SHINGLES), dtype=np.uint32)
    some = traces(shingles).slice(skipped)
    expected = shingles[skipped:].tolist()
    assert packed(some).schema.equals(PACKED_SCHEMA)
    pq.write_table(pa.Table.from_batches([packed(some)]), tmp_path / "traces.parquet")
    with duckdb.connect() as base:
        returned = base.sql(f"SELECT shingles FROM read_parquet('{tmp_path / 'traces.parquet'}')").to_arrow_table()
    for rows in (some, packed(some), packed(traces(shingles)).slice(skipped), returned):
        assert shingle_rows(rows).tolist() == expected


def test_every_row_is_in_the_file_of_its_part_and_no_part_waits_for_another(tmp_path: Path) -> None:
    files = PartedFiles(tmp_path, "rows", SCHEMA, 3, rows=30_000)

    def write(number: int) -> None:
        some = batch(1_000 * number, 1_000)
        order, starts = ordered(some["row"].to_numpy() % 3, 3)
        files.write(some.take(pa.array(order)), starts)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    files.close()
    for part, file in enumerate(files.files):
        assert sorted(pq.read_table(file)["row"].to_pylist()) == list(range(part, 200_000, 3))
        assert pq.read_metadata(file).num_row_groups == 7
