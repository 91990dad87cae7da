"""Write a simulated world to disk, in any dialect, with its truth beside it."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import Error
from stillwatch.lab.world import TRUTH_CALL_SCHEMA, World

DIALECTS = ("canonical", "otel", "litellm", "bedrock", "gateway", "raw-pairs")

TRUTH_ROWS = 65_536

CALLERS_BATCHES = 256
"""Batches whose callers are noted before repeats are dropped."""


class Progress(Protocol):
    """Who is told how far the writing is."""

    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def note(self, text: str) -> None: ...


class Writer(Protocol):
    """A module of `lab/writers`."""

    def write(self, batches: Iterable[pa.RecordBatch], out: Path) -> None: ...


def write_world(world: World, out: Path, dialect: str, progress: Progress) -> None:
    """Write events, accounts and truth below `out`; it appears whole or not at all.

    Raises:  Error("out-not-empty"), Error("unknown-dialect").
    """
    writer = _writer(dialect)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Error("out-not-empty", "the output folder is not empty", hint="name a new folder or empty this one")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        _write_parts(world, partial, writer, progress)
        partial.chmod(0o755)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write_parts(world: World, folder: Path, writer: Writer, progress: Progress) -> None:
    (folder / "events").mkdir()
    (folder / "truth").mkdir()
    _write_accounts(world.accounts(), folder / "accounts.jsonl")
    pq.write_table(world.truth_accounts(), folder / "truth" / "accounts.parquet", compression="zstd")
    progress.begin("simulate", None)
    rows = 0
    callers = _Callers()
    with pq.ParquetWriter(folder / "truth" / "calls.parquet", TRUTH_CALL_SCHEMA, compression="zstd") as told:

        def events() -> Iterator[pa.RecordBatch]:
            nonlocal rows
            for batch in _noting_truth(world, told, callers):
                rows += batch.num_rows
                yield batch
                progress.advance(batch.num_rows, batch.nbytes)

        writer.write(events(), folder / "events")
    pq.write_table(pa.table({"account_id": callers.distinct()}), folder / "truth" / "callers.parquet")
    progress.note(f"simulated {rows:,} calls of {world.accounts_count:,} accounts")


class _Callers:
    """Which accounts called, in the order of their first call."""

    def __init__(self) -> None:
        self._seen: list[pa.Array] = []

    def add(self, accounts: pa.Array) -> None:
        self._seen.append(accounts.unique())
        if len(self._seen) >= CALLERS_BATCHES:
            self._seen = [self.distinct()]

    def distinct(self) -> pa.Array:
        return pa.concat_arrays([pa.array([], pa.string()), *self._seen]).unique()


def _noting_truth(world: World, told: pq.ParquetWriter, callers: _Callers) -> Iterator[pa.RecordBatch]:
    """Pass the events on, note who called, and write which calls are a campaign's in groups of a sensible size."""
    held: list[pa.RecordBatch] = []
    for chunk in world.chunks():
        held.append(chunk.truth)
        callers.add(chunk.events.column("account_id"))
        if sum(batch.num_rows for batch in held) >= TRUTH_ROWS:
            told.write_table(pa.Table.from_batches(held))
            held = []
        yield chunk.events
    if held:
        told.write_table(pa.Table.from_batches(held))


def _write_accounts(accounts: pa.Table, path: Path) -> None:
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for batch in accounts.to_batches(max_chunksize=16_384):
            rows = ({k: v for k, v in row.items() if v is not None} for row in batch.to_pylist())
            file.write(encoder.encode_lines(rows))


def _writer(dialect: str) -> Writer:
    if dialect not in DIALECTS:
        raise Error("unknown-dialect", "there is no dialect of that name", hint=f"choose one of {', '.join(DIALECTS)}")
    module = importlib.import_module(f"stillwatch.lab.writers.{dialect.replace('-', '_')}")
    return cast(Writer, module)
