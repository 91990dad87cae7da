"""One row of each account is taken, whole, whatever the order and cut of the files."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stillwatch.digests import statements
from stillwatch.engines.accounts import ACCOUNT_ROWS_SCHEMA, write_account_rows
from stillwatch.event import ACCOUNT_SCHEMA
from stillwatch.kernels.tracer import TraceKeys
from tests.naive.pseudonyms import pseudonym

SECRET = b"a secret of a test"
OPENED = {"account_id": "a1", "created_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "plan": "Free tier"}
CLOSED = OPENED | {"closed_at": dt.datetime(2026, 2, 3, tzinfo=dt.UTC), "closed_reason": "banned"}


def taken(folder: Path, *batches: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the rows that the digests keep, by account, and the columns that any account fills."""
    path = folder / "accounts.parquet"
    made = [pa.RecordBatch.from_pylist(list(rows), schema=ACCOUNT_SCHEMA) for rows in batches]
    filled = write_account_rows(made, path, SECRET)
    columns = ", ".join(f"{name} DESC" for name in ACCOUNT_ROWS_SCHEMA.names if name not in ("account_key", "facts"))
    with duckdb.connect() as base:
        base.execute(f"CREATE VIEW given_accounts AS SELECT * FROM read_parquet('{path}')")
        found = base.sql(statements.ACCOUNT_ROWS.format(columns=columns) + " ORDER BY account_key").to_arrow_table()
    return found.to_pylist(), filled


def test_facts_become_pseudonyms_times_and_codes(tmp_path: Path) -> None:
    (row,), filled = taken(tmp_path, [CLOSED | {"programme": "Startup credits", "is_reseller": True}])
    key = TraceKeys.derive(SECRET).identifiers
    assert row["account_key"] == pseudonym("a1", key.first, key.second)
    assert (row["created_us"], row["closed_us"]) == (1_767_312_000_000_000, 1_770_076_800_000_000)
    assert (row["banned"], row["reseller"], row["plan"], row["programme"], row["declared_use"]) == (1, 1, 1, 2, 0)
    assert row["payment_digest"] == 0
    assert filled == {*CLOSED, "programme", "is_reseller"}


def test_the_row_with_most_facts_wins_in_any_order(tmp_path: Path) -> None:
    for rows in ([OPENED, CLOSED], [CLOSED, OPENED], [CLOSED, OPENED, CLOSED]):
        (row,), _ = taken(tmp_path, rows)
        assert row["banned"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_neither_order_nor_cut_changes_the_rows(tmp_path: Path, seed: int) -> None:
    rng = random.Random(11)
    rows = [
        {"account_id": f"a{rng.randrange(20)}", "plan": rng.choice(["free", "pro", "api"]), "payment_digest": "x"}
        for _ in range(60)
    ]
    expected, _ = taken(tmp_path, rows)
    random.Random(seed).shuffle(rows)
    assert taken(tmp_path, *(rows[start : start + 13] for start in range(0, 60, 13)))[0] == expected
    assert len({row["account_key"] for row in expected}) == len(expected) == len({row["account_id"] for row in rows})


def test_without_accounts_there_are_no_rows(tmp_path: Path) -> None:
    assert taken(tmp_path) == ([], set())
