"""Account facts → batches of `event.ACCOUNT_SCHEMA`: JSON lines or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from stillwatch.adapters.batches import ACCOUNT_REQUIRED, Batches, drain
from stillwatch.adapters.columns import Conform
from stillwatch.adapters.contract import LogFile, ReadSettings, Reject
from stillwatch.adapters.parquet import is_parquet
from stillwatch.adapters.source import json_texts, parquet_batches
from stillwatch.event import ACCOUNT_SCHEMA


def account_batches(files: Sequence[LogFile], reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the rows of account facts as they stand, in constant memory; an account may have several.

    Raises: Error input-vanished, input-unreadable, wrong-column-type.
    """
    for file in files:
        yield from _read(file, reject)


def _read(file: LogFile, reject: Reject) -> Iterator[pa.RecordBatch]:
    if is_parquet(file):
        conform = Conform(file, ACCOUNT_SCHEMA, ACCOUNT_REQUIRED, reject)
        for batch in parquet_batches(file, ACCOUNT_SCHEMA.names, ReadSettings().batch_rows, reject):
            yield conform(batch)
        return
    batches = Batches(ACCOUNT_SCHEMA, ACCOUNT_REQUIRED, file, ReadSettings(), reject)
    for line, text in json_texts(file, reject):
        if (batch := batches.add_json(line, text)) is not None:
            yield batch
    yield from drain(batches)
