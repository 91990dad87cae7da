"""The embedded engine: kernels over record batches, digests in DuckDB, everything spilled beside the run."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import trace
from stillwatch.campaign.families import Families, group_shingles
from stillwatch.digests import statements
from stillwatch.engines import whole_log
from stillwatch.engines.accounts import GREATEST_FIRST
from stillwatch.engines.blocks import Blocks, LogFacts
from stillwatch.engines.contract import ROWS_WRITTEN, OnCalls, Read
from stillwatch.engines.members import MEMBER_COLUMNS, MEMBER_SCHEMA, assigning, member_rows
from stillwatch.engines.panels import EVENT_COLUMNS, PANEL_COLUMNS
from stillwatch.engines.parts import CODEC, PartedFiles, ordered
from stillwatch.engines.reading import BLOCKS, IN_FLIGHT_MAX
from stillwatch.engines.shingles import PACKED_SCHEMA, shared_shingles, shingle_rows
from stillwatch.kernels.sharing import shared_slots
from stillwatch.signals.contract import Population

if TYPE_CHECKING:
    from stillwatch.engines.output import Flagged

MEMORY_MAX = "500MB"
"""DuckDB's share of the 2 GB ceiling; the shingle table takes 256 MiB and the interpreter with Arrow the rest."""

ACCOUNTS_MIN = 8
"""A skeleton that fewer accounts share is theirs: it is never linked, and no word of it is ever shown."""

DEDUPE_ROWS_MAX = 4_000_000
"""Event keys looked at in one go for repeats: about 400 MB in the hash table."""

FAMILY_CALLS_MIN = 50
"""A family of fewer calls cannot be tested, and is not listed either: they are most of all families."""

PART_ROWS_MAX = 4_000_000
"""Rows of calls by family that are added up in one go: about 300 MB of accounts in the hash table."""

PASS_ROWS = 32_768

PANEL_PARTS = 16
PANEL_ROWS = 8_192
"""Files of the chosen families' calls, and rows that are written to one at once: 40 MB in sum before they are."""

MEMBERS = "members"
MEMBER_PARTS = 64
"""Files of calls by family: of some millions of rows each at twenty million calls, and in sum 55 MB before written."""


class Tables:
    """Tables of one run in DuckDB, spilled into `work`: all of them, or the small end that another engine hands on."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._base = duckdb.connect(
            str(work / "digests.duckdb"),
            config={
                "memory_limit": MEMORY_MAX,
                "temp_directory": str(work / "spill"),
                "preserve_insertion_order": False,
            },
        )
        # Its own bar goes to standard output, where a run's answer belongs.
        self._base.execute("SET enable_progress_bar = false")
        self.saturated: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._base.close()
        # DuckDB has no name of its own for a full disk, only the system's words.
        if isinstance(error, duckdb.Error) and os.strerror(errno.ENOSPC) in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error

    def _view(self, name: str, files: list[Path]) -> None:
        listed = ", ".join(quoted(file) for file in files)
        self._base.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet([{listed}])")

    def place(self, name: str) -> Path:
        """Return where a file of the run's own goes; it is gone when the run is over."""
        return self._work / name

    def table_of(self, name: str, statement: str) -> None:
        """Make a table of a statement's rows."""
        self._base.execute(f"CREATE TABLE {name} AS {statement}")

    def append_to(self, name: str, statement: str) -> None:
        """Add a statement's rows to a table, which the first of them makes."""
        self._base.execute(f"CREATE TABLE IF NOT EXISTS {name} AS {statement} LIMIT 0")
        self._base.execute(f"INSERT INTO {name} {statement}")

    def numpy(self, statement: str) -> dict[str, np.ndarray]:
        """Return a statement's columns."""
        return as_numpy(self.table(statement))

    def row(self, statement: str) -> tuple[int, ...]:
        """Return the first row of a statement."""
        return self._base.execute(statement).fetchall()[0]

    def table(self, statement: str) -> pa.Table:
        """Return a statement's rows."""
        return self._base.sql(statement).to_arrow_table()

    def batches(self, statement: str, rows: int = PASS_ROWS) -> pa.RecordBatchReader:
        """Return a statement's rows, a batch of `rows` at a time."""
        return self._base.sql(statement).to_arrow_reader(rows)

    def sorted_exchanges(self, found: Path) -> pa.RecordBatchReader:
        """Return the rows of a Parquet file of exchanges, ordered by event."""
        return self.batches(
            f"SELECT * FROM read_parquet({quoted(found)}) ORDER BY event_id, account_id, campaign_id", ROWS_WRITTEN
        )


class Embedded(Tables):
    """One run's digests. `work` holds `traces-*.parquet` and all that is made of them."""

    def __init__(self, work: Path, table: np.ndarray) -> None:
        super().__init__(work)
        self._table = table
        self._trace_files = sorted(work.glob("traces-*.parquet"))
        self._view("traces", self._trace_files)
        self._view("blocks", [work / BLOCKS])

    def drop_repeats(self, rows: int) -> int:
        """Keep one row of each event id, the first by time and then by content; return how many went."""
        parts = rows // DEDUPE_ROWS_MAX + 1
        self._base.execute("CREATE TABLE repeated (event_key UBIGINT)")
        for part in range(parts):
            self._base.execute("INSERT INTO repeated " + statements.REPEATED_EVENTS.format(parts=parts, part=part))
        if not self.row("SELECT count(*) FROM repeated")[0]:
            return 0
        columns = {"columns": ", ".join(trace.TRACE_SCHEMA.names), "ordered": ", ".join(trace.CONTENT_ORDER)}
        kept = []
        for part in range(parts):
            path = self._work / f"once-{part:05d}.parquet"
            statement = statements.KEPT_EVENTS.format(**columns, parts=parts, part=part)
            self._base.execute(
                f"COPY ({statement}) TO {quoted(path)} "
                f"(FORMAT parquet, COMPRESSION {CODEC}, ROW_GROUP_SIZE {PASS_ROWS})"
            )
            kept.append(path)
        for file in self._trace_files:
            file.unlink()
        self._trace_files = kept
        self._view("traces", kept)
        return rows - self.row("SELECT count(*) FROM traces")[0]

    def _ask(self, name: str, **given: int) -> dict[str, np.ndarray]:
        return self.numpy(getattr(statements, name).format(**given))

    def log_facts(self, duplicates_count: int) -> LogFacts:
        """Return how large the log is."""
        return whole_log.log_facts(self._ask, duplicates_count)

    def add_accounts(self, rows: Path) -> None:
        """Take the accounts' facts (`accounts.write_account_rows`), one row of each."""
        self._view("given_accounts", [rows])
        self.table_of("account_rows", statements.ACCOUNT_ROWS.format(columns=GREATEST_FIRST))
        self.table_of("account_calls", statements.ACCOUNT_CALLS)
        self.table_of("account_facts", statements.ACCOUNT_FACTS)
        self._find_foreign_blocks()

    def _over(self, columns: list[str], work: Callable[[pa.RecordBatch], Any]) -> Iterator[Any]:
        """Yield what `work` makes of each batch of traces, in order, read and made on all cores."""

        def read(path: Path, metadata: pq.FileMetaData, groups: list[int]) -> list[Any]:
            with pq.ParquetFile(path, metadata=metadata) as file:
                found = file.read_row_groups(groups, columns, use_threads=False)
            return [work(batch) for batch in found.combine_chunks().to_batches()]

        waiting: deque[Future[list[Any]]] = deque()
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for path in self._trace_files:
                metadata = pq.read_metadata(path)
                for groups in _row_groups(metadata):
                    waiting.append(pool.submit(read, path, metadata, groups))
                    if len(waiting) >= IN_FLIGHT_MAX:
                        yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def _assigned(
        self, families: Families, columns: list[str], take: Callable[[pa.RecordBatch, np.ndarray, np.ndarray], None]
    ) -> int:
        """Give each batch to `take`, with the rows that belong to families and their families; many threads do so.

        Return how many rows belonged to too many.
        """
        assign = assigning(families)

        def work(batch: pa.RecordBatch) -> int:
            rows, family, over = assign(shingle_rows(batch))
            take(batch, rows, family)
            return over

        return sum(self._over(columns, work))

    def find_families(self) -> Families:
        """Count which shingles enough accounts share, exactly, and join those that the same calls carry.

        The table of the reading goes.
        """
        first, self._table = shared_slots(self._table), np.zeros(0, dtype=np.uint8)
        accounts = self.numpy("SELECT account_key FROM account_calls ORDER BY account_key")["account_key"]
        return group_shingles(*shared_shingles(self._over, first, accounts, ACCOUNTS_MIN, self._work))

    def assign_calls(self, families: Families, blocks: Blocks) -> None:
        """Write, for each call of each family, what the families' digests need."""
        moved = self.numpy(statements.MOVED_CALLS)["event_key"]
        members = PartedFiles(self._work, MEMBERS, MEMBER_SCHEMA, MEMBER_PARTS, MEMBER_PARTS * PASS_ROWS)

        def take(batch: pa.RecordBatch, rows: np.ndarray, family: np.ndarray) -> None:
            order, starts = ordered(family % MEMBER_PARTS, MEMBER_PARTS)
            members.write(member_rows(batch, rows[order], family[order], blocks, moved), starts)

        over = self._assigned(families, [*MEMBER_COLUMNS, "shingles"], take)
        members.close()
        if over:
            self.saturated["families_per_call_max"] = over

    def family_facts(self) -> dict[str, np.ndarray]:
        """Return one row for each family with enough accounts: `statements.FAMILY_FACTS`.

        A part of the families at a time, so that memory is bounded by PART_ROWS_MAX and not by the log. Calls by family
        are gone afterwards.
        """
        busy = f"SELECT family FROM read_parquet([{{files}}]) GROUP BY family HAVING count(*) >= {FAMILY_CALLS_MIN}"
        large = statements.LARGE_FAMILIES.format(accounts_min=ACCOUNTS_MIN)
        for files, parts, part in self._member_parts():
            listed = ", ".join(quoted(file) for file in files)
            self.table_of("busy_families", busy.format(files=listed))
            within = f"WITH members AS (SELECT * FROM read_parquet([{listed}]) SEMI JOIN busy_families USING (family)) "
            asked = {"parts": parts, "part": part, "calls_min": FAMILY_CALLS_MIN}
            self.table_of("family_accounts_part", within + statements.FAMILY_ACCOUNTS.format(**asked))
            self.table_of("large_part", f"SELECT * FROM family_accounts_part SEMI JOIN ({large}) USING (family)")
            self.append_to("family_accounts", "SELECT * FROM large_part")
            of_part = "WITH family_accounts AS (FROM large_part) "
            self.append_to("family_sizes", of_part + statements.FAMILY_SIZES.format(**asked))
            self.append_to("family_items", within + statements.FAMILY_ITEMS.format(**asked))
            self.append_to("family_classes", within + statements.FAMILY_CLASSES.format(**asked))
            for name in ("busy_families", "family_accounts_part", "large_part"):
                self._base.execute(f"DROP TABLE {name}")
        for file in self._work.glob(f"{MEMBERS}-*.parquet"):
            file.unlink()
        return self.numpy(statements.FAMILY_FACTS)

    def _member_parts(self) -> Iterator[tuple[list[Path], int, int]]:
        """Yield files of calls by family that are looked at together, and which part of their families then is.

        Small files are taken together; of a large one, one part of the families after the other.
        """
        gathered: list[Path] = []
        rows = 0
        for number, file in enumerate(sorted(self._work.glob(f"{MEMBERS}-*.parquet"))):
            size = pq.read_metadata(file).num_rows
            if gathered and rows + size > PART_ROWS_MAX:
                yield gathered, 1, 0
                gathered, rows = [], 0
            if size > PART_ROWS_MAX:
                cuts = size // PART_ROWS_MAX + 1
                yield from (([file], MEMBER_PARTS * cuts, number + MEMBER_PARTS * cut) for cut in range(cuts))
            else:
                gathered.append(file)
                rows += size
        if gathered:
            yield gathered, 1, 0

    def population(self, facts: LogFacts, blocks: Blocks) -> Population:
        """Return what is true of the whole log."""
        return whole_log.population(self._ask, facts, blocks)

    def _find_foreign_blocks(self) -> None:
        """List the calls between whose owners a reasoning block passed; a part of the blocks at a time."""
        parts = self.row("SELECT count(*) FROM blocks")[0] // DEDUPE_ROWS_MAX + 1
        for part in range(parts):
            self.append_to("foreign_blocks", statements.FOREIGN_BLOCKS.format(parts=parts, part=part))
        self.table_of("foreign_calls", statements.FOREIGN_CALLS)
        self.table_of("taken_calls", statements.TAKEN_CALLS)

    def collect(self, families: Families, chosen: list[int]) -> None:
        """Make what panels are made of: see `contract.Engine`. Nothing is kept beside the calls: each is asked once."""
        self._base.register("given_families", pa.table({"family": pa.array(chosen, pa.int32())}))
        self.table_of("chosen", "SELECT family FROM given_families")
        self._base.unregister("given_families")
        for kind, statement in enumerate(statements.IDENTITIES):
            self.append_to("identities", statement)
            self.append_to("shared_values", statements.SHARED_VALUES.format(first_kind=kind, last_kind=kind))
        self.table_of("account_variety", statements.ACCOUNT_VARIETY)
        self._collect_calls(families, chosen)
        for name in ("HELD_VALUES", "FAMILY_MEMBERS", "PANEL_CALLS", "PANEL_SIZES"):
            self._base.execute(f"CREATE VIEW {name} AS {getattr(statements, name)}")

    def elsewhere(self, family: int, columns: Sequence[str], work: OnCalls) -> None:
        """All calls of every chosen family are here."""

    def flagged_events(self, read: Read, flagged: Flagged) -> Iterator[pa.RecordBatch]:
        """Read again what holds flagged calls."""
        sources = frozenset(int(source) for source in np.unique(flagged.source))
        return read.again(sources, flagged.event, flagged.time_us)

    def _collect_calls(self, families: Families, chosen: list[int]) -> None:
        """Write what panels need of the chosen families' calls, for the view `collected`, neighbours in one file.

        Traces are gone afterwards: nobody asks them any more.
        """
        part_of = np.full(len(families.size), PANEL_PARTS, dtype=np.int16)
        part_of[chosen] = np.arange(len(chosen)) * PANEL_PARTS // max(len(chosen), 1)
        fields = [field for field in PACKED_SCHEMA if field.name in (*EVENT_COLUMNS, *PANEL_COLUMNS)]
        schema = pa.schema([pa.field("family", pa.int32()), *fields])
        panels = PartedFiles(self._work, "panels", schema, PANEL_PARTS, PANEL_PARTS * PANEL_ROWS)

        def take(batch: pa.RecordBatch, rows: np.ndarray, family: np.ndarray) -> None:
            order, starts = ordered(part_of[family], PANEL_PARTS)
            order = order[: starts[-1]]
            taken = batch.take(pa.array(rows[order]))
            columns = [taken[field.name].cast(field.type) for field in fields]
            panels.write(pa.record_batch([pa.array(family[order]), *columns], schema=schema), starts)

        self._assigned(families, [field.name for field in fields], take)
        panels.close()
        self._view("collected", panels.files)
        for file in self._trace_files:
            file.unlink()

    def calls_of(self, accounts: list[int]) -> dict[int, int]:
        """Return how many calls each account made in the whole log."""
        wanted = pa.table({"account_key": pa.array(accounts, pa.uint64())})
        self._base.register("wanted_accounts", wanted)
        found = self.numpy("SELECT account_key, calls FROM account_calls SEMI JOIN wanted_accounts USING (account_key)")
        self._base.unregister("wanted_accounts")
        return dict(zip(found["account_key"].tolist(), found["calls"].tolist(), strict=True))

    def considered(self, names: dict[int, str]) -> pa.RecordBatchReader:
        """Return account_key, group_id and calls of every account in the given families, each with its name."""
        given = {"family": pa.array(list(names), pa.int32()), "group_id": pa.array(list(names.values()), pa.string())}
        self._base.register("given_names", pa.table(given))
        self.table_of("names", "SELECT * FROM given_names")
        self._base.unregister("given_names")
        return self.batches(
            "SELECT account_key, group_id, calls FROM family_accounts JOIN names USING (family) "
            "ORDER BY account_key, group_id",
            ROWS_WRITTEN,
        )


def _row_groups(metadata: pq.FileMetaData) -> Iterator[list[int]]:
    """Yield the row groups of a file, as many at a time as PASS_ROWS hold, one at least."""
    part: list[int] = []
    rows = 0
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).num_rows
        if part and rows + size > PASS_ROWS:
            yield part
            part, rows = [], 0
        part.append(group)
        rows += size
    if part:
        yield part


def as_numpy(rows: pa.Table) -> dict[str, np.ndarray]:
    """Return the columns of a statement's rows."""
    return {name: _plain(rows[name]).to_numpy() for name in rows.column_names}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return sums, which DuckDB gives as 128-bit numbers, as int64."""
    return column.cast(pa.int64()) if pa.types.is_decimal(column.type) else column


def quoted(path: Path) -> str:
    """Return a path as a literal of a statement."""
    return "'" + str(path).replace("'", "''") + "'"
