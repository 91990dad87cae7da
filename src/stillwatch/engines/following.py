"""Sources that go on → a store: folders looked at again and again, topics read on from the store's own positions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

from stillwatch.adapters import choice
from stillwatch.adapters.contract import Adapter, LogFile, ReadSettings
from stillwatch.adapters.growing import Looks
from stillwatch.adapters.kafka import Taken, Topic, is_topic
from stillwatch.engines.contract import Progress
from stillwatch.engines.ingest import IngestOutcome, IngestRequest, fold_files, fold_in
from stillwatch.engines.output import write_json
from stillwatch.engines.reading import Rejections
from stillwatch.errors import Error
from stillwatch.pseudonym import UNKEYED
from stillwatch.store.closing import OPEN_HOURS, close_days, days_due
from stillwatch.store.manifest import HOUR_US, day_of
from stillwatch.store.store import Store

LOOKS = "files.json"
REJECTED, REJECTED_EARLIER = "rejected.jsonl", "rejected.earlier.jsonl"

REJECTED_BYTES_MAX = 100_000_000
"""A million bad records: what is longer is put aside, and what was aside before goes."""

TAKES_MAX = 20
"""Takes of a topic before detection has its turn: ten million calls, what an hour of a large provider brings."""

REJECTED_MIN = 100
"""Bad messages before their share can end the reading of a topic: of few messages a share says nothing."""

WAITING = frozenset({"input-vanished", "input-unreadable", "no-such-input"})
"""Errors of files that another look may not meet. Any other one of a file is its content's, and comes until that
changes."""


@dataclass(frozen=True, slots=True)
class FollowRequest:
    """What is followed, and into which store: `sources` are folders, globs and topics; `out` keeps what was taken."""

    sources: tuple[str, ...]
    store: str
    out: Path
    format: str = "auto"
    rejected_max: float = 0.01
    read: ReadSettings = field(default_factory=ReadSettings)
    key: bytes = UNKEYED
    kafka: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Stream:
    """A topic that is followed, the adapter that its first messages chose, and how many of its messages were bad."""

    topic: Topic
    adapter: Adapter | None = None
    rows: int = 0
    rejected: int = 0


class Follower:
    """Takes from the sources whatever is there, into the store."""

    def __init__(self, request: FollowRequest, store: Store, progress: Progress) -> None:
        self._request, self._store, self._progress = request, store, progress
        self._paths = tuple(source for source in request.sources if not is_topic(source))
        self._looks = _load_looks(request.out / LOOKS)
        self._stack = ExitStack()
        self._turns: list[Callable[[], int]] = []
        for source in sorted({*request.sources} - {*self._paths}):
            topic = Topic.open(source, request.kafka)
            self._stack.callback(topic.close)
            self._turns.append(partial(self._look_at, _Stream(topic)))

    def close(self) -> None:
        """Leave the brokers."""
        self._stack.close()

    def look(self, now_s: float, patience_s: float, report: Callable[[Error], None]) -> int:
        """Take what is there and close the store's days that are due; return how many calls were taken.

        Files whose content is refused are reported and left until they change. A source that fails keeps no other from
        its turn: the first failure is raised after all of them, the others are reported.

        Raises:  Error where a source or the store cannot be read or written.
        """
        self._store.refresh()
        self._put_rejected_aside()
        rows, failed = 0, list[Error]()
        files: Callable[[], int] = partial(self._look_at_files, now_s, patience_s, report)
        for turn in (files, *self._turns):
            try:
                rows += turn()
            except Error as error:
                failed.append(error)
        close_days(self._store, self._days_due(now_s), self._progress.note)
        for another in failed[1:]:
            report(another)
        if failed:
            raise failed[0]
        return rows

    def _days_due(self, now_s: float) -> list[str]:
        """List the days to close. By the clock, too, they must be over: one call from the future makes none due."""
        limit = day_of(int(now_s * 1e6) - OPEN_HOURS * HOUR_US)
        return [day for day in days_due(self._store) if day < limit]

    def _put_rejected_aside(self) -> None:
        listed = self._request.out / REJECTED
        if listed.exists() and listed.stat().st_size > REJECTED_BYTES_MAX:
            listed.replace(listed.with_name(REJECTED_EARLIER))

    def _look_at_files(self, now_s: float, patience_s: float, report: Callable[[Error], None]) -> int:
        ready = self._looks.look(self._paths, now_s, patience_s)
        if not ready:
            return 0
        rows, refused = self._fold_what_can([file for file in ready if file.size_bytes])
        for one in refused:
            report(one)
        for file in ready:
            self._looks.take(file, now_s)
        write_json(self._request.out / LOOKS, self._looks.taken)
        return rows

    def _fold_what_can(self, files: list[LogFile]) -> tuple[int, list[Error]]:
        """Fold files together, or one by one where one among them is refused; return the calls and the refusals.

        Raises:  Error where the reason is not what a file holds.
        """
        try:
            return self._fold(files), []
        except Error as error:
            if error.ident in WAITING or error.ident.startswith("store-"):
                raise
            if len(files) == 1:
                return 0, [error]
        # What was folded before the bad one is known by its digest and passed over.
        each = [self._fold_what_can([file]) for file in files]
        return sum(rows for rows, _ in each), [error for _, refused in each for error in refused]

    def _fold(self, files: list[LogFile]) -> int:
        if not files:
            return 0
        request = self._request
        asked = IngestRequest(
            (), request.store, request.out / REJECTED, (), request.format, request.rejected_max, request.read,
            request.key,
        )  # fmt: skip
        outcome = IngestOutcome()
        self._progress.begin("ingest", sum(file.size_bytes for file in files))
        with (request.out / REJECTED).open("a") as stream:
            fold_files(self._store, asked, files, Rejections(stream), outcome, self._progress)
        self._progress.end("ingest", 0.0, outcome.events_count)
        return outcome.events_count

    def _look_at(self, stream: _Stream) -> int:
        rows = 0
        for _ in range(TAKES_MAX):
            taken = stream.topic.take(self._store.manifest.positions, self._progress.note)
            if taken is None:
                break
            rows += self._fold_messages(stream, taken)
            # What was taken is durable; the broker is told last, and nobody reads what it is told.
            stream.topic.commit(taken)
            if not taken.full:
                break
        return rows

    def _fold_messages(self, stream: _Stream, taken: Taken) -> int:
        with (self._request.out / REJECTED).open("a") as lines, taken.as_file() as file:
            rejections = Rejections(lines)

            def batches() -> Iterator[pa.RecordBatch]:
                taken.reject_empty(rejections)
                if any(taken.lines):
                    stream.adapter = stream.adapter or choice.choose([file], self._request.format).adapter
                    for batch in stream.adapter.read(file, self._request.read, taken.rejecting(file, rejections)):
                        stream.rows += batch.num_rows
                        yield batch
                stream.rejected += sum(rejections.counts.values())
                _few_rejected(stream, taken.source, self._request.rejected_max)

            return fold_in(self._store, batches(), self._request.key, positions=taken.positions)


def _few_rejected(stream: _Stream, source: str, rejected_max: float) -> None:
    every = stream.rejected + stream.rows
    if stream.rejected >= REJECTED_MIN and stream.rejected > rejected_max * every:
        raise Error(
            "too-many-bad-messages",
            f"{stream.rejected} of {every} messages were rejected, more than the share of {rejected_max:g} that is "
            "allowed; the last ones were not taken",
            hint="check --format and --field, or raise --rejected-max",
            where=source,
        )


def _load_looks(path: Path) -> Looks:
    """Read which files were taken, and how large they were; nothing where that is not known: they are read again."""
    try:
        taken = json.loads(path.read_text())
    except (OSError, ValueError):
        return Looks()
    return Looks({str(uri): int(size) for uri, size in taken.items()})
