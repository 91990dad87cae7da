"""The calls of the chosen families: a panel of each, panels of several taken together, and whose a call is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from stillwatch.campaign.families import Families
from stillwatch.engines.blocks import Blocks
from stillwatch.engines.contract import Engine
from stillwatch.engines.panels import EVENT_COLUMNS, PANEL_COLUMNS, Core, FamilyRows, build_panel, closest
from stillwatch.signals.contract import Panel, Population

PANEL_CALLS_MAX = 400_000
"""Calls of one panel in memory (about 200 MB with what is made of them). Beyond it a share of the items is tested, all
their calls together, which thins honest and dealt-out counts alike."""

THINNING = 1_000_003
"""Items are kept by their key modulo this prime: a grain of one in a million."""


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

    def panels(self, chosen: list[int]) -> Iterator[tuple[int, Panel]]:
        """Yield each chosen family with its calls, in the order given."""
        self._engine.collect(self._families, chosen)
        for family in chosen:
            kept = self._kept_items([family])
            found = self._engine.table(_calls_of(family, kept, PANEL_COLUMNS))
            self._cores[family] = Core.of(found)
            yield family, self._panel(family, self._cores[family].keep(found), kept)

    def together(self, families: Sequence[int]) -> tuple[list[int], list[Panel]]:
        """Return panels of families that have had one, each call in the first of them that it carries the core of, and
        which families have any call.

        The same share of the items is kept of each, so that all of them are PANEL_CALLS_MAX calls at most.
        """
        kept = self._kept_items(families)
        seen = np.zeros(0, dtype=np.uint64)
        found, panels = [], []
        for family in families:
            rows = self._cores[family].keep(self._engine.table(_calls_of(family, kept, (*PANEL_COLUMNS, "event_key"))))
            event = rows["event_key"].to_numpy()
            rows = rows.filter(pa.array(~np.isin(event, seen)))
            seen = np.union1d(seen, event)
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

    def _panel(self, family: int, calls: pa.Table, kept: int) -> Panel:
        members = f"SELECT * FROM family_members WHERE family = {family} ORDER BY account_key"
        held = f"SELECT * FROM held_values WHERE family = {family} ORDER BY kind, value, account_key"
        rows = FamilyRows(
            self._families.name(family),
            calls,
            kept / THINNING,
            self._engine.numpy(members),
            self._engine.numpy(held),
        )
        return build_panel(rows, self._population, self._blocks, self._available)

    def _kept_items(self, families: Sequence[int]) -> int:
        listed = ", ".join(map(str, families))
        count = int(self._engine.row(f"SELECT coalesce(sum(calls), 0) FROM panel_sizes WHERE family IN ({listed})")[0])
        if count > PANEL_CALLS_MAX:
            saturated = self._engine.saturated
            saturated["panel_calls_max"] = max(saturated.get("panel_calls_max", 0), count)
        return share_of(count)

    def _core_rows(self, family: int) -> dict[str, np.ndarray]:
        """Return the calls of one family that carry its core, and how much of it, read a batch at a time."""
        kept = list(self._engine.all_calls(family, (*EVENT_COLUMNS, "shingles"), self._cores[family].closeness))
        found = pa.concat_tables(kept)
        return {name: found[name].to_numpy() for name in found.column_names}


def share_of(count: int) -> int:
    """Return how much of THINNING is kept of so many calls."""
    return THINNING if count <= PANEL_CALLS_MAX else int(THINNING * PANEL_CALLS_MAX / count)


def _calls_of(family: int, kept: int, columns: Sequence[str]) -> str:
    return (
        f"SELECT {', '.join(columns)} FROM panel_calls WHERE family = {family} "
        f"AND item_key % {THINNING} < {kept} ORDER BY account_key, time_us, event_key"
    )
