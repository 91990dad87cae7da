"""Calls by family → the rows that the digests of families are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.campaign.families import Families
from stillwatch.engines.blocks import Blocks
from stillwatch.engines.shingles import KnownShingles
from stillwatch.kernels.sharing import assign_groups

FAMILIES_PER_CALL_MAX = 8
"""A harness, a recipe, a template, an item, and as many common phrases: those a call carries most of are kept."""

MEMBER_SCHEMA = pa.schema(
    [
        ("family", pa.int32()),
        ("account_key", pa.uint64()),
        ("tested", pa.uint8()),
        ("phrases", pa.uint32()),
        ("signs", pa.uint8()),
        ("item_key", pa.uint64()),
    ]
)
"""A row for each call of each family."""

MEMBER_COLUMNS = ("event_key", "account_key", "time_us", "phrases", "flags", "item_key")
"""The columns of a trace that they are made of."""


Assign = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, int]]


def assigning(families: Families) -> Assign:
    """Return what says which calls belong to which families, and how many calls to more than they keep.

    Shapes:  shingles uint32[n, trace.SHINGLES] → rows int64[m], family int32[m].
    """
    needed, known = families.hits_needed(), KnownShingles.of(families.shingle)

    def assign(shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        rows, family, over = assign_groups(*known.places(shingles), families.family, needed, FAMILIES_PER_CALL_MAX)
        return rows, family, int(over)

    return assign


def member_rows(
    batch: pa.RecordBatch, rows: np.ndarray, family: np.ndarray, blocks: Blocks, moved: np.ndarray
) -> pa.RecordBatch:
    """Return the rows (MEMBER_SCHEMA) of a batch of traces: row `rows[i]` is a call of `family[i]`.

    Shapes:  rows int64[m], family int32[m]; moved uint64[k] ascending, the events at which a reasoning block passed.
    """
    tested = blocks.tested(batch["time_us"].to_numpy())
    columns = [
        pa.array(family),
        pa.array(batch["account_key"].to_numpy()[rows]),
        pa.array(tested[rows]),
        pa.array(batch["phrases"].to_numpy()[rows]),
        pa.array(_signs(batch, moved)[rows]),
        pa.array(batch["item_key"].to_numpy()[rows]),
    ]
    return pa.record_batch(columns, schema=MEMBER_SCHEMA)


def _signs(batch: pa.RecordBatch, moved: np.ndarray) -> np.ndarray:
    """Return the bits of trace.SIGNS of each call: uint8[n]."""
    refused = (batch["flags"].to_numpy() & np.uint32(trace.FLAG_REFUSED)) != 0
    event = batch["event_key"].to_numpy()
    place = np.minimum(np.searchsorted(moved, event), max(len(moved) - 1, 0))
    replayed = moved[place] == event if len(moved) else np.zeros(len(event), dtype=bool)
    return np.asarray(refused.astype(np.uint8) | (replayed.astype(np.uint8) << np.uint8(1)))
