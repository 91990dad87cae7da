"""A log that a cluster reads: files by the adapters in tasks, tables by Spark itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.adapters import canonical, choice
from stillwatch.adapters.choice import Choice
from stillwatch.adapters.contract import LogFile, Rejection
from stillwatch.adapters.source import list_files
from stillwatch.engines.contract import Progress, Read, RunRequest
from stillwatch.engines.reading import ReadFacts, Rejections, enough
from stillwatch.engines.spark import Spark
from stillwatch.engines.spark_reading import (
    FOUND,
    NEWS,
    READ,
    TRACE,
    How,
    Match,
    Part,
    Sketch,
    bins_of,
    parts_of,
    tell,
    unpacked,
)
from stillwatch.engines.spark_session import Cluster
from stillwatch.errors import Error

TABLE = "spark:"
"""How an input begins that is a table of Spark's, as in `spark:lake.logs.calls`."""

NEWS_MAX = 2_000_000
"""Rejected records that the driver lists: 500 MB while they are put in order."""

FLAGGED_MAX = 4_000_000
"""Flagged calls that are looked for in one go: 32 MB, which every task is sent."""


DAMAGED = '"file-damaged"'
"""What the news says of a part whose file cannot be read to its end."""


@dataclass(slots=True)
class SparkLog:
    """What a run reads, by source: files by their place in the sorted list, and behind them tables."""

    cluster: Cluster
    request: RunRequest
    files: list[LogFile]
    parts: list[Part]
    how: How

    @staticmethod
    def of(cluster: Cluster, request: RunRequest, files: list[LogFile]) -> tuple[SparkLog, Choice]:
        """Choose how a log is read, and what each task reads of it."""
        if files[0].uri.startswith(TABLE):
            chosen = Choice(canonical, "a table is read by the names of its columns")
        else:
            chosen = choice.choose(files, request.format)
        semantic = str(request.semantic) if request.semantic else None
        how = How(chosen.adapter.DIALECT.ident, request.read, request.key, semantic)
        # The rows of the canonical table stand for themselves; other dialects join lines.
        parts = parts_of(files, cut=chosen.adapter is canonical)
        return SparkLog(cluster, request, files, parts, how), chosen

    def read(self, chosen: Choice, rejections: Rejections, progress: Progress) -> ReadFacts:
        """Sketch the log on the cluster, for the view `read_log`.

        Raises:  Error where no row could be read or too many were rejected, and whatever ended a task's reading.
        """
        progress.note(f"reading as {chosen.adapter.DIALECT.ident}: {chosen.reason}")
        self.cluster.keep("read_log", self._over(Sketch, READ, self.parts))
        facts = ReadFacts(self.request, chosen.adapter, chosen.reason, tuple(self.files), np.zeros(0, dtype=np.uint8))
        counts = self.cluster.fetch(self.cluster.sql("SELECT kind, count(*) AS count FROM read_log GROUP BY kind"))
        rows = Counter(dict(zip(counts["kind"].to_pylist(), counts["count"].to_pylist(), strict=True)))
        facts.rows = rows[TRACE]
        progress.advance(facts.rows, sum(file.size_bytes for file in self.files))
        if rows[NEWS] > NEWS_MAX:
            raise Error("too-many-rejected", f"{rows[NEWS]} records were rejected", hint="check --format and --field")

        def hear(kind: str, said: list[Any]) -> None:
            if kind == "filled":
                facts.filled.update(said)
            elif kind == "rejected":
                rejections(Rejection(*said))
            else:
                raise Error.told(*said)

        news = self.cluster.fetch(self.cluster.sql(f"SELECT news FROM read_log WHERE kind = {NEWS}"))[
            "news"
        ].to_pylist()
        if len(self.parts) > len(self.files) and any(DAMAGED in one for one in news):
            # One machine reads a damaged file as far as the damage goes, and stretches know nothing of each other.
            self.parts = parts_of(self.files, cut=False)
            return self.read(chosen, rejections, progress)
        tell(news, hear)
        enough(facts, rejections)
        return facts

    def flagged_events(self, events: np.ndarray, sources: np.ndarray) -> Iterator[pa.RecordBatch]:
        """Yield the events with these pseudonyms (uint64[n] ascending) where they were read, in the log's order."""
        for chosen in _slices(sources):
            wanted = events[np.isin(sources, sorted(chosen))]
            parts = [part for part in self.parts if part.source in chosen]
            found = self._over(Match, FOUND, parts, wanted)
            kept = self.cluster.keep("found", found)
            for row in kept.orderBy("source", "part", "at").toLocalIterator():
                yield unpacked(bytes(row["payload"]))

    def _over(self, task: Any, schema: pa.Schema, parts: Sequence[Part], *given: Any) -> Any:
        """Return what a task makes of all parts."""
        if not self.files[0].uri.startswith(TABLE):
            bins = bins_of(parts)
            return self.cluster.over(len(bins), task(self.how, bins, *given), schema)
        whole = None
        for part in parts:
            frame = self.cluster.table(part.file.uri.removeprefix(TABLE))
            columns = [name for name in canonical.sources(self.request.read).values() if name in frame.columns]
            reader = _OfTable(task(self.how, [[part]], *given))
            made = self.cluster.map(frame.select(*columns), reader, schema)
            whole = made if whole is None else whole.union(made)
        return whole


@dataclass(slots=True)
class SparkSource:
    """A log that a cluster reads; the small end of the run lies in `work`."""

    cluster: Cluster
    request: RunRequest
    work: Path
    log: SparkLog | None = None

    def inputs(self) -> list[LogFile]:
        """List files and tables: a table is a file of unknown size.

        Raises:  what `list_files` raises; Error `mixed-inputs`.
        """
        tables = sorted({text for text in self.request.events if text.startswith(TABLE)})
        if tables and len(tables) < len(set(self.request.events)):
            raise Error(
                "mixed-inputs",
                "some inputs are tables and some are files",
                hint="read tables in one run and files in another, or make a table of the files",
            )
        return [LogFile(text, 0) for text in tables] or list_files(self.request.events)

    def read(self, files: list[LogFile], rejections: Rejections, progress: Progress) -> ReadFacts:
        """Sketch the log."""
        self.log, chosen = SparkLog.of(self.cluster, self.request, files)
        return self.log.read(chosen, rejections, progress)

    def engine(self, read: Read) -> Spark:
        """Return the engine over what was read."""
        assert self.log is not None
        return Spark(self.cluster, self.log, self.work)


@dataclass(frozen=True, slots=True)
class _OfTable:
    """A task that is given the rows of a table."""

    task: Any

    def run(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.task.run_table(batches)  # type: ignore[no-any-return]


def _slices(sources: np.ndarray) -> Iterator[set[int]]:
    """Yield sources in groups that have FLAGGED_MAX flagged calls at most, or are one source."""
    group: set[int] = set()
    calls = 0
    for source, count in zip(*np.unique(sources, return_counts=True), strict=True):
        if group and calls + count > FLAGGED_MAX:
            yield group
            group, calls = set(), 0
        group.add(int(source))
        calls += int(count)
    if group:
        yield group
