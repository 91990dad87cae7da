"""The order of an ingest: pass over known files, trace calls on all cores, write hours, commit, close days."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.adapters import choice
from stillwatch.adapters.accounts import account_batches
from stillwatch.adapters.contract import LogFile, ReadSettings
from stillwatch.adapters.source import list_files
from stillwatch.adapters.streams import CHUNK_BYTES, open_raw
from stillwatch.engines.accounts import best_rows, write_account_rows
from stillwatch.engines.contract import Progress, RunRequest
from stillwatch.engines.memory import keep_no_large_blocks, release
from stillwatch.engines.reading import IN_FLIGHT_MAX, Meter, ReadFacts, Rejections, enough
from stillwatch.errors import Error
from stillwatch.kernels.tracer import TraceKeys
from stillwatch.pseudonym import UNKEYED, key_ident
from stillwatch.store.calls import calls_of, filled_hours
from stillwatch.store.closing import close_days, days_due, left_to_others, merge_hours
from stillwatch.store.hours import HourSorter
from stillwatch.store.manifest import HOUR_US, AccountFile, Change, File
from stillwatch.store.parts import write_part
from stillwatch.store.place import digest_of
from stillwatch.store.store import Store

COMMIT_BYTES = 256 << 20
"""Files are committed together until they have so many bytes: small files make few parts, and a crash costs little."""


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What an ingest is asked. `rejected` is where bad records are listed, if there are any; `close` says whether days
    that are old enough are closed afterwards.
    """

    events: tuple[str, ...]
    store: str
    rejected: Path
    accounts: tuple[str, ...] = ()
    format: str = "auto"
    rejected_max: float = 0.01
    read: ReadSettings = field(default_factory=ReadSettings)
    key: bytes = UNKEYED
    close: bool = True


@dataclass(slots=True)
class IngestOutcome:
    """What an ingest did. `too_old_count` are calls from before what was pruned, which are not taken again."""

    manifest_number: int = 0
    files_count: int = 0
    known_files_count: int = 0
    events_count: int = 0
    too_old_count: int = 0
    rejected_count: int = 0
    days_closed: int = 0


def ingest(request: IngestRequest, progress: Progress) -> IngestOutcome:
    """Fold log files into a store, each once by its content, and close the days that are old enough.

    Each group of files (COMMIT_BYTES) is a commit of its own: what an error or a crash ends stays as it was after the
    last of them.

    Raises:  Error where no log can be read, too many records are rejected, or the store is another key's or version's.
    """
    keep_no_large_blocks()
    outcome = IngestOutcome()
    files = list_files(request.events) if request.events else []
    store = Store.open(request.store, key_ident(request.key), create=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        rejected = Path(folder) / "rejected.jsonl"
        rejections = Rejections(stack.enter_context(rejected.open("w")))
        if files:
            begun = time.perf_counter()
            progress.begin("ingest", sum(file.size_bytes for file in files))
            fold_files(store, request, files, rejections, outcome, progress)
            progress.end("ingest", time.perf_counter() - begun, outcome.events_count)
        if request.accounts:
            _fold_accounts(store, request, rejections, Path(folder))
        stack.close()
        outcome.rejected_count = sum(rejections.counts.values())
        if outcome.rejected_count:
            request.rejected.write_bytes(rejected.read_bytes())
    if request.close:
        for day in days_due(store):
            with left_to_others():
                outcome.days_closed += close_days(store, [day], progress.note)
    outcome.manifest_number = store.manifest.number
    return outcome


def fold_in(
    store: Store,
    batches: Iterable[pa.RecordBatch],
    key: bytes,
    sources: Mapping[str, str] | None = None,
    positions: Mapping[str, int] | None = None,
) -> int:
    """Trace batches of events, write their hours' parts and commit them with sources and positions in one step.

    Calls before what was pruned are not taken. Where `batches` raises, nothing is changed.

    Returns: how many calls were taken, repeats among them too.
    Raises:  Error store-key, store-moved, and what `Store.commit` raises.
    """
    if key_ident(key) != store.manifest.key_ident:
        raise Error("store-key", "the store was made with another key", where=store.place.url)
    before = dict(store.manifest.positions)
    floor = store.manifest.pruned_before_us
    with tempfile.TemporaryDirectory() as folder:
        sorter = HourSorter(Path(folder))
        _trace(batches, TraceKeys.derive(key), floor, sorter)
        number = store.manifest.number + 1
        parts = [
            write_part(store.place, calls, sorter.filled[hour], number, closed=False)
            for hour in sorter.hours()
            for calls in sorter.take(hour)
        ]
    change = Change(
        add=tuple(parts), sources=dict(sources or {}), positions=dict(positions or {}), positions_before=before
    )
    if parts or change.sources or any(before.get(at) != offset for at, offset in change.positions.items()):
        store.commit(change)
        merge_hours(store)
    release()
    return sorter.rows


def _trace(batches: Iterable[pa.RecordBatch], keys: TraceKeys, floor_us: int, sorter: HourSorter) -> None:
    """Turn events into calls on all cores, and give them to the sorter in their order."""

    def work(events: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[int, set[str]]]:
        hours = events["time"].cast(pa.int64()).to_numpy() // HOUR_US
        return calls_of(events, keys), filled_hours(events, hours)

    waiting: deque[Future[tuple[pa.RecordBatch, dict[int, set[str]]]]] = deque()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for batch in batches:
            events = _from(batch, floor_us)
            if events.num_rows:
                waiting.append(pool.submit(work, events))
            if len(waiting) >= IN_FLIGHT_MAX:
                sorter.add(*waiting.popleft().result())
        while waiting:
            sorter.add(*waiting.popleft().result())


def _from(events: pa.RecordBatch, floor_us: int) -> pa.RecordBatch:
    time = events["time"].cast(pa.int64()).to_numpy()
    return events if floor_us <= 0 or not (time < floor_us).any() else events.filter(pa.array(time >= floor_us))


def fold_files(
    store: Store,
    request: IngestRequest,
    files: list[LogFile],
    rejections: Rejections,
    outcome: IngestOutcome,
    progress: Progress,
) -> None:
    """Fold files that are not known yet into a store, and add to `outcome` what came of them. Raises:  as `ingest`."""
    fresh: dict[str, LogFile] = {}
    for file in files:
        digest = content_digest(file)
        if digest in store.manifest.sources or digest in fresh:
            outcome.known_files_count += 1
            progress.advance(0, file.size_bytes)
        else:
            fresh[digest] = file
    if not fresh:
        return
    chosen = choice.choose(list(fresh.values()), request.format)
    progress.note(f"reading as {chosen.adapter.DIALECT.ident}: {chosen.reason}")
    asked = RunRequest(request.events, Path(), rejected_max=request.rejected_max)
    facts = ReadFacts(asked, chosen.adapter, chosen.reason, tuple(fresh.values()), np.zeros(0, dtype=np.uint8))
    for group in _groups(fresh):

        def batches(group: dict[str, LogFile] = group) -> Iterator[pa.RecordBatch]:
            for file in group.values():
                meter = Meter(file.size_bytes)
                for batch in chosen.adapter.read(replace(file, on_read=meter.add), request.read, rejections):
                    facts.rows += batch.num_rows
                    yield batch
                    progress.advance(batch.num_rows, meter.news())
                progress.advance(0, meter.rest())
            enough(facts, rejections)

        read_before = facts.rows
        names = {digest: file.uri.rstrip("/").rpartition("/")[2] for digest, file in group.items()}
        rows = fold_in(store, batches(), request.key, names)
        outcome.files_count += len(group)
        outcome.events_count += rows
        outcome.too_old_count += facts.rows - read_before - rows


def _groups(files: Mapping[str, LogFile]) -> Iterator[dict[str, LogFile]]:
    """Part files into groups that are committed together."""
    group: dict[str, LogFile] = {}
    size = 0
    for digest, file in files.items():
        group[digest] = file
        size += file.size_bytes
        if size >= COMMIT_BYTES:
            yield group
            group, size = {}, 0
    if group:
        yield group


def content_digest(file: LogFile) -> str:
    """Return the digest by which a file is known again, wherever it lies. Raises:  Error input-vanished."""
    digest = hashlib.blake2b(digest_size=16)
    with open_raw(file) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _fold_accounts(store: Store, request: IngestRequest, rejections: Rejections, folder: Path) -> None:
    """Keep the best row of each account, of those that the store has and those that are given."""
    path = folder / "accounts.parquet"
    filled = write_account_rows(account_batches(list_files(request.accounts), rejections), path, request.key)
    given = pq.read_table(path)
    held = store.manifest.accounts
    if held is not None:
        given = pa.concat_tables([given, account_rows_of(store)])
        filled |= set(held.filled)
    best = best_rows(given)
    sink = pa.BufferOutputStream()
    pq.write_table(best, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    data = sink.getvalue().to_pybytes()
    if held is not None and held.file.digest == digest_of(data):
        return
    name = f"accounts/{store.manifest.number + 1:08d}-{digest_of(data)}.parquet"
    store.place.put(name, data)
    now = AccountFile(name, len(best), tuple(sorted(filled)), File(len(data), digest_of(data)))
    store.commit(Change(accounts=now, accounts_before=held.name if held else None))
    if held is not None:
        store.discard([held.name])


def account_rows_of(store: Store) -> pa.Table:
    """Read the accounts' facts that a store keeps (accounts.ACCOUNT_ROWS_SCHEMA); the store must have some."""
    held = store.manifest.accounts
    assert held is not None
    return pq.read_table(pa.BufferReader(store.place.get(held.name)))
