"""The canonical table itself: JSON lines, or Parquet read column by column without a loop over rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.columns import Conform
from stillwatch.adapters.contract import Dialect, Head, LogFile, ReadSettings, Reject
from stillwatch.adapters.parquet import is_parquet
from stillwatch.adapters.source import json_texts, parquet_batches
from stillwatch.event import EVENT_REQUIRED, EVENT_SCHEMA, LOSSES

DIALECT = Dialect(
    ident="canonical",
    title="Canonical event table (JSON lines or Parquet)",
    columns=frozenset(EVENT_SCHEMA.names),
    losses=LOSSES,
    notes=("Whoever writes the table decides what it carries; a column that is absent counts as unknown.",),
)


def recognise(head: Head) -> str | None:
    """Fit where the required columns are there, by their canonical names."""
    if head.columns:
        return _fit(frozenset(head.columns), "the columns")
    records = [record for record in head.records if isinstance(record, dict)]
    if len(records) < len(head.records) or not records:
        return None
    return _fit(frozenset().union(*records), "the records")


def _fit(names: frozenset[str], what: str) -> str | None:
    if names.issuperset(EVENT_REQUIRED):
        return f"{what} have {', '.join(EVENT_REQUIRED)}"
    return None


def read(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the events of one file; settings.fields renames columns: `{"account_id": "tenant"}`.

    Raises: Error input-vanished, input-unreadable, wrong-column-type.
    """
    if is_parquet(file):
        return _read_parquet(file, settings, reject)
    return _read_json(file, settings, reject)


def _read_json(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    batches = EventBatches(file, settings, reject)
    for line, text in json_texts(file, reject):
        if (batch := batches.add_json(line, text, settings.fields)) is not None:
            yield batch
    yield from drain(batches)


def _read_parquet(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    batches = parquet_batches(file, tuple(sources(settings).values()), settings.batch_rows, reject)
    return conformed(batches, file, settings, reject)


def sources(settings: ReadSettings) -> dict[str, str]:
    """Return each canonical column with the name by which a table has it: those wanted, and the required ones."""
    wanted = settings.columns
    names = [name for name in EVENT_SCHEMA.names if wanted is None or name in wanted or name in EVENT_REQUIRED]
    return {name: settings.fields.get(name, name) for name in names}


def conformed(
    batches: Iterable[pa.RecordBatch], file: LogFile, settings: ReadSettings, reject: Reject
) -> Iterator[pa.RecordBatch]:
    """Yield the events in batches of somebody's table, whose rows are numbered from 1.

    Raises: Error wrong-column-type.
    """
    source_of = sources(settings)
    conform = Conform(file, EVENT_SCHEMA, EVENT_REQUIRED, reject, {"request_model": settings.model_default})
    for batch in batches:
        present = [name for name, source in source_of.items() if source in batch.schema.names]
        named = pa.RecordBatch.from_arrays([batch.column(source_of[name]) for name in present], present)
        events = conform(named)
        if settings.sampled_weight is not None:
            events = _weighted(events, settings.sampled_weight)
        if events.num_rows:
            yield events


def _weighted(events: pa.RecordBatch, weight: float) -> pa.RecordBatch:
    """Give rows without a weight the one of the settings, and mark them as sampled."""
    weights = events.column("sampled_weight")
    losses = [
        sorted({*(given or ()), "sampled"}) if unweighted else given
        for given, unweighted in zip(events.column("losses").to_pylist(), pc.is_null(weights).to_pylist(), strict=True)
    ]
    columns = {name: events.column(name) for name in EVENT_SCHEMA.names}
    columns["sampled_weight"] = pc.fill_null(weights, weight)
    columns["losses"] = pa.array(losses, EVENT_SCHEMA.field("losses").type)
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=EVENT_SCHEMA)
