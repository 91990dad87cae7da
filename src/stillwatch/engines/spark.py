"""The Spark engine: the same kernels in tasks, the same digests on the cluster, the small end on the driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaign.families import Families, group_shingles
from stillwatch.digests import spark
from stillwatch.engines import whole_log
from stillwatch.engines.accounts import ACCOUNT_ROWS_SCHEMA
from stillwatch.engines.blocks import Blocks, LogFacts
from stillwatch.engines.contract import ROWS_WRITTEN, OnCalls, Read
from stillwatch.engines.embedded import ACCOUNTS_MIN, FAMILY_CALLS_MIN, Tables, quoted
from stillwatch.engines.family_calls import PANEL_CALLS_MAX, THINNING, share_of
from stillwatch.engines.members import MEMBER_COLUMNS
from stillwatch.engines.panels import EVENT_COLUMNS, PANEL_COLUMNS
from stillwatch.engines.spark_families import (
    CLOSE,
    COLLECTED,
    MEMBERS,
    NO_FAMILY,
    Assign,
    Collect,
    OnPanelCalls,
)
from stillwatch.engines.spark_reading import BLOCK, TRACE
from stillwatch.engines.spark_rows import spark_schema, to_spark
from stillwatch.engines.spark_session import Cluster
from stillwatch.engines.spark_shingles import (
    BLOBS,
    HELD,
    HELD_ROWS,
    SHARED,
    VALUES,
    Hold,
    MergeHeld,
    SiftFirst,
    SiftSecond,
    Spread,
    part_bits_of,
    shared_in,
    values_in,
)
from stillwatch.errors import Error
from stillwatch.kernels.sifting import MARKS, STAYS
from stillwatch.signals.contract import Population
from stillwatch.trace import TRACE_SCHEMA

if TYPE_CHECKING:
    from stillwatch.engines.output import Flagged
    from stillwatch.engines.spark_log import SparkLog

CANDIDATES_MAX = 1 << 24
"""Shingles that may be shared: 64 MB, which every task that counts them is sent a part of."""

SHARED_MAX = 1 << 22
"""Shingles that are shared: 60 MB, which every task that assigns calls is sent, and 500 MB while they are grouped."""

MOVED_MAX = 1 << 22
"""Calls at which a reasoning block passed between owners: 32 MB, sent to the same tasks."""

PANEL_ROWS_MAX = 40_000_000
"""Calls of the tested families, thinned: about 12 GB on the driver's disk."""

PART_ROWS_MAX = 500_000
"""Calls that are fetched in one go: 160 MB in the driver, twice while they are turned into Arrow."""

ACCOUNT_ROWS_MAX = 50_000_000
"""Rows of accounts by family that the driver takes of any kind: some 5 GB on its disk."""

CLOSE_ROWS_MAX = 20_000_000
"""Calls of one rejected family: 1.3 GB in the driver's memory, more than any published campaign has."""

MODULUS_OVER = (1 << 64) % THINNING


class Spark:
    """One run on a cluster. It fits `contract.Engine`; `work` holds the small end."""

    def __init__(self, cluster: Cluster, log: SparkLog, work: Path) -> None:
        self._cluster = cluster
        self._log = log
        self._work = work
        self._said = spark.load()
        self._small = Tables(work)
        self._rows = 0
        self._repeats = False
        self._thinned: set[int] = set()
        self.saturated = self._small.saturated
        self.numpy, self.batches, self.place = self._small.numpy, self._small.batches, self._small.place
        self.sorted_exchanges = self._small.sorted_exchanges
        cluster.name("read_traces", cluster.sql(f"SELECT {_TRACE_COLUMNS} FROM read_log WHERE kind = {TRACE}"))
        cluster.name("traces", cluster.sql("SELECT * FROM read_traces"))
        cluster.name(
            "blocks",
            cluster.sql(
                "SELECT item_key AS block_key, event_key, account_key, status AS presented FROM read_log "
                f"WHERE kind = {BLOCK}"
            ),
        )

    def __enter__(self) -> Self:
        self._small.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        self._small.__exit__(kind, error, at)

    def _ask(self, name: str, **given: int) -> dict[str, np.ndarray]:
        found = self._cluster.fetch(self._statement(name, **given))
        return {column: found[column].to_numpy() for column in found.column_names}

    def _statement(self, name: str, **given: int | str) -> Any:
        """Return the rows of a digest. On a cluster nothing is done part by part."""
        return self._cluster.sql(self._said[name].format(parts=1, part=0, **given))

    def drop_repeats(self, rows: int) -> int:
        """Keep one row of each event id, the first by time and then by content; return how many went."""
        self._rows = rows
        repeated = self._cluster.keep("repeated", self._statement("REPEATED_EVENTS"))
        if not repeated.count():
            return 0
        self._repeats = True
        self._cluster.keep("traces", self._statement("KEPT_EVENTS"))
        self._rows = int(
            self._cluster.fetch(self._cluster.sql("SELECT count(*) AS calls FROM traces"))["calls"][0].as_py()
        )
        return rows - self._rows

    def log_facts(self, duplicates_count: int) -> LogFacts:
        """Return how large the log is."""
        return whole_log.log_facts(self._ask, duplicates_count)

    def population(self, facts: LogFacts, blocks: Blocks) -> Population:
        """Return what is true of the whole log."""
        return whole_log.population(self._ask, facts, blocks)

    def add_accounts(self, rows: Path) -> None:
        """Take the accounts' facts (`accounts.write_account_rows`), one row of each."""
        given = [to_spark(batch) for batch in pq.read_table(rows).to_batches()]
        table = pa.Table.from_batches(given, schema=spark_schema(ACCOUNT_ROWS_SCHEMA))
        self._cluster.name("given_accounts", self._cluster.given(table))
        self._cluster.keep("account_rows", self._statement("ACCOUNT_ROWS"))
        self._cluster.keep("account_calls", self._statement("ACCOUNT_CALLS"))
        self._cluster.keep("account_facts", self._statement("ACCOUNT_FACTS"))
        self._cluster.keep("foreign_blocks", self._statement("FOREIGN_BLOCKS"))
        self._cluster.keep("foreign_calls", self._statement("FOREIGN_CALLS"))
        self._cluster.keep("taken_calls", self._statement("TAKEN_CALLS"))

    def find_families(self) -> Families:
        """Count which shingles enough accounts share, exactly, and join those that the same calls carry."""
        candidates = self._candidates()
        found = [pa.table({"value": pa.array([], pa.int32()), "witnesses": pa.array([], pa.binary())})]
        calls = self._cluster.sql("SELECT event_key, account_key, shingles FROM traces")
        for start in range(0, len(candidates), HELD_ROWS):
            task = Hold(candidates[start : start + HELD_ROWS], ACCOUNTS_MIN)
            held = self._cluster.map(calls, task, HELD).repartition("value")
            shared = self._cluster.keep("shared", self._cluster.map(held, MergeHeld(ACCOUNTS_MIN), SHARED))
            fits(shared.count() + sum(map(len, found)), SHARED_MAX, "shingles that accounts share")
            found.append(self._cluster.fetch(shared))
        return group_shingles(*shared_in(pa.concat_tables(found)))

    def _candidates(self) -> np.ndarray:
        """Return the shingles that pass both tables of `shingles.shared_shingles` and that enough calls carry."""
        bits = part_bits_of(self._rows)
        read, kept = ("SELECT account_key, shingles FROM " + view for view in ("read_traces", "traces"))
        if self._repeats:
            marks = self._cluster.map(self._cluster.sql(read), Spread(bits, int(MARKS)), BLOBS)
            stays = self._cluster.map(self._cluster.sql(kept), Spread(bits, int(STAYS)), BLOBS)
            spread = marks.union(stays)
        else:
            spread = self._cluster.map(self._cluster.sql(kept), Spread(bits, int(MARKS | STAYS)), BLOBS)
        first = self._cluster.map(_by_part(spread, bits), SiftFirst(bits), BLOBS)
        second = self._cluster.map(_by_part(first, bits), SiftSecond(bits, ACCOUNTS_MIN), VALUES)
        found = self._cluster.keep("candidates", second)
        count = self._cluster.fetch(self._cluster.sql("SELECT coalesce(sum(count), 0) AS count FROM candidates"))
        fits(count["count"][0].as_py(), CANDIDATES_MAX, "shingles that many calls carry")
        return values_in(self._cluster.fetch(found))

    def assign_calls(self, families: Families, blocks: Blocks) -> None:
        """Make, for each call of each family, what the families' digests need."""
        moved = self._ask("MOVED_CALLS")["event_key"]
        fits(len(moved), MOVED_MAX, "calls with reasoning blocks of others")
        calls = self._cluster.sql(f"SELECT {', '.join(MEMBER_COLUMNS)}, shingles FROM traces")
        task = Assign(families, blocks, moved.astype(np.uint64))
        self._cluster.keep("assigned", self._cluster.map(calls, task, MEMBERS))
        self._cluster.name("members", self._cluster.sql(f"SELECT * FROM assigned WHERE family <> {NO_FAMILY}"))
        over = f"SELECT coalesce(sum(item_key), 0) AS calls FROM assigned WHERE family = {NO_FAMILY}"
        if count := self._cluster.fetch(self._cluster.sql(over))["calls"][0].as_py():
            self.saturated["families_per_call_max"] = count

    def family_facts(self) -> dict[str, np.ndarray]:
        """Return one row for each family with enough accounts: `statements.FAMILY_FACTS`."""
        self._cluster.keep("family_accounts_part", self._statement("FAMILY_ACCOUNTS"))
        self._cluster.name("large_families", self._statement("LARGE_FAMILIES", accounts_min=ACCOUNTS_MIN))
        large = "SELECT * FROM family_accounts_part LEFT SEMI JOIN large_families USING (family)"
        self._cluster.keep("family_accounts", self._cluster.sql(large))
        for name in ("family_sizes", "family_items", "family_classes"):
            self._cluster.keep(name, self._statement(name.upper(), calls_min=FAMILY_CALLS_MIN))
        return self._ask("FAMILY_FACTS")

    def collect(self, families: Families, chosen: list[int]) -> None:
        """Make what panels are made of on the cluster, and hand the driver what fits it: see `contract.Engine`."""
        self._cluster.name("chosen", self._cluster.given(pa.table({"family": pa.array(chosen, pa.int32())})))
        kinds = sum(name.startswith("IDENTITIES") for name in self._said)
        self._cluster.keep("identities", _union(self._statement(f"IDENTITIES {kind}") for kind in range(kinds)))
        self._cluster.keep("shared_values", self._statement("SHARED_VALUES", first_kind=0, last_kind=kinds - 1))
        self._cluster.keep("account_variety", self._statement("ACCOUNT_VARIETY"))
        for name in ("held_values", "family_members"):
            frame = self._cluster.keep(name, self._statement(name.upper()))
            fits(frame.count(), ACCOUNT_ROWS_MAX, "accounts of tested families")
            self._hand_over(name, [self._cluster.fetch(frame)])
        wanted = np.zeros(len(families.size), dtype=bool)
        wanted[chosen] = True
        calls = self._cluster.map(self._cluster.sql("SELECT * FROM traces"), Collect(families, wanted), COLLECTED)
        self._cluster.name("collected", calls)
        self._cluster.keep("panel_calls", self._statement("PANEL_CALLS"))
        sizes = self._ask("PANEL_SIZES")
        order = np.argsort(sizes["family"])
        self._hand_over("panel_sizes", [pa.table({name: column[order] for name, column in sizes.items()})])
        self._hand_over("panel_calls", self._panel_calls(sizes["family"][order], sizes["calls"][order]))

    def _panel_calls(self, families: np.ndarray, calls: np.ndarray) -> Iterator[pa.Table]:
        """Yield the calls of the tested families, some families at a time; of a large one a share of its items."""
        kept = np.array([share_of(int(count)) for count in calls], dtype=np.int64)
        self._thinned = {int(family) for family in families[kept < THINNING]}
        rows = np.minimum(calls, PANEL_CALLS_MAX)
        fits(int(rows.sum()), PANEL_ROWS_MAX, "calls of tested families")
        columns = ", ".join(dict.fromkeys(("family", *PANEL_COLUMNS, *EVENT_COLUMNS)))
        part = np.cumsum(rows) // PART_ROWS_MAX
        yield self._cluster.fetch(self._cluster.sql(f"SELECT {columns} FROM panel_calls LIMIT 0"))
        for number in np.unique(part):
            shares = [(int(families[at]), int(kept[at])) for at in np.flatnonzero(part == number)]
            whole = ", ".join(str(family) for family, share in shares if share == THINNING)
            which = [f"family IN ({whole})"] if whole else []
            which += [f"family = {family} AND {_ITEM} < {share}" for family, share in shares if share < THINNING]
            yield self._cluster.fetch(
                self._cluster.sql(f"SELECT {columns} FROM panel_calls WHERE {' OR '.join(which)} ORDER BY family")
            )

    def _hand_over(self, name: str, parts: Iterator[pa.Table] | Sequence[pa.Table]) -> None:
        """Make a table of the small end, by family."""
        path = self._work / f"{name}.parquet"
        writer: pq.ParquetWriter | None = None
        for part in parts:
            writer = writer or pq.ParquetWriter(path, part.schema, compression="lz4", use_dictionary=False)
            writer.write_table(part)
        assert writer is not None
        writer.close()
        self._small.table_of(name, f"SELECT * FROM read_parquet({quoted(path)}) ORDER BY family")
        path.unlink()

    def elsewhere(self, family: int, columns: Sequence[str], work: OnCalls) -> pa.Table | None:
        """Return what `work` makes of all calls of a family, on the cluster, where the driver has a share of them."""
        if family not in self._thinned:
            return None
        calls = self._cluster.sql(f"SELECT {', '.join(columns)} FROM panel_calls WHERE family = {family}")
        close = self._cluster.keep("close_calls", self._cluster.map(calls, OnPanelCalls(work), spark_schema(CLOSE)))
        fits(close.count(), CLOSE_ROWS_MAX, "calls of one family that looks coordinated")
        return self._cluster.fetch(close)

    def flagged_events(self, read: Read, flagged: Flagged) -> Iterator[pa.RecordBatch]:
        """Look for flagged calls again, where they were read."""
        yield from self._log.flagged_events(flagged.event, flagged.source)

    def calls_of(self, accounts: list[int]) -> dict[int, int]:
        """Return how many calls each account made in the whole log."""
        found = self.numpy("SELECT DISTINCT account_key, calls FROM family_members ORDER BY account_key")
        place = np.searchsorted(found["account_key"], np.array(accounts, dtype=np.uint64))
        return dict(zip(accounts, found["calls"][place].tolist(), strict=True))

    def considered(self, names: dict[int, str]) -> pa.RecordBatchReader:
        """Return account_key, group_id and calls of every account in the given families, each with its name."""
        given = {"family": pa.array(list(names), pa.int32()), "group_id": pa.array(list(names.values()), pa.string())}
        self._cluster.name("names", self._cluster.given(pa.table(given)))
        frame = self._cluster.keep(
            "considered",
            self._cluster.sql(
                "SELECT f.family, f.account_key, n.group_id, f.calls FROM family_accounts f JOIN names n USING (family)"
            ),
        )
        fits(frame.count(), ACCOUNT_ROWS_MAX, "accounts of listed families")
        self._hand_over("considered", [self._cluster.fetch(frame)])
        return self._small.batches(
            "SELECT account_key, group_id, calls FROM considered ORDER BY account_key, group_id", ROWS_WRITTEN
        )


_TRACE_COLUMNS = ", ".join(TRACE_SCHEMA.names)

_ITEM = f"(pmod(item_key, {THINNING}) + CASE WHEN item_key < 0 THEN {MODULUS_OVER} ELSE 0 END) % {THINNING}"
"""An item's key, taken as unsigned, modulo THINNING."""


def fits(rows: int, rows_max: int, what: str) -> None:
    """Raise Error `too-large-for-driver` where the driver would have to take too many rows."""
    if rows > rows_max:
        raise Error(
            "too-large-for-driver",
            f"the driver would have to take {rows} {what}, and takes {rows_max} at most",
            hint="look at a shorter stretch of the log",
        )


def _by_part(frame: Any, bits: int) -> Any:
    return frame.repartition(1 << bits, "part").sortWithinPartitions("part")


def _union(frames: Iterator[Any]) -> Any:
    whole = next(frames)
    for frame in frames:
        whole = whole.union(frame)
    return whole
