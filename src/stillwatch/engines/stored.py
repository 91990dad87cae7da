"""A window of a store → traces on disk and the table of shared shingle slots, as reading a log leaves them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines.contract import Progress, RunRequest
from stillwatch.engines.reading import TraceWriter
from stillwatch.errors import Error
from stillwatch.kernels.sharing import TABLE_BITS, mark_accounts
from stillwatch.store.calls import shingles_of
from stillwatch.store.manifest import STORE_VERSION, Part, overlapping
from stillwatch.store.parts import filled_of
from stillwatch.store.store import Store
from stillwatch.store.window import Window, named_calls, nothing_there, window_traces

READ_TRIES_MAX = 3
"""Times that a window is read again because its parts were replaced meanwhile; closing takes longer than reading."""


@dataclass(slots=True)
class StoredFacts:
    """What reading a window of a store learnt: as engines.reading.ReadFacts, of a store instead of a log."""

    request: RunRequest
    store: Store
    start_us: int
    until_us: int
    number: int
    table: np.ndarray
    rows: int = 0
    filled: set[str] = field(default_factory=set)
    dialect: str = "store"
    reason: str = "traces that were kept, without their texts"
    has_text: bool = False

    def hand_over(self) -> np.ndarray:
        """Return the table and keep it no longer: who needs it last gives its memory back."""
        table, self.table = self.table, np.zeros(0, dtype=np.uint8)
        return table

    def again(self, sources: frozenset[int], events: np.ndarray, times_us: np.ndarray) -> Iterator[pa.RecordBatch]:
        """Yield the names of flagged calls. Parts that were replaced meanwhile hold the same calls under new names."""
        for _ in range(READ_TRIES_MAX):
            manifest = self.store.refresh()
            try:
                yield from named_calls(self.store.place, manifest, events, times_us)
                return
            except FileNotFoundError:
                continue
        raise _moving(self.store)

    def account_rows(self, given: Path) -> set[str]:
        """Add the accounts' facts that the store keeps to those that were given; return the columns that they fill."""
        held = self.store.manifest.accounts
        if held is None:
            return set()
        kept = pq.read_table(pa.BufferReader(self.store.place.get(held.name)))
        pq.write_table(pa.concat_tables([pq.read_table(given), kept]), given)
        return set(held.filled)

    def facts(self) -> dict[str, object]:
        """Return what `run.json` says of the store."""
        return {"schema_version": STORE_VERSION, "manifest": self.number}


def read_store(request: RunRequest, key_ident: str, traces: Path, progress: Progress) -> StoredFacts:
    """Turn a window of the request's store into trace files and the table of shared shingle slots.

    Raises:  Error no-such-store, store-key, store-version, no-calls-in-window, store-moved, part-damaged.
    """
    assert request.store is not None
    store = Store.open(request.store, key_ident)
    window = request.window or Window()
    for _ in range(READ_TRIES_MAX):
        start, until = window.bounds(store.manifest)
        parts = overlapping(store.manifest.parts, start, until)
        table = np.zeros(1 << TABLE_BITS, dtype=np.uint8)
        facts = StoredFacts(request, store, start, until, store.manifest.number, table)
        progress.note(f"reading {len(parts)} parts of the store's manifest {store.manifest.number}")
        try:
            _read_parts(facts, parts, traces, progress)
        except FileNotFoundError:
            for file in traces.glob("traces-*.parquet"):
                file.unlink()
            store.refresh()
            continue
        if not facts.rows:
            raise nothing_there()
        return facts
    raise _moving(store)


def _read_parts(facts: StoredFacts, parts: list[Part], traces: Path, progress: Progress) -> None:
    writer = TraceWriter(traces)
    lock = threading.Lock()
    place = facts.store.place

    def work(part: Part) -> tuple[int, set[str]]:
        rows = 0
        for batch, blocks in window_traces(place, part, facts.start_us, facts.until_us):
            writer.add(batch, blocks)
            shingles, accounts = shingles_of(batch), batch["account_key"].to_numpy()
            with lock:
                mark_accounts(shingles, accounts, facts.table)
            rows += batch.num_rows
        return rows, filled_of(place, part) if rows else set()

    try:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            working = {pool.submit(work, part): part for part in parts}
            for done in as_completed(working):
                rows, filled = done.result()
                facts.rows += rows
                facts.filled |= filled
                progress.advance(rows, working[done].traces.size_bytes)
    finally:
        writer.close()


def _moving(store: Store) -> Error:
    return Error(
        "store-moved",
        f"parts of the store were replaced {READ_TRIES_MAX} times while they were read",
        hint="run it again when fewer writers work on the store",
        where=store.place.url,
    )
