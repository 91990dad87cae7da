"""Keeping a store in order: retention, integrity, and files that nobody names any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.store import manifest as manifests
from stillwatch.store.closing import filtered_parts
from stillwatch.store.manifest import HOUR_US, TRACES, Change, File, Part
from stillwatch.store.parts import footer
from stillwatch.store.place import digest_of
from stillwatch.store.store import Store
from stillwatch.store.window import nothing_there

SPARED_S = 24 * 3600
"""Files that nobody names are left alone for so long after they were written: their commit may be on its way."""

Advance = Callable[[int, int], None]
"""Hears how many rows and bytes were looked at."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went: calls before `before_us`, and what the files took that were deleted."""

    before_us: int
    rows: int
    size_bytes: int
    parts: int


def prune(store: Store, keep_us: int) -> Pruned:
    """Remove the calls that are older than `keep_us` before the end of the newest hour, whole hours of them.

    First a manifest says so, then the files go. A closed day that is cut is written again without its earlier hours.

    Raises:  Error no-calls-in-window, store-moved.
    """
    newest = store.manifest.newest_hour
    if newest is None:
        raise nothing_there()
    before = ((newest + 1) * HOUR_US - keep_us) // HOUR_US * HOUR_US
    touched = [part for part in store.manifest.parts if part.first_us < before]
    kept = [made for part in touched if part.last_us >= before for made in filtered_parts(store, part, before)]
    if touched or before > store.manifest.pruned_before_us:
        gone = frozenset(part.name for part in touched)
        store.commit(Change(add=tuple(kept), remove=gone, pruned_before_us=before))
        store.discard(file for part in touched for file in part.files)
    rows = sum(part.rows for part in touched) - sum(part.rows for part in kept)
    size = sum(part.size_bytes for part in touched) - sum(part.size_bytes for part in kept)
    return Pruned(before, rows, size, len(touched) - len(kept))


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not what the manifest says, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `orphans` are files that no manifest names: left by a crash, or being written."""

    number: int
    files: int
    rows: int
    size_bytes: int
    faults: tuple[Fault, ...]
    orphans: tuple[str, ...]


def check(store: Store, advance: Advance) -> Checked:
    """Read every file of a store and compare it with the manifest. Raises:  Error store-unreadable."""
    manifest = store.refresh()
    faults = [
        Fault(manifests.name_of(number), "is not whole")
        for number in manifests.numbers(store.place)
        if number > manifest.number or manifests.decoded(store.place.get(manifests.name_of(number))) is None
    ]
    for part in manifest.parts:
        found = list(_faults_of(store, part))
        faults += found
        advance(part.rows, part.size_bytes)
    if manifest.accounts:
        faults += list(_bytes_differ(store, manifest.accounts.name, manifest.accounts.file))
    files = manifest.files()
    size = sum(file.size_bytes for file in files.values())
    return Checked(manifest.number, len(files), manifest.rows, size, tuple(faults), tuple(orphans(store)))


def orphans(store: Store) -> list[str]:
    """List the files of a store that its manifest does not name, manifests aside."""
    named = store.manifest.files().keys()
    there = [name for folder in ("parts", "accounts", "manifests") for name in store.place.names(folder)]
    whole = {manifests.name_of(number) for number in manifests.numbers(store.place)}
    return [name for name in there if name not in named and name not in whole]


def sweep(store: Store, now: datetime, spared_s: float = SPARED_S) -> list[str]:
    """Delete the files that no manifest names and that are older than `spared_s`; return their names."""
    store.refresh()
    gone = [name for name in orphans(store) if store.place.age_s(name, now) >= spared_s]
    store.discard(gone)
    return gone


def give_up(store: Store, faults: tuple[Fault, ...]) -> int:
    """Take the damaged parts out of the manifest, and broken manifests away; return how many parts.

    What was read is forgotten, so that the logs can be ingested again: calls that are there still count once.
    """
    damaged = {fault.file for fault in faults}
    lost = [part for part in store.manifest.parts if not damaged.isdisjoint(part.files)]
    accounts = store.manifest.accounts
    if lost or (accounts and accounts.name in damaged):
        store.commit(
            Change(
                remove=frozenset(part.name for part in lost),
                forget_sources=True,
                forget_accounts=bool(accounts and accounts.name in damaged),
            )
        )
        store.discard(file for part in lost for file in part.files)
    store.discard(name for name in damaged if name.startswith("manifests/"))
    return len(lost)


def _faults_of(store: Store, part: Part) -> Iterator[Fault]:
    for name, file in part.files.items():
        yield from _bytes_differ(store, name, file, part)


def _bytes_differ(store: Store, name: str, file: File, part: Part | None = None) -> Iterator[Fault]:
    """Say what is wrong with a file: that it is gone, of another length or digest, or holds other calls."""
    try:
        data = store.place.get(name)
    except FileNotFoundError:
        yield Fault(name, "is missing")
        return
    if len(data) != file.size_bytes:
        yield Fault(name, f"has {len(data)} bytes instead of {file.size_bytes}")
    elif digest_of(data) != file.digest:
        yield Fault(name, "has other bytes than were written")
    elif part is not None:
        yield from _rows_differ(name, data, part)


def _rows_differ(name: str, data: bytes, part: Part) -> Iterator[Fault]:
    read = pq.ParquetFile(pa.BufferReader(data))
    if read.metadata.num_rows != part.rows:
        yield Fault(name, f"has {read.metadata.num_rows} rows instead of {part.rows}")
    if name.endswith(TRACES):
        time = read.read(columns=["time_us"])["time_us"].to_numpy()
        if len(time) and (int(time.min()), int(time.max())) != (part.first_us, part.last_us):
            yield Fault(name, "has other times than the manifest says")


def contents(store: Store, columns: bool) -> dict[str, Any]:
    """Return what a store holds, as plain values: days with their calls and bytes, positions, and with `columns` what
    each column takes.

    Raises:  as `parts.read_calls`.
    """
    manifest = store.manifest
    days = []
    for day in sorted({part.day for part in manifest.parts}):
        parts = [part for part in manifest.parts if part.day == day]
        calls = sum(part.rows for part in parts)
        days.append(
            {
                "day": day,
                "calls": calls,
                "parts": len(parts),
                "late_parts": sum(not part.closed for part in parts) if any(part.closed for part in parts) else 0,
                "closed": any(part.closed for part in parts),
                "trace_bytes_per_call": round(sum(part.traces.size_bytes for part in parts) / calls, 2),
                "name_bytes_per_call": round(sum(part.names.size_bytes for part in parts) / calls, 2),
            }
        )
    said = {
        "manifest": manifest.number,
        "schema_version": manifest.schema_version,
        "trace_version": manifest.trace_version,
        "key_ident": manifest.key_ident,
        "calls": manifest.rows,
        "size_bytes": sum(file.size_bytes for file in manifest.files().values()),
        "accounts_known": manifest.accounts.rows if manifest.accounts else 0,
        "sources_count": len(manifest.sources),
        "positions": manifest.positions,
        "pruned_before": _moment(manifest.pruned_before_us) if manifest.pruned_before_us else None,
        "days": days,
    }
    return said | ({"columns": column_bytes(store)} if columns else {})


def column_bytes(store: Store) -> dict[str, float]:
    """Return what a call takes in each column of the traces, in bytes. Raises:  as `parts.read_calls`."""
    taken: Counter[str] = Counter()
    for part in store.manifest.parts:
        metadata = footer(store.place, part)
        for group in range(metadata.num_row_groups):
            for at in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(at)
                taken[chunk.path_in_schema.split(".")[0]] += chunk.total_compressed_size
    return {name: round(size / max(store.manifest.rows, 1), 3) for name, size in taken.items()}


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
