"""A window of a store: which hours a run looks at, and their calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from stillwatch.errors import Error
from stillwatch.event import TIME
from stillwatch.store.calls import TRACES_SCHEMA, trace_rows
from stillwatch.store.manifest import DAY_US, HOUR_US, Manifest, Part, overlapping
from stillwatch.store.parts import read_calls
from stillwatch.store.place import Place

UNITS_US = {"h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}


@dataclass(frozen=True, slots=True)
class Window:
    """What of a store is looked at: `length_us` up to the moment `until_us`, by default the end of the newest hour."""

    length_us: int = 30 * DAY_US
    until_us: int | None = None

    @staticmethod
    def of(length: str, until: str | None = None) -> Window:
        """Read a length such as 30d, 12h or 2w, and a moment in RFC 3339. Raises:  Error bad-window."""
        moment = None
        if until is not None:
            try:
                parsed = datetime.fromisoformat(until)
            except ValueError as error:
                raise _bad("a moment such as 2026-03-02T14:00:00Z", until) from error
            if parsed.tzinfo is None:
                raise _bad("a moment with an offset or Z", until)
            since = parsed - datetime(1970, 1, 1, tzinfo=UTC)
            moment = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return Window(duration_us(length), moment)

    def bounds(self, manifest: Manifest) -> tuple[int, int]:
        """Return the first moment of the window and the first after it. Raises:  Error no-calls-in-window."""
        newest = manifest.newest_hour
        if newest is None:
            raise nothing_there()
        until = (newest + 1) * HOUR_US if self.until_us is None else self.until_us
        return until - self.length_us, until


def duration_us(text: str) -> int:
    """Read a length of time such as 30d, 12h or 2w. Raises:  Error bad-window."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if not found:
        raise _bad("hours, days or weeks such as 12h, 30d or 2w", text)
    return int(found[1]) * UNITS_US[found[2]]


def nothing_there() -> Error:
    """Say that a window holds no call."""
    return Error(
        "no-calls-in-window",
        "the store holds no call in this window",
        hint="see what it holds with: stillwatch store show DIR",
    )


def _bad(expected: str, got: str) -> Error:
    return Error("bad-window", f"expected {expected}, got {got[:40]!r}")


def window_traces(
    place: Place, part: Part, start_us: int, end_us: int
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield the traces (trace.TRACE_SCHEMA) and the blocks (trace.BLOCK_SCHEMA) of a part's calls in a window."""
    for batch in read_calls(place, part, TRACES_SCHEMA.names):
        if part.first_us < start_us or part.last_us >= end_us:
            time = batch["time_us"].to_numpy()
            batch = batch.filter(pa.array((time >= start_us) & (time < end_us)))
        if batch.num_rows:
            yield trace_rows(batch)


def named_calls(place: Place, manifest: Manifest, events: np.ndarray, times_us: np.ndarray) -> Iterator[pa.RecordBatch]:
    """Yield the names and times of events (uint64[n] ascending, at int64[n]) out of the parts that can hold them.

    Shapes:  event_id, account_id, time: as the columns of these names of a log.
    """
    hours = np.unique(times_us // HOUR_US)
    for part in overlapping(manifest.parts, int(times_us.min()), int(times_us.max()) + 1):
        if not ((hours >= part.first_us // HOUR_US) & (hours <= part.last_us // HOUR_US)).any():
            continue
        for batch in read_calls(place, part, ["event_key", "time_us", "event_id", "account_id"]):
            key = batch["event_key"].to_numpy()
            there = events[np.minimum(np.searchsorted(events, key), len(events) - 1)] == key
            if there.any():
                found = batch.filter(pa.array(there))
                columns = [found["event_id"], found["account_id"], found["time_us"].cast(TIME)]
                yield pa.RecordBatch.from_arrays(columns, names=["event_id", "account_id", "time"])
