"""The calls of the chosen families: a panel of each, panels of several taken together, and whose a call is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.campaign.families import Families
from stillwatch.engines.ahead import one_ahead
from stillwatch.engines.blocks import Blocks
from stillwatch.engines.contract import Engine
from stillwatch.engines.embedded import as_numpy
from stillwatch.engines.panels import EVENT_COLUMNS, PANEL_COLUMNS, Core, FamilyRows, build_panel, closest
from stillwatch.engines.shingles import PACKED, shingle_rows
from stillwatch.engines.signatures import Carriers, Signature, most_carried
from stillwatch.signals.contract import Panel, Population

PANEL_CALLS_MAX = 400_000
"""Calls of one panel in memory (about 200 MB with what is made of them, and as much for the panel that is made ahead).
Beyond it a share of the items is tested, all their calls together, which thins honest and dealt-out counts alike."""

ORDERED_CALLS_MAX = 500_000
"""Calls that are put in order in one go: 130 MB, held twice meanwhile, which DuckDB does not have to spill."""

THINNING = 1_000_003
"""Items are kept by their key modulo this prime: a grain of one in a million."""


COLUMNS = tuple(dict.fromkeys((*EVENT_COLUMNS, *PANEL_COLUMNS)))


class FamilyFile:
    """Rows in order of their families, in a file, so that each family's are read without looking at the others'."""

    def __init__(self, path: Path, rows: pa.RecordBatchReader) -> None:
        self._parts: dict[int, list[tuple[int, int, int]]] = {}
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema, options=options) as writer:
            for number, batch in enumerate(rows):
                writer.write_batch(batch)
                found = np.unique(batch["family"].to_numpy(), return_index=True, return_counts=True)
                for family, first, count in zip(*(each.tolist() for each in found), strict=True):
                    self._parts.setdefault(family, []).append((number, first, count))
        self._file = pa.ipc.open_file(pa.OSFile(str(path)))
        self._held: tuple[int, pa.RecordBatch | None] = (-1, None)

    def batches(self, family: int) -> Iterator[pa.RecordBatch]:
        """Yield a family's rows in their order, some thousands at a time."""
        for number, first, count in self._parts.get(family, ()):
            # Families are mostly asked for in order, and several small ones stand in one batch.
            if self._held[0] != number:
                self._held = (number, self._file.get_batch(number))
            batch = self._held[1]
            assert batch is not None
            yield batch.slice(first, count)

    def rows(self, family: int) -> pa.RecordBatch:
        """Return a family's rows in their order."""
        return whole(self.batches(family), self._file.schema)

    def numpy(self, family: int) -> dict[str, np.ndarray]:
        """Return the columns of a family's rows."""
        return as_numpy(pa.Table.from_batches([self.rows(family)]))


def whole(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows in one piece, which is not copied where it comes in one."""
    parts = list(batches) or [pa.RecordBatch.from_pylist([], schema)]
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


class FamilyCalls:
    """What panels are made of, and the core of every family that has had one."""

    def __init__(
        self,
        engine: Engine,
        families: Families,
        population: Population,
        blocks: Blocks,
        available: frozenset[str],
    ) -> None:
        self._engine = engine
        self._families = families
        self._population = population
        self._blocks = blocks
        self._available = available
        self._cores: dict[int, Core] = {}
        self._carriers: dict[int, Carriers] = {}

    def panels(self, chosen: list[int]) -> Iterator[tuple[int, Panel]]:
        """Yield each chosen family with its calls, in the order given."""
        self._collect(chosen)
        yield from one_ahead((family, self._first_panel(family)) for family in chosen)

    def _first_panel(self, family: int) -> Panel:
        kept = self._kept_items([family])
        found = self._rows(family, kept)
        self._cores[family], rows = Core.kept_of(found)
        return self._panel(family, rows, kept)

    def together(self, families: Sequence[int]) -> tuple[list[int], list[Panel]]:
        """Return panels of families that have had one, each call in the first of them that it carries the core of, and
        which families have any call.

        The same share of the items is kept of each, so that all of them are PANEL_CALLS_MAX calls at most.
        """
        kept = self._kept_items(families)
        seen = np.zeros(0, dtype=np.uint64)
        found, panels = [], []
        for family in families:
            rows = self._cores[family].keep(self._rows(family, kept))
            event = rows["event_key"].to_numpy()
            fresh = ~np.isin(event, seen)
            rows = rows.filter(pa.array(fresh))
            seen = np.concatenate([seen, event[fresh]])
            if len(rows):
                found.append(family)
                panels.append(self._panel(family, rows, kept))
        return found, panels

    def closest(self, families: list[int]) -> dict[str, np.ndarray]:
        """Return the calls that carry the core of any of the families, each once, under the one it carries most of.

        The columns of EVENT_COLUMNS, ordered by event.
        """
        parts = [self._core_rows(family) for family in sorted(families)]
        return closest({name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {})

    def signature(self, family: int) -> Signature:
        """Return what the calls of a family that `closest` was asked about have in common, and who makes them."""
        core, members = self._cores[family], self._members.numpy(family)
        calls = shingle_rows(core.keep(self._rows(family, self._kept_items([family]))))
        banned = (members["banned"] != 0) & (members["closed_us"] >= 0)
        return Signature(
            group_id=self._families.name(family),
            shingles=most_carried(calls, core.shingle),
            hits_needed=core.hits_needed,
            own=most_carried(calls, self._families.shingle[self._families.family == family]),
            own_needed=int(self._families.hits_needed()[family]),
            carriers=self._carriers[family],
            banned=members["account_key"][banned],
            banned_us=members["closed_us"][banned],
        )

    def _collect(self, chosen: list[int]) -> None:
        self._engine.collect(self._families, chosen)
        sizes = self._engine.numpy("SELECT family, calls FROM panel_sizes")
        self._sizes = dict(zip(sizes["family"].tolist(), sizes["calls"].tolist(), strict=True))
        every = [(min(chosen, default=0), max(chosen, default=0))]
        self._held = self._file("held_values", "*", "kind, value, account_key", every)
        self._members = self._file("family_members", "*", "account_key", every)
        order = "account_key, time_us, event_key"
        self._calls = self._file("panel_calls", ", ".join(COLUMNS), order, stretches(self._sizes) or every)

    def _file(self, name: str, columns: str, order: str, families: list[tuple[int, int]]) -> FamilyFile:
        """Put a table's rows in order, a stretch of the families at a time."""
        asked = [
            f"SELECT {columns} FROM {name} WHERE family BETWEEN {first} AND {last} ORDER BY family, {order}"
            for first, last in families
        ]
        found = self._engine.batches(f"{asked[0]} LIMIT 0").schema
        # Cast once as they are written, they are not cast whenever they are read.
        schema = pa.schema([pa.field(each.name, PACKED) if each.type == pa.binary() else each for each in found])
        rows = (batch.cast(schema) for one in asked for batch in self._engine.batches(one))
        return FamilyFile(self._engine.place(f"{name}.arrow"), pa.RecordBatchReader.from_batches(schema, rows))

    def _rows(self, family: int, kept: int) -> pa.RecordBatch:
        """Return a family's calls by account and time, of a share of its items."""
        if kept == THINNING:
            return self._calls.rows(family)
        share = np.uint64(kept)
        parts = [
            batch.filter(pa.array(batch["item_key"].to_numpy() % np.uint64(THINNING) < share))
            for batch in self._calls.batches(family)
        ]
        return whole(parts, parts[0].schema)

    def _panel(self, family: int, calls: pa.RecordBatch, kept: int) -> Panel:
        rows = FamilyRows(
            self._families.name(family),
            calls,
            kept / THINNING,
            self._members.numpy(family),
            self._held.numpy(family),
        )
        return build_panel(rows, self._population, self._blocks, self._available)

    def _kept_items(self, families: Sequence[int]) -> int:
        count = sum(self._sizes.get(family, 0) for family in families)
        if count > PANEL_CALLS_MAX:
            saturated = self._engine.saturated
            saturated["panel_calls_max"] = max(saturated.get("panel_calls_max", 0), count)
        return share_of(count)

    def _core_rows(self, family: int) -> dict[str, np.ndarray]:
        """Return the calls of one family that carry its core, and how much of it, read a batch at a time."""
        close = self._cores[family].closeness
        found = self._engine.elsewhere(family, (*EVENT_COLUMNS, "shingles"), close)
        if found is None:
            found = pa.concat_tables(close(pa.Table.from_batches([some])) for some in self._calls.batches(family))
        rows = {name: found[name].to_numpy() for name in found.column_names}
        self._carriers[family] = Carriers.of(rows["account_key"])
        return rows


def stretches(sizes: dict[int, int]) -> list[tuple[int, int]]:
    """Return the first and the last family of stretches of ORDERED_CALLS_MAX calls at most, or of one family."""
    found: list[tuple[int, int]] = []
    calls = 0
    for family in sorted(sizes):
        calls += sizes[family]
        if found and calls <= ORDERED_CALLS_MAX:
            found[-1] = (found[-1][0], family)
        else:
            found.append((family, family))
            calls = sizes[family]
    return found


def share_of(count: int) -> int:
    """Return how much of THINNING is kept of so many calls."""
    return THINNING if count <= PANEL_CALLS_MAX else int(THINNING * PANEL_CALLS_MAX / count)
