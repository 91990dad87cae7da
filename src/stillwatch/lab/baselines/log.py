"""A log as a baseline reads it: canonical events in Parquet and the account table beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from stillwatch.event import ACCOUNT_SCHEMA

Ints = npt.NDArray[np.int64]

BATCH_ROWS = 16_384
"""Rows whose texts are taken apart at once: some ten megabytes of text."""

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000

_FACTS = pa.schema([field for field in ACCOUNT_SCHEMA if field.name != "closed_at"])


@dataclass(frozen=True, slots=True)
class Log:
    """A folder of canonical events and a file of accounts."""

    events: Path
    accounts: Path

    def files(self) -> list[Path]:
        """Return the event files in the order of their names, which is the order of time."""
        return sorted(self.events.glob("*.parquet"))

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns of all events."""
        return pa.concat_tables([pq.read_table(file, columns=list(columns)) for file in self.files()])

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all events, in the same order as `table`."""
        for file in self.files():
            with pq.ParquetFile(file) as opened:
                yield from opened.iter_batches(BATCH_ROWS, columns=list(columns))

    def facts(self, accounts: pa.Array) -> pa.Table:
        """Return the account table row for row with `accounts`; who is not in it has nulls."""
        options = pj.ParseOptions(explicit_schema=_FACTS, unexpected_field_behavior="ignore")
        table = pj.read_json(self.accounts, parse_options=options)
        return table.take(pc.index_in(accounts, value_set=table["account_id"].combine_chunks()))


@dataclass(frozen=True, slots=True)
class Calls:
    """All calls of a log, each with the number of its account and of the account's owner.

    The owner is the organisation, or the account itself where no organisation is known: accounts of one organisation
    are declared to belong together, so that finding them together proves nothing.
    Shapes:  accounts string[n]; owner int64[n]; account int64[calls]; time int64[calls], microseconds.
    """

    accounts: pa.Array
    owner: Ints
    account: Ints
    time: Ints
    facts: pa.Table


def calls_of(log: Log) -> Calls:
    """Return who called when."""
    table = log.table(["account_id", "time"])
    accounts, account = coded(table["account_id"])
    facts = log.facts(accounts)
    organisation = pc.coalesce(facts["organization_id"], accounts)
    _, owner = coded(organisation)
    return Calls(accounts, owner, account, table["time"].cast(pa.int64()).to_numpy(), facts)


def coded(values: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, Ints]:
    """Return the distinct values in the order of their first sight, and each row's number among them; null is -1."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = array.dictionary_encode()
    return encoded.dictionary, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def blocks(addresses: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return the block of each address: an IPv4's first three bytes, an IPv6's first four groups."""
    distinct, code = coded(addresses)
    named = pa.array([_block(each) for each in distinct.to_pylist()], pa.string())
    return named.take(pa.array(code, mask=code < 0))


def _block(address: str) -> str:
    return ":".join(address.split(":")[:4]) if ":" in address else address.rpartition(".")[0]


def mixed(first: Ints, second: Ints) -> Ints:
    """Return the number of each pair of codes, -1 where either is missing."""
    both = first * (int(second.max(initial=0)) + 1) + second
    numbers = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return np.where((first < 0) | (second < 0), -1, numbers)


def rank_within(group: Ints, time: Ints) -> Ints:
    """Return how many earlier rows each row's group has."""
    order = np.lexsort((time, group))
    first = np.flatnonzero(np.diff(group[order], prepend=group[order][:1] - 1))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(first, np.diff(first, append=len(group)))
    return rank
