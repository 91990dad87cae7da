"""Account facts are read as they stand, from lines and from Parquet."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.adapters.accounts import account_batches
from stillwatch.adapters.contract import Rejection
from stillwatch.adapters.source import list_files
from stillwatch.event import ACCOUNT_SCHEMA

OPENED = {"account_id": "a1", "created_at": "2026-01-02T03:04:05Z", "plan": "free", "is_reseller": False}
CLOSED = OPENED | {"closed_at": "2026-02-03T04:05:06Z", "closed_reason": "banned"}


def read(path: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    rejected: list[Rejection] = []
    batches = list(account_batches(list_files([str(path)]), rejected.append))
    assert all(batch.schema == ACCOUNT_SCHEMA for batch in batches)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return rows, [(one.line, one.reason, one.detail) for one in rejected]


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


def test_bad_rows_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = [{"plan": "free"}, OPENED | {"created_at": 1_767_323_045_000}, OPENED | {"is_reseller": "no"}]
    rows, rejected = read(written(tmp_path / "accounts.jsonl", *bad, OPENED))
    assert len(rows) == 1
    assert rejected == [
        (1, "missing-field", "account_id"),
        (2, "time-out-of-range", "created_at looks like milliseconds"),
        (3, "wrong-type", "is_reseller"),
    ]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read(written(tmp_path / "accounts.jsonl")) == ([], [])
