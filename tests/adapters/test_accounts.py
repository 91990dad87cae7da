"""Account facts: one row for each account, whatever the order and cut of the files."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.adapters.accounts import read_accounts
from stillwatch.adapters.contract import Rejection
from stillwatch.adapters.source import list_files
from stillwatch.event import ACCOUNT_SCHEMA

OPENED = {"account_id": "a1", "created_at": "2026-01-02T03:04:05Z", "plan": "free", "is_reseller": False}
CLOSED = OPENED | {"closed_at": "2026-02-03T04:05:06Z", "closed_reason": "banned"}


def read(path: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    rejected: list[Rejection] = []
    table = read_accounts(list_files([str(path)]), rejected.append)
    assert table.schema == ACCOUNT_SCHEMA
    return table.to_pylist(), [(one.line, one.reason, one.detail) for one in rejected]


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_facts_are_read_from_lines_and_from_parquet_alike(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    text = written(tmp_path / "plain", CLOSED).read_bytes()
    (tmp_path / "a" / "accounts.jsonl.gz").write_bytes(gzip.compress(text))
    columns = {name: [value] for name, value in CLOSED.items()}
    pq.write_table(pa.table(columns), tmp_path / "b" / "accounts.parquet")
    (row,), rejected = read(tmp_path / "a")
    assert rejected == []
    assert row["closed_at"] == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert (row["plan"], row["is_reseller"], row["email_domain"]) == ("free", False, None)
    assert read(tmp_path / "b") == ([row], [])


def test_the_row_with_most_facts_wins_in_any_order(tmp_path: Path) -> None:
    for rows in ((OPENED, CLOSED), (CLOSED, OPENED), (CLOSED, OPENED, CLOSED)):
        (row,), rejected = read(written(tmp_path / "accounts.jsonl", *rows))
        assert row["closed_reason"] == "banned"
        assert rejected == []


@pytest.mark.parametrize("seed", range(5))
def test_neither_order_nor_cut_changes_the_table(tmp_path: Path, seed: int) -> None:
    rng = random.Random(11)
    rows = [
        {"account_id": f"a{rng.randrange(20)}", "plan": rng.choice("xyz"), "is_reseller": rng.random() < 0.5}
        for _ in range(60)
    ]
    expected = read(written(tmp_path / "whole.jsonl", *rows))
    random.Random(seed).shuffle(rows)
    cut = tmp_path / "cut"
    cut.mkdir()
    for start in range(0, 60, 13):
        written(cut / f"{start}.jsonl", *rows[start : start + 13])
    assert read(cut) == expected
    assert [row["account_id"] for row in expected[0]] == sorted({row["account_id"] for row in rows})


def test_bad_rows_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = [{"plan": "free"}, OPENED | {"created_at": 1_767_323_045_000}, OPENED | {"is_reseller": "no"}]
    rows, rejected = read(written(tmp_path / "accounts.jsonl", *bad, OPENED))
    assert len(rows) == 1
    assert rejected == [
        (1, "missing-field", "account_id"),
        (2, "time-out-of-range", "created_at looks like milliseconds"),
        (3, "wrong-type", "is_reseller"),
    ]


def test_no_rows_make_an_empty_table(tmp_path: Path) -> None:
    assert read(written(tmp_path / "accounts.jsonl")) == ([], [])
