"""What is read of one family does not depend on how families were parted or cut into batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch import trace
from stillwatch.engines import embedded, family_calls
from stillwatch.engines.embedded import MEMBER_PARTS, MEMBERS, Embedded
from stillwatch.engines.family_calls import FamilyFile, stretches
from stillwatch.engines.members import MEMBER_SCHEMA
from stillwatch.engines.parts import PartedFiles, ordered
from stillwatch.engines.reading import BLOCKS


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_a_familys_rows_come_whole_and_in_order_however_they_were_cut(tmp_path: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    family = np.sort(rng.integers(0, 9, 200)).astype(np.int32)
    table = pa.table({"family": family, "value": np.arange(200)})
    batches = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=rows))
    held = FamilyFile(tmp_path / "rows.arrow", batches)
    for each in (3, 0, 8, 3, 42):
        assert held.numpy(each)["value"].tolist() == np.flatnonzero(family == each).tolist()
        assert len(held.rows(each)) == (family == each).sum()


def facts(folder: Path, members: pa.Table) -> dict[str, list[int]]:
    folder.mkdir()
    pq.write_table(trace.TRACE_SCHEMA.empty_table(), folder / "traces-00000.parquet")
    pq.write_table(trace.BLOCK_SCHEMA.empty_table(), folder / BLOCKS)
    order, starts = ordered(members["family"].to_numpy() % MEMBER_PARTS, MEMBER_PARTS)
    files = PartedFiles(folder, MEMBERS, MEMBER_SCHEMA, MEMBER_PARTS, rows=50)
    files.write(members.take(pa.array(order)).combine_chunks().to_batches()[0], starts)
    files.close()
    with Embedded(folder, np.zeros(0, dtype=np.uint8)) as engine:
        calls = f"read_parquet('{folder / MEMBERS}-*.parquet')"
        accounts = f"SELECT DISTINCT account_key, account_key // 2 AS owner_key, 900 AS calls FROM {calls}"
        engine.table_of("account_facts", accounts)
        found = {name: column.tolist() for name, column in engine.family_facts().items()}
        kept = engine.row("SELECT count(*), sum(calls), sum(tested_calls) FROM family_accounts")
    return found | {"family_accounts": [int(count) for count in kept]}


@pytest.mark.parametrize("rows_max", [100, 700])
def test_families_have_the_same_facts_however_many_parts_they_are_counted_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_max: int
) -> None:
    rng = np.random.default_rng(2)
    count = 6_000
    members = pa.table(
        {
            "family": pa.array(np.minimum(rng.geometric(0.04, count), 90) * 2, pa.int32()),
            "account_key": pa.array(rng.integers(1, 60, count), pa.uint64()),
            "tested": pa.array(rng.integers(0, 2, count), pa.uint8()),
            "phrases": pa.array(rng.integers(0, 2**11, count), pa.uint32()),
            "signs": pa.array(rng.integers(0, 4, count), pa.uint8()),
            "item_key": pa.array(rng.integers(1, 500, count), pa.uint64()),
        }
    )
    whole = facts(tmp_path / "whole", members)
    assert min(whole["calls"]) >= embedded.FAMILY_CALLS_MIN
    # Every family's number is even: some of the parts have no family at all.
    monkeypatch.setattr(embedded, "PART_ROWS_MAX", rows_max)
    assert facts(tmp_path / "parts", members) == whole


def test_stretches_of_families_hold_so_many_calls_and_a_large_family_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(family_calls, "ORDERED_CALLS_MAX", 10)
    assert stretches({3: 4, 1: 6, 7: 1, 9: 25, 12: 10, 13: 2}) == [(1, 3), (7, 7), (9, 9), (12, 12), (13, 13)]
    assert stretches({}) == []
