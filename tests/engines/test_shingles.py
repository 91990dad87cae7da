"""The shingles that enough accounts share are found exactly, in however many parts they are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch import trace
from stillwatch.engines import parts, shingles
from stillwatch.engines.shingles import shared_shingles
from stillwatch.kernels.sharing import TABLE_BITS, mark_accounts, shared_slots
from tests.naive.sharing import witness_minima

ACCOUNTS_MIN = 8
ACCOUNTS = 60


def log(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw calls: some values that many accounts carry, some that exactly seven or eight do, many of one alone."""
    rng = np.random.default_rng(seed)
    rows, accounts = [], []
    common, rare = (rng.integers(1, 2**32, 30) for _ in range(2))
    for account in range(ACCOUNTS):
        for _ in range(4):
            row = rng.integers(1, 2**32, trace.SHINGLES)
            row[:5] = rng.choice(common, 5)
            row[5:9] = [value for at, value in enumerate(rare[:12]) if account < 7 + at % 2][:4] or row[5:9]
            rows.append(row)
            accounts.append(account + 1)
    keys = rng.integers(1, 2**62, ACCOUNTS + 1, dtype=np.uint64)
    events = rng.integers(1, 2**62, len(rows), dtype=np.uint64)
    return np.array(rows, dtype=np.uint32), keys[accounts], events


def over(rows: np.ndarray, accounts: np.ndarray, events: np.ndarray, batch_rows: int) -> shingles.Pass:
    table = pa.table(
        {
            "event_key": events,
            "account_key": accounts,
            "shingles": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), trace.SHINGLES),
        }
    )

    def read(columns: list[str], work: Callable[[pa.RecordBatch], Any]) -> Iterator[Any]:
        return (work(batch) for batch in table.select(columns).to_batches(batch_rows))

    return read


@pytest.mark.parametrize("batch_rows", [17, 1_000])
@pytest.mark.parametrize("bounds", [4, 1 << 20], ids=["a few at a time", "in one go"])
def test_shared_shingles_are_those_of_counting_by_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batch_rows: int, bounds: int
) -> None:
    monkeypatch.setattr(shingles, "KNOWN_ROWS", bounds)
    monkeypatch.setattr(shingles, "WITNESSED_MAX", bounds)
    monkeypatch.setattr(parts, "PAIRS_MAX", bounds)
    rows, accounts, events = log(7)
    holders: dict[int, set[int]] = {}
    for row, account in zip(rows.tolist(), accounts.tolist(), strict=True):
        for value in row:
            holders.setdefault(value, set()).add(account)
    expected = sorted(value for value, of in holders.items() if len(of) >= ACCOUNTS_MIN)
    assert 30 <= len(expected) < len(holders)
    table = np.zeros(1 << TABLE_BITS, dtype=np.uint8)
    mark_accounts(rows, accounts, table)
    first, known = shared_slots(table), np.unique(accounts)
    found, witnesses = shared_shingles(over(rows, accounts, events, batch_rows), first, known, ACCOUNTS_MIN, tmp_path)
    assert not list(tmp_path.iterdir())
    assert found.tolist() == expected
    places = [(value, event) for row, event in zip(rows.tolist(), events.tolist(), strict=True) for value in row]
    by_hand = witness_minima(places)
    assert witnesses.tolist() == [[hashed & 0xFFFFFFFF for hashed in by_hand[value]] for value in expected]
