"""Logs → traces on disk: the one look at the text, in constant memory, on every core."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import trace
from stillwatch.adapters import choice
from stillwatch.adapters.contract import Adapter, LogFile, Rejection
from stillwatch.engines.ahead import one_ahead
from stillwatch.engines.contract import SHOWN_COLUMNS, Progress, RunRequest
from stillwatch.engines.parts import CODEC, PartFiles
from stillwatch.engines.shingles import PACKED_SCHEMA, packed, shingle_rows
from stillwatch.errors import Error
from stillwatch.kernels.semantic import Embedder
from stillwatch.kernels.sharing import TABLE_BITS, mark_accounts
from stillwatch.kernels.tracer import TraceKeys, block_rows, must_compile, trace_batch

IN_FLIGHT_MAX = 4
"""Batches between reader and kernels: enough to keep two cores busy, few enough for constant memory."""

FILE_ROWS_MAX = 1_000_000
"""Rows of one trace file: what says where its row groups are is kept in memory until it is whole."""

BLOCKS = "blocks.parquet"
"""Where the reasoning blocks that calls presented and were issued are written."""


class TraceWriter:
    """Writes traces to numbered Parquet files, as many at once as threads add, and blocks to one."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._blocks = pq.ParquetWriter(folder / BLOCKS, trace.BLOCK_SCHEMA, compression=CODEC, use_dictionary=False)
        self._traces = PartFiles(folder, "traces", PACKED_SCHEMA, FILE_ROWS_MAX)

    def add(self, batch: pa.RecordBatch, blocks: pa.RecordBatch) -> None:
        if blocks.num_rows:
            with self._lock:
                self._blocks.write_batch(blocks)
        self._traces.write(packed(batch))

    def close(self) -> None:
        self._traces.close()
        self._blocks.close()


class Rejections:
    """Keeps every record that could not be read, by file, line and reason; never what it said.

    `counts` has the records of each reason, `first` the first of them; `missing` those that lack a required field, by
    its name.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.counts: Counter[str] = Counter()
        self.first: dict[str, Rejection] = {}
        self.missing: Counter[str] = Counter()

    def __call__(self, rejection: Rejection) -> None:
        self.counts[rejection.reason] += 1
        self.first.setdefault(rejection.reason, rejection)
        if rejection.reason == "missing-field":
            self.missing[rejection.detail] += 1
        body = {"file": rejection.file, "line": rejection.line, "reason": rejection.reason}
        if rejection.detail:
            body["detail"] = rejection.detail
        self._stream.write(json.dumps(body) + "\n")


class Meter:
    """How far the reading of one file is, for a person who waits: never beyond its end, whatever is read twice."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes
        self._read = 0

    def add(self, size_bytes: int) -> None:
        self._read += size_bytes

    def news(self) -> int:
        """Return the bytes read since it was last asked."""
        told = min(self._read, self._left)
        self._left -= told
        self._read = 0
        return told

    def rest(self) -> int:
        """Return what was not read: a Parquet file's other columns, a tail without records."""
        left, self._left = self._left, 0
        return left


@dataclass(slots=True)
class ReadFacts:
    """What the reading stage learnt about the log, and what it was asked; `spotless` says that nothing was rejected."""

    request: RunRequest
    adapter: Adapter
    reason: str
    files: tuple[LogFile, ...]
    table: np.ndarray
    rows: int = 0
    filled: set[str] = field(default_factory=set)
    spotless: bool = False

    def hand_over(self) -> np.ndarray:
        """Return the table and keep it no longer: who needs it last gives its memory back."""
        table, self.table = self.table, np.zeros(0, dtype=np.uint8)
        return table

    @property
    def dialect(self) -> str:
        return self.adapter.DIALECT.ident

    @property
    def has_text(self) -> bool:
        return True

    def again(self, sources: frozenset[int], events: np.ndarray, times_us: np.ndarray) -> Iterator[pa.RecordBatch]:
        """Read the files again that hold flagged calls; what was rejected before is passed over in silence.

        A record can be rejected for any of its columns: they are left unread where none was.
        """
        settings = replace(self.request.read, columns=SHOWN_COLUMNS) if self.spotless else self.request.read
        for source, file in enumerate(self.files):
            if source in sources:
                yield from one_ahead(self.adapter.read(file, settings, lambda rejection: None))

    def account_rows(self, given: Path) -> set[str]:
        """Logs bring no facts of accounts of their own."""
        return set()

    def facts(self) -> dict[str, object]:
        """Return what `run.json` says besides: nothing."""
        return {}


def read_log(
    request: RunRequest,
    files: list[LogFile],
    traces: Path,
    rejections: Rejections,
    progress: Progress,
    embedder: Embedder | None = None,
) -> ReadFacts:
    """Turn the request's events into trace files and the table of shared shingle slots.

    Raises Error where no dialect fits, no row could be read, or too many were rejected.
    """
    chosen = choice.choose(files, request.format)
    if must_compile():
        progress.note(
            "compiling, as on the first run of every version: it takes some seconds, later runs begin at once"
        )
    progress.note(f"reading as {chosen.adapter.DIALECT.ident}: {chosen.reason}")
    facts = ReadFacts(request, chosen.adapter, chosen.reason, tuple(files), np.zeros(1 << TABLE_BITS, dtype=np.uint8))
    writer = TraceWriter(traces)
    keys = TraceKeys.derive(request.key)
    lock = threading.Lock()

    def work(batch: pa.RecordBatch, source: int) -> int:
        traced = trace_batch(batch, keys, source, embedder)
        writer.add(traced, block_rows(batch, traced, keys))
        with lock:
            mark_accounts(shingle_rows(traced), traced["account_key"].to_numpy(), facts.table)
        return int(batch.num_rows)

    waiting: deque[Future[int]] = deque()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for source, file in enumerate(files):
            rows = 0
            meter = Meter(file.size_bytes)
            for batch in chosen.adapter.read(replace(file, on_read=meter.add), request.read, rejections):
                _notice(batch, facts)
                rows += batch.num_rows
                waiting.append(pool.submit(work, batch, source))
                while len(waiting) >= IN_FLIGHT_MAX:
                    waiting.popleft().result()
                progress.advance(batch.num_rows, meter.news())
            facts.rows += rows
            progress.advance(0, meter.rest())
        for done in waiting:
            done.result()
    writer.close()
    enough(facts, rejections)
    facts.spotless = not rejections.counts
    return facts


def _notice(batch: pa.RecordBatch, facts: ReadFacts) -> None:
    for name in batch.schema.names:
        if name not in facts.filled and batch[name].null_count < batch.num_rows:
            facts.filled.add(name)


def enough(facts: ReadFacts, rejections: Rejections) -> None:
    """Raise an Error where nothing was read, or too many records were rejected."""
    rejected = sum(rejections.counts.values())
    too_many = rejected > facts.request.rejected_max * (rejected + facts.rows)
    nameless = rejections.missing["account_id"]
    if (too_many or not facts.rows) and 2 * nameless > rejected:
        path = facts.adapter.DIALECT.principal_example or "PATH"
        raise Error(
            "no-principal",
            f"no account is named in {nameless} of {rejected + facts.rows} records",
            hint=f"map the field that names who called, such as --field account_id={path}"
            + (", or raise --rejected-max to go on without these records" if facts.rows else ""),
        )
    most = ", ".join(f"{reason} {count}" for reason, count in rejections.counts.most_common(3))
    first = rejections.first[rejections.counts.most_common(1)[0][0]] if rejected else None
    where = f"first in {first.file}, line {first.line}" + (f": {first.detail}" if first.detail else "") if first else ""
    if not facts.rows:
        raise Error(
            "no-events",
            f"no event could be read from {len(facts.files)} file(s)" + (f"; rejected: {most}" if most else ""),
            hint="see the formats that can be read with: stillwatch formats",
            where=where,
        )
    if too_many:
        raise Error(
            "too-many-rejected",
            f"{rejected} of {rejected + facts.rows} records were rejected ({most}), "
            f"more than the share of {facts.request.rejected_max:g} that is allowed",
            hint="check --format and --field, or raise --rejected-max",
            where=where,
        )
