"""What a Spark task does with traces once families are known: whose a call is, and all that a family's panel needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.campaign.families import Families
from stillwatch.engines.blocks import Blocks
from stillwatch.engines.contract import OnCalls
from stillwatch.engines.members import MEMBER_SCHEMA, assigning, member_rows
from stillwatch.engines.panels import EVENT_COLUMNS
from stillwatch.engines.shingles import shingle_rows
from stillwatch.engines.spark_rows import from_spark, spark_schema, to_spark

NO_FAMILY = -1
"""The family of a row of MEMBERS that says, as its item, how many calls of a task were in more families."""

MEMBERS = spark_schema(MEMBER_SCHEMA)
COLLECTED = spark_schema(trace.TRACE_SCHEMA.insert(0, pa.field("family", pa.int32())))
PANEL_SCHEMA = pa.schema(
    [
        pa.field("family", pa.int32()),
        *trace.TRACE_SCHEMA,
        pa.field("issuer_key", pa.uint64()),
        pa.field("taker_key", pa.uint64()),
    ]
)
CLOSE = pa.schema([*(PANEL_SCHEMA.field(name) for name in EVENT_COLUMNS), pa.field("hits", pa.int16())])

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Assign:
    """Traces → rows of MEMBERS."""

    families: Families
    blocks: Blocks
    moved: np.ndarray

    def run(self, batches: Batches) -> Batches:
        over = 0
        for batch, rows, family, saturated in _assigned(self.families, batches):
            over += saturated
            yield to_spark(member_rows(batch, rows, family, self.blocks, self.moved))
        said = [pa.array([over if name == "item_key" else 0], field.type) for name, field in _fields(MEMBERS)]
        said[0] = pa.array([NO_FAMILY], pa.int32())
        yield pa.RecordBatch.from_arrays(said, schema=MEMBERS)


@dataclass(frozen=True, slots=True)
class Collect:
    """Traces → rows of COLLECTED: the calls of the wanted families (bool[f])."""

    families: Families
    wanted: np.ndarray

    def run(self, batches: Batches) -> Batches:
        for batch, rows, family, _ in _assigned(self.families, batches):
            keep = self.wanted[family]
            taken = to_spark(batch.take(pa.array(rows[keep])))
            columns = [pa.array(family[keep]), *(taken[name] for name in trace.TRACE_SCHEMA.names)]
            yield pa.RecordBatch.from_arrays(columns, schema=COLLECTED)


@dataclass(frozen=True, slots=True)
class OnPanelCalls:
    """Calls of panels → what a function makes of them, rows of CLOSE."""

    work: OnCalls

    def run(self, batches: Batches) -> Batches:
        for batch in batches:
            made = self.work(pa.Table.from_batches([from_spark(batch, PANEL_SCHEMA)])).cast(CLOSE)
            yield from map(to_spark, made.combine_chunks().to_batches())


def _assigned(families: Families, batches: Batches) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray, int]]:
    """Yield each batch as traces, its rows that belong to families, their families, and how many rows had too many."""
    assign = assigning(families)
    for batch in batches:
        traces = from_spark(batch, trace.TRACE_SCHEMA)
        found = assign(shingle_rows(traces))
        yield traces, *found


def _fields(schema: pa.Schema) -> list[tuple[str, pa.Field]]:
    return [(field.name, field) for field in schema]
