"""Calls in any order → the calls of one hour after the other, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.store.calls import CALLS_SCHEMA, hours_of
from stillwatch.store.parts import PART_ROWS_MAX, one_table

RUN_ROWS_MAX = 1 << 18
"""Calls that wait in memory before they go to a file by hour: about 100 MB."""


class HourSorter:
    """Takes calls and gives them back by hour; what does not fit in memory waits in files of `folder`, which is local.

    `filled` has the filled columns of each hour.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._runs: list[tuple[Path, dict[int, int]]] = []
        self.filled: defaultdict[int, set[str]] = defaultdict(set)
        self.rows = 0

    def add(self, calls: pa.RecordBatch, filled: Mapping[int, set[str]]) -> None:
        """Take a batch of CALLS_SCHEMA with what `filled_hours` says of it."""
        for hour, names in filled.items():
            self.filled[hour] |= names
        self._waiting.append(calls)
        self._waiting_rows += calls.num_rows
        self.rows += calls.num_rows
        if self._waiting_rows >= RUN_ROWS_MAX:
            self._spill()

    def hours(self) -> list[int]:
        """List the hours that have calls, the earliest first."""
        return sorted(self.filled)

    def take(self, hour: int) -> Iterator[pa.Table]:
        """Yield the calls of an hour, at most PART_ROWS_MAX at a time."""
        held: list[pa.RecordBatch] = []
        rows = 0
        for batch in self._of_hour(hour):
            # A run's share of an hour is smaller than a part, so one more of them at most is held.
            if rows + batch.num_rows > PART_ROWS_MAX:
                yield one_table(held)
                held, rows = [], 0
            held.append(batch)
            rows += batch.num_rows
        if held:
            yield one_table(held)

    def _of_hour(self, hour: int) -> Iterator[pa.RecordBatch]:
        for path, places in self._runs:
            if hour in places:
                with pa.memory_map(str(path)) as run:
                    yield pa.ipc.open_file(run).get_batch(places[hour])
        for batch in self._waiting:
            mine = hours_of(batch) == hour
            if mine.any():
                yield batch.filter(pa.array(mine))

    def _spill(self) -> None:
        calls = one_table(self._waiting)
        hours = hours_of(calls)
        order = np.argsort(hours, kind="stable")
        calls = calls.take(pa.array(order)).combine_chunks()
        found, starts = np.unique(hours[order], return_index=True)
        ends = [*starts[1:].tolist(), len(calls)]
        path = self._folder / f"run-{len(self._runs):05d}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(str(path), CALLS_SCHEMA, options=options) as writer:
            for start, end in zip(starts.tolist(), ends, strict=True):
                writer.write_table(calls.slice(start, end - start))
        self._runs.append((path, {int(hour): at for at, hour in enumerate(found)}))
        self._waiting, self._waiting_rows = [], 0
