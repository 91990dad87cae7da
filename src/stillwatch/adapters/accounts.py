"""Account facts → one table, one row for each account: JSON lines or Parquet, in any order and any cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.adapters.batches import ACCOUNT_REQUIRED, Batches, drain
from stillwatch.adapters.columns import Conform
from stillwatch.adapters.contract import LogFile, ReadSettings, Reject
from stillwatch.adapters.parquet import is_parquet
from stillwatch.adapters.source import json_texts, parquet_batches
from stillwatch.errors import Error
from stillwatch.event import ACCOUNT_SCHEMA

ROWS_MAX = 5_000_000
"""About 1 GB of facts, half of what a run may use in all."""


def read_accounts(files: Sequence[LogFile], reject: Reject) -> pa.Table:
    """Read the facts of every account, sorted by account_id.

    Where an account has several rows, one of them is taken whole: the one with the most facts (a row
    written at closing knows more than one from sign-up), and among equals the greatest by its values in
    the order of the columns. Neither depends on the order of rows or files.

    Raises: Error input-vanished, input-unreadable, wrong-column-type, too-many-accounts.
    """
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in (batch for file in files for batch in _read(file, reject)):
        batches.append(batch)
        rows += batch.num_rows
        if rows > ROWS_MAX:
            raise Error(
                "too-many-accounts",
                f"more than {ROWS_MAX} rows of account facts",
                hint="keep the accounts that appear in the log",
            )
    return _one_row_each(pa.Table.from_batches(batches, schema=ACCOUNT_SCHEMA))


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


def _one_row_each(table: pa.Table) -> pa.Table:
    facts = sum(np.asarray(pc.is_valid(column)).astype(np.int32) for column in table.columns)
    keyed = table.append_column("facts", pa.array(facts, pa.int32()))
    others = [(name, "descending") for name in ("facts", *ACCOUNT_SCHEMA.names[1:])]
    order = pc.sort_indices(keyed, sort_keys=[("account_id", "ascending"), *others])
    ordered = table.take(order).combine_chunks()
    ids = np.asarray(pc.rank(ordered["account_id"], tiebreaker="dense"))
    return ordered.filter(pa.array(np.diff(ids, prepend=0) != 0))
