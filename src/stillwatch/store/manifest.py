"""The manifest: which parts count, what was read already, and how far each stream was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from stillwatch.errors import Error
from stillwatch.store.place import Place, digest_of
from stillwatch.trace import TRACE_VERSION

STORE_VERSION = 1

MANIFESTS_KEPT_MAX = 16
"""Manifests that stay: the newest counts, the others tell what happened and let a slow reader finish."""

SOURCES_MAX = 50_000
"""Files remembered as read: a month of hourly files of sixty-nine hosts. Of more the first are forgotten; a forgotten
file that is read again costs its tracing, and its calls still count once."""

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

_NAME = re.compile(r"manifests/(\d{8})\.json")


class File(msgspec.Struct, frozen=True):
    """One file of a part: how long it is, and the digest of its bytes."""

    size_bytes: int
    digest: str


class Part(msgspec.Struct, frozen=True):
    """Calls of one hour, or of a closed day: a file of traces and a file of names, row for row.

    `name` is the path of both without their endings. `first_us` and `last_us` are the first and the last call.
    """

    name: str
    rows: int
    first_us: int
    last_us: int
    closed: bool
    traces: File
    names: File

    @property
    def day(self) -> str:
        return self.name.split("/")[1]

    @property
    def hour(self) -> int:
        """The hour of the part's first call, since 1970."""
        return self.first_us // HOUR_US

    @property
    def files(self) -> dict[str, File]:
        return {f"{self.name}{TRACES}": self.traces, f"{self.name}{NAMES}": self.names}

    @property
    def size_bytes(self) -> int:
        return self.traces.size_bytes + self.names.size_bytes


TRACES, NAMES = ".traces.parquet", ".names.parquet"
"""Endings of a part's two files. The second holds ids in clear."""


class AccountFile(msgspec.Struct, frozen=True):
    """The accounts' facts as pseudonyms and codes, a row of each; `filled` names the columns that any account fills."""

    name: str
    rows: int
    filled: tuple[str, ...]
    file: File


class Manifest(msgspec.Struct, frozen=True):
    """What a store holds. Nothing that is not named here counts.

    `sources` are digests of files that were read, each with a name for people; `positions` the next offset of each
    partition of a stream. Calls before `pruned_before_us` are not taken any more.
    """

    key_ident: str
    number: int = 0
    schema_version: int = STORE_VERSION
    trace_version: int = TRACE_VERSION
    parts: tuple[Part, ...] = ()
    sources: dict[str, str] = {}
    positions: dict[str, int] = {}
    pruned_before_us: int = 0
    accounts: AccountFile | None = None

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def newest_hour(self) -> int | None:
        """The hour of the newest call, since 1970."""
        return max((part.last_us for part in self.parts), default=-1) // HOUR_US if self.parts else None

    def closed_days(self) -> set[str]:
        return {part.day for part in self.parts if part.closed}

    def files(self) -> dict[str, File]:
        """Return every file that counts, by name."""
        named = {name: file for part in self.parts for name, file in part.files.items()}
        return named | ({self.accounts.name: self.accounts.file} if self.accounts else {})


class Change(msgspec.Struct, frozen=True):
    """What one commit changes.

    `positions_before` are those that the writer began with: somebody else who moved them meanwhile has read the same.
    """

    add: tuple[Part, ...] = ()
    remove: frozenset[str] = frozenset()
    sources: Mapping[str, str] = {}
    positions: Mapping[str, int] = {}
    positions_before: Mapping[str, int] = {}
    pruned_before_us: int = 0
    accounts: AccountFile | None = None
    accounts_before: str | None = None
    forget_sources: bool = False
    forget_accounts: bool = False


def manifest_moved() -> Error:
    """Say that another writer changed what a change rests on."""
    return Error(
        "store-moved",
        "another writer changed the same part of the store in the meantime",
        hint="run it again; nothing was changed by this run",
    )


def changed(manifest: Manifest, change: Change, number: int) -> Manifest:
    """Return the manifest after a change, under a new number.

    Raises:  Error store-moved where what the change rests on is no longer so.
    """
    held = {part.name: part for part in manifest.parts}
    moved = not change.remove <= held.keys()
    moved |= any(manifest.positions.get(at) != change.positions_before.get(at) for at in change.positions)
    if change.accounts:
        moved |= change.accounts_before != (manifest.accounts.name if manifest.accounts else None)
    if moved:
        raise manifest_moved()
    kept = {name: part for name, part in held.items() if name not in change.remove}
    kept |= {part.name: part for part in change.add}
    known = {} if change.forget_sources else manifest.sources
    sources = {digest: name for digest, name in known.items() if digest not in change.sources}
    sources |= change.sources
    return msgspec.structs.replace(
        manifest,
        number=number,
        parts=tuple(kept[name] for name in sorted(kept)),
        sources=dict(list(sources.items())[-SOURCES_MAX:]),
        positions=dict(sorted({**manifest.positions, **change.positions}.items())),
        pruned_before_us=max(manifest.pruned_before_us, change.pruned_before_us),
        accounts=None if change.forget_accounts else change.accounts or manifest.accounts,
    )


def name_of(number: int) -> str:
    """Return the file of a manifest."""
    return f"manifests/{number:08d}.json"


def numbers(place: Place) -> list[int]:
    """List the numbers of the manifests that are there, broken ones too."""
    found = (_NAME.fullmatch(name) for name in place.names("manifests"))
    return sorted(int(match[1]) for match in found if match)


def newest(place: Place) -> tuple[Manifest | None, int]:
    """Read the manifest with the highest number that is whole, None where there is none; and the highest number that is
    taken, by a whole one or not.

    Raises:  Error bad-store where manifests are there and none is whole, store-version.
    """
    there = numbers(place)
    for number in reversed(there):
        try:
            manifest = decoded(place.get(name_of(number)))
        except FileNotFoundError:
            continue
        if manifest is not None:
            return manifest, there[-1]
    if there:
        raise Error(
            "bad-store",
            "no manifest of the store is whole",
            hint="bring the folder `manifests` back from a copy, or ingest into a new store",
            where=place.url,
        )
    return None, 0


def write(place: Place, manifest: Manifest) -> bool:
    """Write a manifest under its number; False where another writer has taken that number."""
    return place.create(name_of(manifest.number), encoded(manifest))


def encoded(manifest: Manifest) -> bytes:
    """Return a manifest as its file has it: JSON on one line, and on the next the digest of the first."""
    body = msgspec.json.encode(manifest)
    return body + b"\n" + digest_of(body).encode() + b"\n"


def decoded(data: bytes) -> Manifest | None:
    """Read a manifest's file; None where it is not whole.

    Raises:  Error store-version where it is whole and another version's.
    """
    lines = data.split(b"\n")
    if len(lines) != 3 or digest_of(lines[0]).encode() != lines[1]:
        return None
    versions = msgspec.json.decode(lines[0], type=Versions)
    if (versions.schema_version, versions.trace_version) != (STORE_VERSION, TRACE_VERSION):
        raise Error(
            "store-version",
            f"the store has schema version {versions.schema_version} and traces of version {versions.trace_version}, "
            f"this program works with {STORE_VERSION} and {TRACE_VERSION}",
            hint="use the version of Stillwatch that wrote it, or ingest the logs into a new store",
        )
    return msgspec.json.decode(lines[0], type=Manifest)


class Versions(msgspec.Struct, frozen=True):
    """What is read of a manifest before it is known to be one of ours."""

    schema_version: int
    trace_version: int


def day_of(time_us: int) -> str:
    """Return the UTC day of a time, as 2026-03-02."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).date().isoformat()


def day_start_us(day: str) -> int:
    """Return the first microsecond of a UTC day."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


def overlapping(parts: Iterable[Part], start_us: int, end_us: int) -> list[Part]:
    """Return the parts that hold a call from `start_us` on and before `end_us`."""
    return [part for part in parts if part.first_us < end_us and part.last_us >= start_us]
