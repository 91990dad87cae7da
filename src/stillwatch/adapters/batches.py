"""Rows of canonical columns → validated record batches; what does not fit is rejected by column name.

The one place where a row becomes an event, so that every dialect means the same by `wrong-type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, TypeGuard

import msgspec
import pyarrow as pa

from stillwatch.adapters.contract import LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.source import NotJsonError, decode_json
from stillwatch.event import (
    ACCOUNT_SCHEMA,
    EVENT_REQUIRED,
    EVENT_SCHEMA,
    TIME_MAX_S,
    TIME_MIN_S,
)

ACCOUNT_REQUIRED = ("account_id",)

NO_FIELDS: Mapping[str, str] = MappingProxyType({})

TEXT_CHARS_MAX = 16 * 2**20
"""Characters in one batch: with a few batches in flight per worker a run stays far under 2 GB."""

NET_EPOCH_S = 62_135_596_800
"""Seconds from 0001-01-01, where .NET ticks of 100 ns begin, to 1970-01-01."""


@cache
def _event_record() -> type[Any]:
    """Build the typed record of `EVENT_SCHEMA`, every field optional, times as datetime or epoch seconds."""
    return _record("EventRecord", EVENT_SCHEMA)


@cache
def _account_record() -> type[Any]:
    """Build the typed record of `ACCOUNT_SCHEMA`, likewise."""
    return _record("AccountRecord", ACCOUNT_SCHEMA)


def _record(name: str, schema: pa.Schema) -> type[Any]:
    fields = [(field.name, _python_type(field.type) | None, None) for field in schema]
    return msgspec.defstruct(name, fields, gc=False)


def _python_type(arrow: pa.DataType) -> Any:
    if pa.types.is_timestamp(arrow):
        return Annotated[datetime, msgspec.Meta(tz=True)] | int | float
    if pa.types.is_integer(arrow):
        half = 2 ** (arrow.bit_width - 1)
        return Annotated[int, msgspec.Meta(ge=-half, le=half - 1)]
    if pa.types.is_floating(arrow):
        return float
    if pa.types.is_boolean(arrow):
        return bool
    if pa.types.is_list(arrow):
        return list[str]
    assert pa.types.is_string(arrow), arrow
    return str


class Batches:
    """Collects rows of one schema and gives a batch whenever enough rows or text have come together."""

    def __init__(
        self,
        schema: pa.Schema,
        required: tuple[str, ...],
        file: LogFile,
        settings: ReadSettings,
        reject: Reject,
    ) -> None:
        self._schema = schema
        self._record = _event_record() if schema is EVENT_SCHEMA else _account_record()
        self._typed = msgspec.json.Decoder(self._record).decode
        self._required = tuple(name for name in required if name != "time")
        self._times = tuple((field.name, field.name in required) for field in schema if _is_time(field))
        self._integers = frozenset(field.name for field in schema if pa.types.is_integer(field.type))
        self._file, self._settings, self._reject = file, settings, reject
        self._rows: list[tuple[Any, ...]] = []
        self._chars = 0

    def add(self, line: int, row: Mapping[str, object]) -> pa.RecordBatch | None:
        """Check one row and keep it, or reject it at `line`; None counts as absent, other keys are ignored.

        Returns: a full batch now and then.
        """
        try:
            record = msgspec.convert(row, self._record)
        except msgspec.ValidationError:
            try:
                record = msgspec.convert(self._whole_numbers(row), self._record)
            except msgspec.ValidationError as error:
                self._refuse(line, *self._mistake(error))
                return None
        return self._add_record(line, record)

    def add_json(self, line: int, text: bytes | str, fields: Mapping[str, str] = NO_FIELDS) -> pa.RecordBatch | None:
        """Do as `add` does with JSON text, at full speed where no column goes by another name."""
        try:
            if not fields:
                try:
                    return self._add_record(line, decode_json(text, self._typed))
                except msgspec.ValidationError:
                    pass  # as a plain row it may still pass (12.0 for 12), or it gets the name of its fault
            row = decode_json(text)
        except NotJsonError as error:
            self._refuse(line, error.reason, error.detail)
            return None
        if not isinstance(row, dict):
            self._refuse(line, "wrong-type", "record")
            return None
        return self.add(line, row | {name: row.get(source) for name, source in fields.items()})

    def _add_record(self, line: int, record: Any) -> pa.RecordBatch | None:
        if fault := self._fault(record):
            self._refuse(line, *fault)
            return None
        values = msgspec.structs.astuple(record)
        self._rows.append(values)
        for value in values:
            if value.__class__ is str:
                self._chars += len(value)
            elif value.__class__ is list:
                self._chars += sum(map(len, value))
        if len(self._rows) >= self._settings.batch_rows or self._chars >= TEXT_CHARS_MAX:
            return self.finish()
        return None

    def _fault(self, record: Any) -> tuple[str, str] | None:
        """Find what is missing or implausible, and turn times into microseconds."""
        for name in self._required:
            if not getattr(record, name):
                return "missing-field", name
        for name, required in self._times:
            time = getattr(record, name)
            if time is None:
                if required:
                    return "missing-field", name
                continue
            seconds = time.timestamp() if isinstance(time, datetime) else time
            if not TIME_MIN_S <= seconds <= TIME_MAX_S:
                return "time-out-of-range", unit_detail(name, seconds)
            setattr(record, name, round(seconds * 1_000_000))
        return None

    def _refuse(self, line: int, reason: str, detail: str) -> None:
        self._reject(Rejection(self._file.uri, line, reason, detail))

    def finish(self) -> pa.RecordBatch | None:
        """Give what is left, if anything is."""
        if not self._rows:
            return None
        columns = zip(*self._rows, strict=True)
        arrays = [_array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._rows, self._chars = [], 0
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _whole_numbers(self, row: Mapping[str, object]) -> dict[str, object]:
        """Turn 12.0 into 12 where an integer is due: table tools write integers with gaps as floats."""
        return {
            name: int(value) if name in self._integers and _is_whole(value) else value for name, value in row.items()
        }

    def _mistake(self, error: msgspec.ValidationError) -> tuple[str, str]:
        found = re.search(r"`\$\.(\w+)", str(error))
        if not found or found[1] not in self._schema.names:
            return "wrong-type", "record"
        misread = any(found[1] == name for name, _ in self._times) and ", got " not in str(error)
        return ("bad-time" if misread else "wrong-type"), found[1]


class EventBatches(Batches):
    """Batches of `EVENT_SCHEMA`, with a default model and a sampling weight from the settings."""

    def __init__(self, file: LogFile, settings: ReadSettings, reject: Reject) -> None:
        super().__init__(EVENT_SCHEMA, EVENT_REQUIRED, file, settings, reject)

    def _add_record(self, line: int, record: Any) -> pa.RecordBatch | None:
        if not record.request_model:
            record.request_model = self._settings.model_default
        if record.sampled_weight is None and self._settings.sampled_weight is not None:
            record.sampled_weight = self._settings.sampled_weight
            record.losses = sorted({*(record.losses or ()), "sampled"})
        return super()._add_record(line, record)


def _is_time(field: pa.Field) -> bool:
    return bool(pa.types.is_timestamp(field.type))


def _is_whole(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and value.is_integer()


def _array(values: tuple[Any, ...], arrow: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, arrow)
    except UnicodeEncodeError:  # half surrogate pairs, which another decoder let through
        return pa.array([_encodable(value) for value in values], arrow)


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    return [_encodable(member) for member in value] if isinstance(value, list) else value


def unit_detail(name: str, seconds: float) -> str:
    """Name the unit in which a time beyond the plausible range would be plausible."""
    for unit, per_second, zero in (
        ("milliseconds", 10**3, 0),
        ("microseconds", 10**6, 0),
        ("nanoseconds", 10**9, 0),
        (".NET ticks", 10**7, NET_EPOCH_S),
    ):
        if (TIME_MIN_S + zero) * per_second <= seconds <= (TIME_MAX_S + zero) * per_second:
            return f"{name} looks like {unit}"
    return name


def drain(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield what `finish` gives, for the end of a generator."""
    if (batch := batches.finish()) is not None:
        yield batch
