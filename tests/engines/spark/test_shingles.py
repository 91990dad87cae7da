"""Shared shingles are the same ones, with the same witnesses, on one machine and in the tasks of a cluster.

The tasks run here without Spark, between shuffles that are made by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch import trace
from stillwatch.engines import spark_shingles as tasks
from stillwatch.engines.shingles import shared_shingles
from stillwatch.engines.spark_rows import to_spark
from stillwatch.kernels.sharing import TABLE_BITS, mark_accounts, shared_slots
from stillwatch.kernels.sifting import MARKS, STAYS
from tests.engines.test_shingles import ACCOUNTS_MIN, log, over


def traces(rows: np.ndarray, accounts: np.ndarray, events: np.ndarray) -> pa.Table:
    shingles = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), trace.SHINGLES)
    batch = pa.RecordBatch.from_arrays(
        [pa.array(events), pa.array(accounts), shingles], names=["event_key", "account_key", "shingles"]
    )
    return pa.Table.from_batches([to_spark(batch)])


def mapped(task: Any, table: pa.Table, schema: pa.Schema, tasks_count: int = 3) -> pa.Table:
    """Run a task over the partitions of a table, in batches of a few rows."""
    size = -(-len(table) // tasks_count) or 1
    made: list[pa.RecordBatch] = []
    for start in range(0, max(len(table), 1), size):
        made += task.run(iter(table.slice(start, size).to_batches(max_chunksize=41)))
    return pa.Table.from_batches(made, schema=schema)


def shuffled(table: pa.Table, key: str, task: Any, schema: pa.Schema) -> pa.Table:
    """Bring equal keys together in one of three partitions, and run a task over each."""
    place = np.abs(table[key].to_numpy()) % 3

    def parts() -> Iterator[pa.Table]:
        for at in range(3):
            part = table.filter(pa.array(place == at)).sort_by(key)
            yield mapped(task, part, schema, tasks_count=1)

    return pa.concat_tables(parts())


def on_a_cluster(raw: pa.Table, kept: pa.Table | None, bits: int) -> tuple[np.ndarray, np.ndarray]:
    if kept is None:
        spread = mapped(tasks.Spread(bits, int(MARKS | STAYS)), raw, tasks.BLOBS)
    else:
        marks = mapped(tasks.Spread(bits, int(MARKS)), raw, tasks.BLOBS)
        spread = pa.concat_tables([marks, mapped(tasks.Spread(bits, int(STAYS)), kept, tasks.BLOBS)])
    first = shuffled(spread, "part", tasks.SiftFirst(bits), tasks.BLOBS)
    candidates = tasks.values_in(shuffled(first, "part", tasks.SiftSecond(bits, ACCOUNTS_MIN), tasks.VALUES))
    held = mapped(tasks.Hold(candidates, ACCOUNTS_MIN), raw if kept is None else kept, tasks.HELD)
    return tasks.shared_in(shuffled(held, "value", tasks.MergeHeld(ACCOUNTS_MIN), tasks.SHARED))


def on_one_machine(
    raw: tuple[np.ndarray, np.ndarray, np.ndarray], kept: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    table = np.zeros(1 << TABLE_BITS, dtype=np.uint8)
    mark_accounts(raw[0], raw[1], table)
    first, known = shared_slots(table), np.unique(kept[1])
    with TemporaryDirectory() as work:
        return shared_shingles(over(*kept, batch_rows=1_000), first, known, ACCOUNTS_MIN, Path(work))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [0, 3])
def test_a_cluster_finds_the_shingles_and_witnesses_that_one_machine_finds(seed: int, bits: int) -> None:
    drawn = log(seed)
    expected, witnesses = on_one_machine(drawn, drawn)
    found, seen = on_a_cluster(traces(*drawn), None, bits)
    assert len(expected) >= 30
    assert found.tolist() == expected.tolist()
    assert seen.tolist() == witnesses.tolist()


def test_repeats_mark_the_first_table_alone_on_either() -> None:
    drawn = log(11)
    kept = tuple(column[: len(column) * 3 // 4] for column in drawn)
    expected, witnesses = on_one_machine(drawn, kept)
    found, seen = on_a_cluster(traces(*drawn), traces(*kept), 2)
    assert found.tolist() == expected.tolist()
    assert seen.tolist() == witnesses.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_accounts_that_share_few_bits_pass_or_fail_alike(seed: int) -> None:
    """The tables' bits do not tell every eight accounts apart: what one machine overlooks, the cluster must too."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 2**32, 40_000, dtype=np.uint64).astype(np.uint32)
    accounts = rng.integers(1, 2**62, 40, dtype=np.uint64)
    rows = rng.choice(values, (9_000, trace.SHINGLES))
    drawn = (rows, rng.choice(accounts, len(rows)), rng.integers(1, 2**62, len(rows), dtype=np.uint64))
    expected, _ = on_one_machine(drawn, drawn)
    found, _ = on_a_cluster(traces(*drawn), None, 3)
    holders: dict[int, set[int]] = {}
    for row, account in zip(drawn[0].tolist(), drawn[1].tolist(), strict=True):
        for value in row:
            holders.setdefault(value, set()).add(account)
    assert len(expected) < sum(len(of) >= ACCOUNTS_MIN for of in holders.values())
    assert found.tolist() == expected.tolist()
