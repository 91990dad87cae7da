"""What an adapter is: a module with `DIALECT`, `recognise` and `read`; adapters do not know each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one foreign log can carry.

    `columns` is the capability vector: the canonical columns that this dialect can fill.
    `losses` are those of `event.LOSSES` that the adapter can meet and marks in the rows.
    `notes` are sentences for `stillwatch formats`: what it cannot carry and what cures it.
    `principal_example` is a path where a log of this dialect may name the account, to show in a hint.
    """

    ident: str
    title: str
    columns: frozenset[str]
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    principal_example: str = ""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log. `uri` is a local path or any fsspec location.

    `span` is the stretch that is meant, from and to: row groups of a Parquet file, bytes of lines of JSON. `end_bytes`
    is where reading stops in a file that still grows. `on_read` hears how many bytes each read took from storage, so
    that a person sees a large file move.
    """

    uri: str
    size_bytes: int
    span: tuple[int, int] | None = None
    end_bytes: int | None = None
    on_read: Callable[[int], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Head:
    """The first records of one file, decoded, or the column names of a Parquet file.

    `records` holds at most 32 JSON values: one for each line, or the members of a top-level array.
    """

    file: LogFile
    records: tuple[object, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that could not be read: where it stands and why, never what it said."""

    file: str
    line: int
    reason: str
    detail: str = ""


Reject = Callable[[Rejection], None]


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What a user can set about reading.

    `fields` maps canonical column names to the attribute or dotted path of the foreign record, and
    goes before the dialect's own guesses: `{"account_id": "tenant.id"}`.
    `companions` are further files that one dialect joins (Bedrock: CloudTrail audit events).
    `body_root` replaces the bucket of bodies that were moved to a pointer.
    `columns` are those that somebody will look at; an adapter that can leave the others unread may do so. None is all.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    model_default: str | None = None
    sampled_weight: float | None = None
    companions: tuple[LogFile, ...] = ()
    body_root: str | None = None
    batch_rows: int = 16_384
    columns: frozenset[str] | None = None


class Adapter(Protocol):
    """The shape of an adapter module.

    `recognise` says why the head fits this dialect ("the first record has gen_ai.* attributes"), or
    None. `read` yields batches of `event.EVENT_SCHEMA`, holding at most one batch in memory, and
    gives every record that it cannot turn into an event to `reject`.
    """

    DIALECT: Dialect

    def recognise(self, head: Head) -> str | None: ...

    def read(self, file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]: ...
