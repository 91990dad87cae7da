"""The file of a snapshot: a head in JSON, aligned columns, and a signature over a digest of both.

    header   32 bytes: magic, version, bytes of the head, of everything that is signed, and of the tail
    head     JSON: when, until when, under which key, what is in it, and where each column lies
    columns  little-endian, each at a multiple of ALIGNED
    tail     JSON: an Ed25519 signature over the BLAKE2b digest of all that stands before it

A file is read once from end to end when it is opened, and held in memory from then on: what was verified is what is in
force, even where somebody writes over the file in its place. Rename another over it, so that nobody reads half of one.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import Error
from stillwatch.evidence import signing

MAGIC = b"SWATCHSN"
SNAPSHOT_VERSION = 1
PURPOSE = f"snapshot {SNAPSHOT_VERSION}"

HEADER = struct.Struct("<8sIIQII")
"""Magic, version, bytes of the head, bytes that are signed, bytes of the tail, and 0."""

ALIGNED = 64
"""A line of the processor's cache: no element of a column straddles two."""

HEAD_BYTES_MAX = 1_000_000
"""Some thirty columns, and the names of as many policies and runs as one folder holds."""

TAIL_BYTES_MAX = 1_000
"""A signature has 200 bytes."""

SNAPSHOT_BYTES_MAX = 2_000_000_000
"""Twenty times what a million accounts and ten thousand signatures take; a larger file is another."""

LIFE_DAYS_MAX = 90
"""A snapshot that nobody renewed for a quarter of a year speaks of accounts that have long been somebody else's."""

CLOCKS_APART_US_MAX = 300_000_000
"""Five minutes: what the clocks of two machines of one provider are apart at most."""

DAY_US = 86_400_000_000

_READ = 1 << 22

COLUMNS: Mapping[str, str] = {
    "account_key": "<u8",
    "account_tier": "|u1",
    "account_flags": "|u1",
    "account_cluster": "<u4",
    "account_expires_us": "<i8",
    "organization_key": "<u8",
    "organization_tier": "|u1",
    "organization_expires_us": "<i8",
    "campaign_id": "<u8",
    "campaign_ban_us": "<i8",
    "signature_id": "<u8",
    "signature_cluster": "<u4",
    "signature_needed": "<i4",
    "signature_outside": "<i4",
    "signature_expires_us": "<i8",
    "core": "<u4",
    "core_starts": "<i4",
    "own": "<u4",
    "own_starts": "<i4",
    "own_signatures": "<i4",
    "rare_key": "<u8",
    "rare_kind": "|u1",
    "rare_cluster": "<u4",
    "grant_id": "<u8",
    "grant_begins_us": "<i8",
    "grant_expires_us": "<i8",
    "grant_calls_max": "<i8",
    "grant_output_tokens_max": "<i8",
    "grant_models": "<u8",
    "grant_model_starts": "<i4",
    "grantee_key": "<u8",
    "grantee_grant": "<u4",
}
"""Every column, and the type of its elements; docs/formats/snapshot.md says what each means."""

Columns = dict[str, NDArray[Any]]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a column lies: bytes from the beginning of the file, and elements."""

    name: str
    dtype: str
    offset: int
    length: int


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a snapshot says of itself. `sequence` grows from one to the next; `key` names the secret behind its
    pseudonyms; `left_out` counts what was not taken in, by reason; `policies` are digests of policy files by name.

    Units:   created_us, expires_us are microseconds since the epoch.
    """

    created_us: int
    expires_us: int
    sequence: int
    key: str
    counts: dict[str, int]
    left_out: dict[str, int]
    policies: dict[str, str]
    runs: tuple[str, ...]
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A snapshot that is open: its head, its columns, its name (a digest of all that it says), and who signed it."""

    head: Head
    columns: Columns
    ident: str
    signer: str


def write(path: Path, head: Head, columns: Mapping[str, NDArray[Any]], private_pem: bytes) -> str:
    """Write a snapshot beside `path` and rename it into place; return its name.

    Raises:  bad-signing-key, missing-extra.
    """
    kept = {name: np.ascontiguousarray(columns[name], dtype=dtype) for name, dtype in COLUMNS.items()}
    placed, head_bytes = _placed(head, kept)
    size = max((one.offset + kept[one.name].nbytes for one in placed.columns), default=HEADER.size + head_bytes)
    signing.public_key(private_pem)
    partial = path.with_name(f".{path.name}.partial")
    digest = hashlib.blake2b()
    told = msgspec.json.encode(placed).ljust(head_bytes)
    tail_bytes = len(_tail(b"", private_pem))
    with partial.open("wb") as stream:
        pieces = [HEADER.pack(MAGIC, SNAPSHOT_VERSION, head_bytes, size, tail_bytes, 0), told]
        for piece in pieces:
            digest.update(piece)
            stream.write(piece)
        for one in placed.columns:
            for part in (np.zeros(one.offset - stream.tell(), np.uint8), kept[one.name]):
                digest.update(part.data)
                stream.write(part.data)
        stream.write(_tail(digest.digest(), private_pem))
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    return _name(digest.digest())


def _placed(head: Head, columns: Columns) -> tuple[Head, int]:
    """Return the head with a place for each column that has any element, and how many bytes it takes."""
    filled = [(name, column) for name, column in columns.items() if len(column)]
    # A place is written with up to ten digits: the head's own length does not depend on what stands there.
    widest = [Column(name, COLUMNS[name], SNAPSHOT_BYTES_MAX, column.size) for name, column in filled]
    head_bytes = len(msgspec.json.encode(msgspec.structs.replace(head, columns=tuple(widest))))
    at, placed = HEADER.size + head_bytes, []
    for name, column in filled:
        at = -(-at // ALIGNED) * ALIGNED
        placed.append(Column(name, COLUMNS[name], at, column.size))
        at += column.nbytes
    return msgspec.structs.replace(head, columns=tuple(placed)), head_bytes


def _tail(digest: bytes, private_pem: bytes) -> bytes:
    return json.dumps(signing.sign(digest, PURPOSE, private_pem)).encode()


def _name(digest: bytes) -> str:
    return "n-" + digest[:8].hex()


def read(path: Path, public_pems: dict[str, bytes]) -> SnapshotFile:
    """Take in a snapshot that one of the trusted keys (file name → PEM) has signed, read once from end to end.

    What was checked is held in memory of this process: whoever writes over the file in its place, or cuts it, can
    neither change what is in force after its signature was checked nor end the process that looks at it.

    Raises:  no-such-snapshot, snapshot-broken, snapshot-version, snapshot-cut, snapshot-forged, snapshot-untrusted.
    Cost:    O(bytes): a second for each gigabyte or two, and as much memory.
    """
    try:
        with path.open("rb") as stream:
            head_bytes, size = _check_header(stream, str(path))
            held = _held(stream, size, str(path))
            signature = stream.read(TAIL_BYTES_MAX)
    except OSError as error:
        raise Error("no-such-snapshot", "the snapshot cannot be read", where=str(path)) from error
    digest = hashlib.blake2b(held).digest()
    signer = _check_signature(digest, signature, public_pems, str(path))
    head = _head(bytes(held[HEADER.size : HEADER.size + head_bytes]), str(path))
    return SnapshotFile(head, _columns(head, held, str(path)), _name(digest), signer)


def check(head: Head, key: str, now_us: int, where: str) -> None:
    """Refuse a snapshot that is under another secret, not of this time, or without an end.

    Raises:  snapshot-other-key, snapshot-future, snapshot-expired, snapshot-broken.
    """
    if head.key != key:
        raise Error(
            "snapshot-other-key",
            f"its pseudonyms are made with the secret {head.key[:16]}, and calls are met with {key}",
            hint="give the gate the same --key-file as the runs",
            where=where,
        )
    if head.created_us > now_us + CLOCKS_APART_US_MAX:
        raise Error("snapshot-future", "it was made at a time that has not come yet", where=where)
    if not head.created_us < head.expires_us <= head.created_us + LIFE_DAYS_MAX * DAY_US:
        raise _broken(f"it does not expire within {LIFE_DAYS_MAX} days of its making", where)
    if head.expires_us <= now_us:
        raise Error("snapshot-expired", "it has expired", hint="build another", where=where)


def _check_header(stream: BinaryIO, where: str) -> tuple[int, int]:
    """Return how many bytes the head takes, and how many are signed."""
    there = os.fstat(stream.fileno()).st_size
    first = stream.read(HEADER.size)
    if len(first) < HEADER.size:
        raise _cut(where)
    magic, version, head_bytes, size, tail_bytes, zero = HEADER.unpack(first)
    if magic != MAGIC:
        raise _broken("it does not begin as a snapshot does", where)
    if version != SNAPSHOT_VERSION:
        raise Error(
            "snapshot-version",
            f"expected a snapshot of version {SNAPSHOT_VERSION}, got {version}",
            hint="build it with the release that reads it",
            where=where,
        )
    bounded = head_bytes <= HEAD_BYTES_MAX and tail_bytes <= TAIL_BYTES_MAX and size <= SNAPSHOT_BYTES_MAX
    if not bounded or zero or size < HEADER.size + head_bytes:
        raise _broken("its header says what cannot be", where)
    if there != size + tail_bytes:
        raise _cut(where)
    return head_bytes, size


def _held(stream: BinaryIO, size: int, where: str) -> memoryview:
    """Read what is signed into memory that no file stands behind, page by page aligned, and never written again."""
    memory = memoryview(mmap.mmap(-1, size))
    stream.seek(0)
    at = 0
    while at < size and (count := stream.readinto(memory[at : at + _READ])):  # type: ignore[attr-defined]
        at += count
    if at < size:
        raise _cut(where)
    return memory.toreadonly()


def _check_signature(digest: bytes, tail: bytes, public_pems: dict[str, bytes], where: str) -> str:
    try:
        signature = json.loads(tail)
    except (ValueError, RecursionError):
        signature = None
    try:
        return signing.verify(digest, PURPOSE, signature, public_pems, where)
    except Error as error:
        if error.ident == "bad-signature":
            raise Error(
                "snapshot-forged",
                "its signature does not hold: something was changed",
                hint="fetch it again from where it was built, and find out who wrote this one",
                where=where,
            ) from error
        if error.ident == "untrusted-key":
            raise Error("snapshot-untrusted", error.message, hint=error.hint, where=where) from error
        raise


def _head(told: bytes, where: str) -> Head:
    try:
        return msgspec.json.decode(told, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken("its head cannot be read", where) from error


def _columns(head: Head, held: memoryview, where: str) -> Columns:
    """Return every column, an empty one for each that the head does not name."""
    found: Columns = {name: np.zeros(0, dtype=dtype) for name, dtype in COLUMNS.items()}
    for one in head.columns:
        if COLUMNS.get(one.name) != one.dtype or len(found[one.name]):
            raise _broken("it has a column that this version does not know", where)
        size = np.dtype(one.dtype).itemsize * one.length
        if one.offset % ALIGNED or one.offset < HEADER.size or one.length <= 0 or one.offset + size > len(held):
            raise _broken("a column lies outside of it", where)
        found[one.name] = np.frombuffer(held, dtype=one.dtype, count=one.length, offset=one.offset)
    return found


def _cut(where: str) -> Error:
    return Error("snapshot-cut", "it is shorter or longer than it says", hint="copy it again, whole", where=where)


def _broken(reason: str, where: str) -> Error:
    return Error("snapshot-broken", f"it is no snapshot that can be used: {reason}", where=where)
