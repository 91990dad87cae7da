"""Calls that pass the gate → canonical events in files, for a provider who has no log of them.

An event is in the spool before its call is over, and handed on in files by a thread. Only where the spool is full is an
event dropped, and counted; a call never waits for a destination.
"""

from __future__ import annotations

import asyncio
import gzip
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow.parquet as pq

from stillwatch.adapters import canonical
from stillwatch.adapters.contract import LogFile, ReadSettings, Rejection
from stillwatch.errors import Error
from stillwatch.event import EVENT_SCHEMA
from stillwatch.gate.contract import CALL_COLUMNS, REPLY_COLUMNS, Meter, Reply, Ticket
from stillwatch.gate.spool import Spool
from stillwatch.store.place import Place

Form = Literal["jsonl", "parquet"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SUFFIX: dict[Form, str] = {"jsonl": ".jsonl.gz", "parquet": ".parquet"}


def event_of(ticket: Ticket, reply: Reply, event_id: str) -> dict[str, object]:
    """Return a call as a canonical event (`event.EVENT_SCHEMA`), without what is absent."""
    time = EPOCH + timedelta(microseconds=ticket.call.time_us)
    event: dict[str, object] = {"event_id": event_id, "time": time.isoformat(timespec="microseconds")}
    for holder, names in ((ticket.call, CALL_COLUMNS), (reply, REPLY_COLUMNS)):
        for name in names:
            value = getattr(holder, name)
            if value is not None and value != () and value != "":
                event[name] = value
    return event


class Captured:
    """Keeps calls in a spool and hands them on to a folder or any fsspec location.

    `instance` is unlike that of any other process; event ids and the files' names are made of it.
    """

    def __init__(self, spool: Spool, destination: Place, form: Form, instance: str, meter: Meter) -> None:
        self._spool, self._destination, self._form = spool, destination, form
        self._instance, self._meter = instance, meter
        self._number = 0
        self._encoder = msgspec.json.Encoder()

    def keep(self, ticket: Ticket, reply: Reply) -> None:
        """Spool one call."""
        if not ticket.call.account_id or not ticket.call.request_model:
            self._meter.alarm("capture-no-principal")
            return
        self._number += 1
        event = event_of(ticket, reply, f"{self._instance}-{self._number}")
        if not self._spool.append(self._encoder.encode(event), ticket.call.time_us):
            self._meter.alarm("capture-dropped")

    async def run(self, rotate_s: float) -> None:
        """Hand events on every `rotate_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(rotate_s)
            await asyncio.to_thread(self.hand_on)

    async def close(self) -> None:
        """Hand on what is left; what cannot be stays in the spool for the next process."""
        await asyncio.to_thread(self.hand_on)
        self._spool.close()

    def hand_on(self) -> int:
        """End the open segment, write each to the destination, then delete it; return how many were.

        A segment that was written and not deleted is written again under its name, with the same bytes.
        """
        count = 0
        self._spool.seal()
        for segment in self._spool.sealed():
            try:
                data = self._file_of(segment)
                if data:
                    self._destination.put(_name(segment, self._form), data)
            except (OSError, Error):
                self._meter.alarm("capture-destination-away")
                break
            self._spool.done(segment)
            count += 1
        return count

    def _file_of(self, segment: Path) -> bytes:
        """Return a segment as a file of the destination; the half line that a killed process left is counted."""
        data = segment.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._meter.alarm("capture-torn")
        if not whole:
            return b""
        if self._form == "jsonl":
            return gzip.compress(whole, compresslevel=6, mtime=0)
        return self._as_parquet(segment)

    def _as_parquet(self, segment: Path) -> bytes:
        def reject(rejection: Rejection) -> None:
            self._meter.alarm(f"capture-{rejection.reason}")

        log = LogFile(str(segment), segment.stat().st_size)
        sink = io.BytesIO()
        with pq.ParquetWriter(sink, EVENT_SCHEMA, compression="zstd") as writer:
            for batch in canonical.read(log, ReadSettings(), reject):
                writer.write_batch(batch)
        return sink.getvalue()


def _name(segment: Path, form: Form) -> str:
    """Return the name of a segment's file: folders of day and hour of its first event, in UTC."""
    stamp, _, rest = segment.stem.partition("-")
    first = EPOCH + timedelta(microseconds=int(stamp))
    return f"{first:%Y-%m-%d}/{first:%H}/events-{rest}{SUFFIX[form]}"
