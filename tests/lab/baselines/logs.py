"""Hand-made logs of a few accounts whose right answer is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.baselines.contract import Suspicion
from stillwatch.lab.baselines.log import Log

START = datetime(2026, 9, 15, tzinfo=UTC)


@dataclass
class Written:
    """Calls and accounts as a test lists them, and the log on disk."""

    folder: Path
    calls: list[dict[str, Any]] = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def call(self, account: str, seconds: float, text: str = "hello there", **fields: Any) -> None:
        time = START + timedelta(seconds=seconds)
        known = {"event_id": f"e{len(self.calls)}", "time": time, "account_id": account, "request_model": "m"}
        self.calls.append({**known, "input_text": text, **fields})
        self.accounts.setdefault(account, {"account_id": account, "created_at": "2026-01-01T00:00:00Z"})

    def account(self, name: str, **facts: Any) -> None:
        born = {"account_id": name, "created_at": "2026-01-01T00:00:00Z"}
        self.accounts[name] = {**born, **facts}

    def log(self) -> Log:
        events = self.folder / "events"
        events.mkdir(parents=True, exist_ok=True)
        rows = sorted(self.calls, key=lambda row: row["time"])
        pq.write_table(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), events / "part-00000.parquet")
        path = self.folder / "accounts.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in self.accounts.values()))
        return Log(events, path)


def scores(suspicion: Suspicion) -> dict[str, float]:
    return dict(zip(suspicion.accounts.to_pylist(), suspicion.score.tolist(), strict=True))


def clusters(suspicion: Suspicion) -> dict[str, int]:
    return dict(zip(suspicion.accounts.to_pylist(), suspicion.cluster.tolist(), strict=True))


def least(of: Mapping[str, float], names: Iterable[str]) -> float:
    return min(of.get(name, float("-inf")) for name in names)


def most(of: Mapping[str, float], names: Iterable[str]) -> float:
    return max((of[name] for name in names), default=float("-inf"))
