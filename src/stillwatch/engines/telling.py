"""A run's directory → the campaigns that succession compares; its events → lines that are written exactly once."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaign.succession import Event, Found
from stillwatch.engines.output import rfc3339
from stillwatch.errors import Error
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys

LINE_BYTES_MAX = 100_000_000
"""A line that names four million accounts: what succession remembers at most."""


def found_in(run_dir: Path, key: bytes) -> list[Found]:
    """Read the campaigns of a run, with pseudonyms of the accounts that each names, or of its carriers where it names
    none.
    """
    verdicts = pq.read_table(run_dir / "accounts.parquet", columns=["account_id", "verdict"])
    named = {row["account_id"] for row in verdicts.to_pylist() if row["verdict"] == "campaign"}
    members: defaultdict[str, set[str]] = defaultdict(set)
    activity = pq.read_table(run_dir / "activity.parquet", columns=["campaign_id", "account_id"])
    for row in activity.group_by(["campaign_id", "account_id"]).aggregate([]).to_pylist():
        members[row["campaign_id"]].add(row["account_id"])
    identifiers = TraceKeys.derive(key).identifiers
    found = []
    for line in (run_dir / "campaigns.jsonl").read_text(encoding="utf-8").splitlines():
        campaign = json.loads(line)
        accounts = sorted(members[campaign["campaign_id"]] & named or members[campaign["campaign_id"]])
        found.append(
            Found(
                campaign["campaign_id"],
                frozenset(f"{each:016x}" for each in pseudonyms(pa.array(accounts), identifiers).tolist()),
                _microseconds(campaign["first_seen"]),
                _microseconds(campaign["last_seen"]),
                campaign["events_count"],
                campaign["output_tokens"],
                campaign["q_value"],
            )
        )
    return found


def _microseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * 1_000_000


def body_of(event: Event) -> dict[str, object]:
    """Return an event as a line of `events.jsonl` has it; docs/watch.md lists the fields."""
    return {
        "schema_version": event.version,
        "sequence": event.sequence,
        "event": event.kind,
        "lineage_id": event.lineage_id,
        "other_id": event.other_id,
        "window": {"start": rfc3339(event.window_us[0]), "end": rfc3339(event.window_us[1])},
        "run": event.run,
        "campaign_id": event.campaign_id,
        "first_seen": rfc3339(event.first_seen_us),
        "last_seen": rfc3339(event.last_seen_us),
        "accounts_count": event.accounts_count,
        "accounts_added": list(event.accounts_added),
        "events_count": event.events_count,
        "output_tokens": event.output_tokens,
        "q_value": event.q_value,
    }


def append(path: Path, events: Sequence[Event]) -> None:
    """Append the events that are not in the file yet, and wait until the disk has them.

    A line that a crash cut is taken away first; the last whole one says which events are there.

    Raises:  Error bad-events where the last line is none of an event.
    """
    with path.open("a+b") as stream:
        last = _last_sequence(stream.fileno(), path)
        lines = [json.dumps(body_of(event)) + "\n" for event in events if event.sequence > last]
        stream.write("".join(lines).encode())
        stream.flush()
        os.fsync(stream.fileno())


def _last_sequence(descriptor: int, path: Path) -> int:
    size = os.fstat(descriptor).st_size
    length = 1 << 16
    while size:
        length = min(length, size, LINE_BYTES_MAX)
        tail = os.pread(descriptor, length, size - length)
        whole = tail.rfind(b"\n") + 1
        before = tail.rfind(b"\n", 0, max(0, whole - 1))
        if whole and (before >= 0 or length == size):
            os.ftruncate(descriptor, size - len(tail) + whole)
            try:
                return int(json.loads(tail[before + 1 : whole])["sequence"])
            except (ValueError, KeyError, TypeError) as error:
                raise _bad(path) from error
        if length == size:
            os.ftruncate(descriptor, 0)
            return 0
        if length == LINE_BYTES_MAX:
            raise _bad(path)
        length *= 2
    return 0


def _bad(path: Path) -> Error:
    return Error(
        "bad-events",
        "the last line of the file of events is none that was written here",
        hint="move the file away; the next event begins another one",
        where=str(path),
    )
