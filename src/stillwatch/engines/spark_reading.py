"""What a Spark task does with a part of the log: the one look at the text, and the second look at flagged calls.

A task reads files itself, by the adapters of one machine, so that a record is rejected for the same reason at the same
line; no text ever passes through Spark. Rows of a table that only Spark can read come to it as batches.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.adapters import canonical
from stillwatch.adapters.choice import adapter_named
from stillwatch.adapters.contract import LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.stretches import lines_before, stretches
from stillwatch.engines.spark_rows import spark_schema, to_spark
from stillwatch.errors import Error
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.semantic import Embedder
from stillwatch.kernels.tracer import TraceKeys, block_rows, trace_batch

PART_BYTES = 32 << 20
"""What one task reads, as far as the log can be cut: some seconds of work, lost where an executor dies."""

TRACE, BLOCK, NEWS = range(3)
"""Kinds of row that reading makes: a call; a reasoning block (its key stands in `item_key`, whether it was presented in
`status`); what the driver must hear, as JSON."""

TRACES = spark_schema(trace.TRACE_SCHEMA)
READ = pa.schema([*TRACES, pa.field("kind", pa.int8()), pa.field("news", pa.string())])
FOUND = pa.schema([("source", pa.int32()), ("part", pa.int32()), ("at", pa.int32()), ("payload", pa.binary())])

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a log, or a stretch of one: the `number`-th part of the `source`-th file.

    `before` are the rows before the stretch, None where its lines must be counted to know.
    """

    source: int
    number: int
    file: LogFile
    before: int | None = 0

    def in_file(self, rejected: list[Rejection]) -> list[Rejection]:
        """Return what was rejected in a stretch by its lines in the file."""
        if not rejected or self.before == 0:
            return rejected
        before = lines_before(self.file) if self.before is None else self.before
        return [replace(one, line=one.line + before) for one in rejected]


@dataclass(frozen=True, slots=True)
class How:
    """How a log is read: its dialect, what the user set, and the key of the run."""

    dialect: str
    settings: ReadSettings
    key: bytes = field(repr=False)
    semantic: str | None = None

    def events(self, part: Part, batches: Batches | None, reject: Reject) -> Batches:
        """Yield a part's events: of its file, or of a table's batches."""
        if batches is not None:
            return canonical.conformed(batches, part.file, self.settings, reject)
        return adapter_named(self.dialect).read(part.file, self.settings, reject)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Parts → rows of READ. `bins` are the parts of each task, or one part that is a table."""

    how: How
    bins: Sequence[Sequence[Part]]

    def run(self, batches: Batches) -> Batches:
        """Read the parts of the bins whose numbers come in."""
        for part in _parts(self.bins, batches):
            yield from self._read(part, None)

    def run_table(self, batches: Batches) -> Batches:
        """Read the rows that come in."""
        yield from self._read(self.bins[0][0], batches)

    def _read(self, part: Part, batches: Batches | None) -> Batches:
        keys = TraceKeys.derive(self.how.key)
        embedder = _embedder(self.how.semantic, self.how.key) if self.how.semantic else None
        filled: set[str] = set()
        rejected: list[Rejection] = []
        ended: Error | None = None
        try:
            for events in self.how.events(part, batches, rejected.append):
                filled |= {name for name in events.schema.names if events[name].null_count < events.num_rows}
                traced = trace_batch(events, keys, part.source, embedder)
                yield _row(TRACE, to_spark(traced))
                yield _block_rows(block_rows(events, traced, keys))
        except Error as error:
            ended = error
        yield _news(part, filled, part.in_file(rejected), ended)


@dataclass(frozen=True, slots=True)
class Match:
    """Parts → rows of FOUND: the events whose pseudonyms are among some (uint64[n] ascending), as Arrow streams."""

    how: How
    bins: Sequence[Sequence[Part]]
    wanted: np.ndarray

    def run(self, batches: Batches) -> Batches:
        """Look into the parts of the bins whose numbers come in."""
        for part in _parts(self.bins, batches):
            yield from self._find(part, None)

    def run_table(self, batches: Batches) -> Batches:
        """Look into the rows that come in."""
        yield from self._find(self.bins[0][0], batches)

    def _find(self, part: Part, batches: Batches | None) -> Batches:
        keys = TraceKeys.derive(self.how.key).identifiers
        for at, events in enumerate(self.how.events(part, batches, lambda rejection: None)):
            event = pseudonyms(events["event_id"], keys)
            place = np.minimum(np.searchsorted(self.wanted, event), len(self.wanted) - 1)
            rows = np.flatnonzero(self.wanted[place] == event)
            if len(rows):
                found = [[part.source], [part.number], [at], [packed(events.take(pa.array(rows)))]]
                yield pa.RecordBatch.from_arrays(
                    [pa.array(one, kind) for one, kind in zip(found, FOUND.types, strict=True)], schema=FOUND
                )


def parts_of(files: Sequence[LogFile], cut: bool) -> list[Part]:
    """Return the parts of a log: whole files, or stretches of those that can be cut."""
    found = []
    for source, file in enumerate(files):
        whole: list[tuple[LogFile, int | None]] = [(file, 0)]
        for number, (stretch, before) in enumerate(stretches(file, PART_BYTES) if cut else whole):
            found.append(Part(source, number, stretch, before))
    return found


def bins_of(parts: Sequence[Part]) -> list[list[Part]]:
    """Deal parts out to tasks, the largest first, each to the task with the least."""
    total = sum(part.file.size_bytes for part in parts)
    bins: list[list[Part]] = [[] for _ in range(min(len(parts), total // PART_BYTES + 1))]
    filled = [(0, at) for at in range(len(bins))]
    for part in sorted(parts, key=lambda part: (-part.file.size_bytes, part.source, part.number)):
        size, at = heapq.heappop(filled)
        bins[at].append(part)
        heapq.heappush(filled, (size + part.file.size_bytes, at))
    return bins


def packed(batch: pa.RecordBatch) -> bytes:
    """Return a batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpacked(payload: bytes) -> pa.RecordBatch:
    """Return the batch of an Arrow stream that `packed` made."""
    return pa.ipc.open_stream(payload).read_next_batch()


def _parts(bins: Sequence[Sequence[Part]], batches: Batches) -> Iterator[Part]:
    for batch in batches:
        for at in batch["id"].to_pylist():
            yield from bins[at]


@cache
def _embedder(folder: str, key: bytes) -> Embedder:
    return Embedder.load(Path(folder), key)


def _row(kind: int, rows: pa.RecordBatch, news: pa.Array | None = None) -> pa.RecordBatch:
    """Return rows of one kind as rows of READ, 0 where a column says nothing."""
    count = rows.num_rows
    columns = [rows[one.name] if one.name in rows.schema.names else _nothing(one.type, count) for one in TRACES]
    said = pa.nulls(count, pa.string()) if news is None else news
    return pa.RecordBatch.from_arrays([*columns, pa.array(np.full(count, kind, np.int8)), said], schema=READ)


def _nothing(kind: pa.DataType, count: int) -> pa.Array:
    return pa.array([b""] * count, kind) if pa.types.is_binary(kind) else pa.array(np.zeros(count), kind, safe=False)


def _block_rows(blocks: pa.RecordBatch) -> pa.RecordBatch:
    columns = {
        "item_key": blocks["block_key"].view(pa.int64()),
        "event_key": blocks["event_key"].view(pa.int64()),
        "account_key": blocks["account_key"].view(pa.int64()),
        "status": blocks["presented"].cast(pa.int32()),
    }
    return _row(BLOCK, pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)))


def _news(part: Part, filled: set[str], rejected: list[Rejection], ended: Error | None) -> pa.RecordBatch:
    """Return what the driver must hear of a part: each line begins with where it belongs."""
    place = [part.source, part.number]
    said: list[object] = [[*place, 0, "filled", sorted(filled)]]
    said += [[*place, at, "rejected", [one.file, one.line, one.reason, one.detail]] for at, one in enumerate(rejected)]
    if ended is not None:
        said.append([*place, len(rejected), "ended", [ended.ident, ended.message, ended.hint, ended.where]])
    empty = pa.RecordBatch.from_arrays([pa.array(np.zeros(len(said)), pa.int64(), safe=False)], names=["event_key"])
    return _row(NEWS, empty, pa.array([json.dumps(one) for one in said], pa.string()))


Hear = Callable[[str, list[object]], None]


def tell(news: Sequence[str], hear: Hear) -> None:
    """Give news to `hear` by kind, in the order in which one machine would have met them."""
    # Tasks that read one table count their rows apart: among equals what was said decides.
    for _, _, _, kind, said in sorted(map(json.loads, news), key=lambda one: (one[:4], json.dumps(one[4]))):
        hear(kind, said)
