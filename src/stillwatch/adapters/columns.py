"""Arrow batches of somebody's Parquet → batches of a canonical schema, a column at a time, no row loops.

What Parquet writers commonly do is accepted: dictionaries, large and binary strings, integers kept as
floats, times as timestamps of any unit (without a zone: UTC), epoch seconds or RFC 3339 text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.adapters.batches import unit_detail
from stillwatch.adapters.contract import LogFile, Reject, Rejection
from stillwatch.errors import Error
from stillwatch.event import TIME, TIME_MAX_S, TIME_MIN_S

Mask = npt.NDArray[np.bool_]

INT64_MAX = 2.0**63
"""Floats from here on have no 64-bit integer."""


@dataclass(slots=True)
class Conform:
    """Brings the batches of one file to `schema` and rejects rows that do not fit, by number from 1."""

    file: LogFile
    schema: pa.Schema
    required: tuple[str, ...]
    reject: Reject
    defaults: Mapping[str, str | None] = field(default_factory=dict)
    rows: int = field(default=0, init=False)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Convert one batch; the next one is taken to follow it in the file.

        Raises: Error wrong-column-type where a column's type cannot mean what the schema says.
        """
        faults = _Faults(batch.num_rows)
        arrays = [
            self._column(batch, wanted, faults)
            if wanted.name in batch.schema.names
            else pa.nulls(batch.num_rows, wanted.type)
            for wanted in self.schema
        ]
        for name in self.required:
            index = self.schema.get_field_index(name)
            if default := self.defaults.get(name):
                arrays[index] = pc.if_else(_blank(arrays[index]), default, arrays[index])
            faults.add(_blank(arrays[index]), "missing-field", name)
        for row, (reason, detail) in sorted(faults.reasons.items()):
            self.reject(Rejection(self.file.uri, self.rows + row + 1, reason, detail))
        self.rows += batch.num_rows
        nullable = pa.schema([wanted.with_nullable(True) for wanted in self.schema])
        whole = pa.RecordBatch.from_arrays(arrays, schema=nullable)
        kept = whole.filter(pa.array(~faults.bad)) if faults.bad.any() else whole
        return pa.RecordBatch.from_arrays(kept.columns, schema=self.schema)

    def _column(self, batch: pa.RecordBatch, wanted: pa.Field, faults: _Faults) -> pa.Array:
        given = batch.column(wanted.name)
        if pa.types.is_null(given.type):
            return pa.nulls(batch.num_rows, wanted.type)
        convert = _converter(wanted.type)
        try:
            array = convert(given, wanted, faults)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            array = None
        if array is None:
            raise Error(
                "wrong-column-type",
                f"column {wanted.name} is {given.type}, expected {wanted.type}",
                hint="cast the column where the file is written",
                where=self.file.uri,
            )
        return array


class _Faults:
    """Which rows of a batch are bad, and the first reason found for each."""

    def __init__(self, rows: int) -> None:
        self.bad: Mask = np.zeros(rows, dtype=bool)
        self.reasons: dict[int, tuple[str, str]] = {}

    def add(self, mask: Mask, reason: str, detail: str | Callable[[int], str]) -> None:
        if not mask.any():
            return
        for row in np.flatnonzero(mask & ~self.bad).tolist():
            self.reasons[row] = (reason, detail if isinstance(detail, str) else detail(row))
        self.bad |= mask


_Converter = Callable[[Any, Any, _Faults], Any]


def _converter(wanted: pa.DataType) -> _Converter:
    if pa.types.is_timestamp(wanted):
        return _to_time
    if pa.types.is_integer(wanted):
        return _to_integer
    if pa.types.is_floating(wanted):
        return _to_float
    if pa.types.is_boolean(wanted):
        return _to_bool
    return _to_strings if pa.types.is_list(wanted) else _to_string


def _to_string(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    if pa.types.is_dictionary(given.type):
        given = given.dictionary_decode()
    if not (_is_text(given.type) or pa.types.is_binary(given.type) or pa.types.is_large_binary(given.type)):
        return None
    try:
        text = given.cast(pa.string())
        text.validate(full=True)
    except pa.ArrowInvalid:
        octets = given.cast(pa.binary()).to_pylist()
        decoded = [_decoded(value) for value in octets]
        broken = [new is None and old is not None for new, old in zip(decoded, octets, strict=True)]
        faults.add(np.array(broken, dtype=bool), "broken-utf8", wanted.name)
        text = pa.array(decoded, pa.string())
    return text


def _decoded(octets: bytes | None) -> str | None:
    try:
        return None if octets is None else octets.decode()
    except UnicodeDecodeError:
        return None


def _to_strings(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    if not (pa.types.is_list(given.type) or pa.types.is_large_list(given.type)):
        return None
    member = given.type.value_type
    if pa.types.is_null(member):
        return pa.array([None if value is None else [] for value in given.to_pylist()], wanted.type)
    if pa.types.is_dictionary(member):
        member = member.value_type
    if not _is_text(member):
        return None
    lists = given.cast(wanted.type)
    lists.validate(full=True)
    return lists


def _to_bool(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    return given if pa.types.is_boolean(given.type) else None


def _to_float(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    kinds = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)
    if not any(kind(given.type) for kind in kinds):
        return None
    numbers = given.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _to_integer(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    if pa.types.is_floating(given.type):
        given = pc.if_else(pc.is_nan(given), None, given.cast(pa.float64()))
        whole = pc.and_(pc.equal(given, pc.floor(given)), pc.less(pc.abs(given), INT64_MAX))
        given = _without(given, pc.invert(whole), faults, "wrong-type", wanted.name).cast(pa.int64())
    elif not pa.types.is_integer(given.type):
        return None
    elif pa.types.is_uint64(given.type):
        given = _without(given, pc.greater(given, pa.scalar(2**63 - 1, pa.uint64())), faults, "wrong-type", wanted.name)
    half = 2 ** (wanted.type.bit_width - 1)
    given = given.cast(pa.int64())
    outside = pc.or_(pc.less(given, -half), pc.greater(given, half - 1))
    return _without(given, outside, faults, "wrong-type", wanted.name).cast(wanted.type)


def _to_time(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    if pa.types.is_dictionary(given.type):
        given = given.dictionary_decode()
    if _is_text(given.type):
        given = _read_times(given, wanted, faults)
    if pa.types.is_timestamp(given.type):
        stamps = given.cast(pa.timestamp("us", given.type.tz), safe=False).cast(pa.int64())
        return _in_range(stamps, stamps, 1_000_000, wanted, faults).cast(TIME)
    if pa.types.is_integer(given.type):
        checked = given.cast(pa.float64(), safe=False)  # unsigned 64 bits too
        seconds = _in_range(given, checked, 1, wanted, faults).cast(pa.int64())
        return pc.multiply(seconds, 1_000_000).cast(TIME)
    if pa.types.is_floating(given.type) or pa.types.is_decimal(given.type):
        given = given.cast(pa.float64())
        seconds = _in_range(given, pc.if_else(pc.is_nan(given), np.inf, given), 1, wanted, faults)
        return pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(TIME)
    return None


def _in_range(values: Any, checked: Any, per_second: int, wanted: pa.Field, faults: _Faults) -> Any:
    """Take out what lies beyond the plausible range, and say in which unit it would not."""
    outside = pc.or_(pc.less(checked, TIME_MIN_S * per_second), pc.greater(checked, TIME_MAX_S * per_second))

    def detail(row: int) -> str:
        return unit_detail(wanted.name, checked[row].as_py() / per_second)

    return _without(values, outside, faults, "time-out-of-range", detail)


def _read_times(given: Any, wanted: pa.Field, faults: _Faults) -> Any:
    """Read RFC 3339 text: at once where Arrow can, else row by row."""
    try:
        return given.cast(TIME)
    except pa.ArrowInvalid:
        texts = given.to_pylist()
        times = [_read_time(text) for text in texts]
        unread = [time is None and text is not None for time, text in zip(times, texts, strict=True)]
        faults.add(np.array(unread, dtype=bool), "bad-time", wanted.name)
        return pa.array(times, TIME)


def _read_time(text: str | None) -> datetime | None:
    try:
        time: datetime | None = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)] | None)
        return time
    except msgspec.ValidationError:
        return None


def _without(values: Any, outside: Any, faults: _Faults, reason: str, detail: str | Callable[[int], str]) -> Any:
    mask = pc.fill_null(outside, False)
    if not pc.any(mask).as_py():
        return values
    faults.add(mask.to_numpy(zero_copy_only=False), reason, detail)
    return pc.if_else(mask, None, values)


def _blank(array: Any) -> Mask:
    blank = pc.is_null(array)
    if pa.types.is_string(array.type) and array.null_count < len(array):
        blank = pc.or_(blank, pc.fill_null(pc.equal(pc.binary_length(array), 0), False))
    return np.asarray(blank.to_numpy(zero_copy_only=False), dtype=bool)


def _is_text(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_string(arrow) or pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow))
