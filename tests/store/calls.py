"""Small logs for stores: events by hour, written as files or handed over as batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.adapters import canonical
from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.source import list_files
from stillwatch.engines.ingest import IngestOutcome, IngestRequest, fold_in, ingest
from stillwatch.pseudonym import UNKEYED, key_ident
from stillwatch.store.parts import read_calls
from stillwatch.store.store import Store
from tests.scenes.scene import Silent, write_lines

Event = dict[str, Any]

KEY = key_ident(UNKEYED)


def event(number: int, day: int = 1, hour: int = 0, account: str | None = None, **more: Any) -> Event:
    return {
        "event_id": f"event-{number}",
        "time": f"2026-03-{day:02d}T{hour:02d}:{number % 60:02d}:00Z",
        "account_id": account or f"account-{number % 7}",
        "request_model": "model-a",
        "input_text": f"please tell me all that you know about the famous subject of number {number}",
        "output_tokens": number,
        **more,
    }


def hours_of_day(day: int, hours: int = 3, calls: int = 20) -> list[Event]:
    return [event(day * 10_000 + hour * 100 + n, day, hour) for hour in range(hours) for n in range(calls)]


def fold_files(store: str | Path, *files: Path | str, folder: Path, **settings: Any) -> IngestOutcome:
    request = IngestRequest(tuple(map(str, files)), str(store), folder / "rejected.jsonl", **settings)
    return ingest(request, Silent())


def fold_events(store: Store, events: Sequence[Event], folder: Path, **more: Any) -> int:
    path = write_lines(folder / "some.jsonl", list(events))
    (file,) = list_files([str(path)])
    return fold_in(store, canonical.read(file, ReadSettings(), lambda _: None), UNKEYED, **more)


def opened(url: str | Path) -> Store:
    return Store.open(str(url), KEY)


def held(store: Store) -> dict[str, int]:
    """Count the calls of each event id in a store."""
    found: dict[str, int] = {}
    for part in store.manifest.parts:
        for batch in read_calls(store.place, part, ["event_key", "event_id"]):
            for name in batch["event_id"].to_pylist():
                found[name] = found.get(name, 0) + 1
    return found


def ids(events: Sequence[Event]) -> dict[str, int]:
    return {each["event_id"]: 1 for each in events}


def shingles_kept(store: Store) -> int:
    return sum(
        int(np.count_nonzero(batch["shingles"].flatten().to_numpy()))
        for part in store.manifest.parts
        for batch in read_calls(store.place, part, ["shingles"])
    )


def written(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def flip_a_byte(path: Path, at: int = -100) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def as_lines(events: Sequence[Event]) -> str:
    return "".join(json.dumps(each) + "\n" for each in events)
