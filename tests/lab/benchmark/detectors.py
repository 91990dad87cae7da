"""Detectors simple enough to know what they should find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def nobody(name: str) -> bool:
    return False


class Counting:
    """Names every account with enough calls, all in one campaign; it remembers how often it ran."""

    def __init__(self, calls_min: int, version: str = "one", spared: Callable[[str], bool] = nobody) -> None:
        self.version = version
        self.calls_min = calls_min
        self.spared = spared
        self.runs = 0

    def run(self, events: Path, accounts: Path, out: Path, seed: int, power: bool = False) -> Path:
        self.runs += 1
        table = pq.read_table(events, columns=["event_id", "account_id"])
        calls = Counter(table["account_id"].to_pylist())
        named = [name for name, count in calls.items() if count >= self.calls_min and not self.spared(name)]
        out.mkdir()
        columns = {
            "account_id": pa.array(named, pa.string()),
            "campaign_id": pa.array(["A"] * len(named), pa.string()),
            "verdict": pa.array(["campaign"] * len(named), pa.string()),
        }
        pq.write_table(pa.table(columns), out / "accounts.parquet")
        told = [
            e for e, a in zip(*(table[n].to_pylist() for n in ("event_id", "account_id")), strict=True) if a in named
        ]
        exchanges = {"event_id": pa.array(told, pa.string()), "campaign_id": pa.array(["A"] * len(told), pa.string())}
        pq.write_table(pa.table(exchanges), out / "exchanges.parquet")
        return out


class Heard:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)
