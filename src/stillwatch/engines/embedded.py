"""The embedded engine: kernels over record batches, digests in DuckDB, everything spilled beside the run."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import trace
from stillwatch.adapters.contract import LogFile
from stillwatch.adapters.source import list_files
from stillwatch.campaign.families import Families, group_shingles
from stillwatch.digests import statements
from stillwatch.engines import whole_log
from stillwatch.engines.accounts import GREATEST_FIRST
from stillwatch.engines.blocks import Blocks, LogFacts
from stillwatch.engines.contract import ROWS_WRITTEN, OnCalls, Progress, RunRequest
from stillwatch.engines.members import MEMBER_COLUMNS, MEMBER_SCHEMA, member_rows
from stillwatch.engines.reading import BLOCKS, CODEC, IN_FLIGHT_MAX, ReadFacts, Rejections, flagged_batches, read_log
from stillwatch.engines.shingles import shared_shingles, shingle_rows
from stillwatch.kernels.semantic import Embedder
from stillwatch.kernels.sharing import TABLE_BITS, assign_groups
from stillwatch.signals.contract import Population

if TYPE_CHECKING:
    from stillwatch.engines.output import Flagged

MEMORY_MAX = "500MB"
"""DuckDB's share of the 2 GB ceiling; the shingle table takes 256 MiB and the interpreter with Arrow the rest."""

ACCOUNTS_MIN = 8
"""A skeleton that fewer accounts share is theirs: it is never linked, and no word of it is ever shown."""

FAMILIES_PER_CALL_MAX = 8
"""A harness, a recipe, a template, an item, and as many common phrases: those a call carries most of are kept."""

DEDUPE_ROWS_MAX = 4_000_000
"""Event keys looked at in one go for repeats: about 400 MB in the hash table."""

FAMILY_CALLS_MIN = 50
"""A family of fewer calls cannot be tested, and is not listed either: they are most of all families."""

PART_ROWS_MAX = 4_000_000
"""Rows of calls by family that are added up in one go: about 300 MB of accounts in the hash table."""

PASS_ROWS = 32_768


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
        listed = ", ".join(_quoted(file) for file in files)
        self._base.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet([{listed}])")

    def table_of(self, name: str, statement: str) -> None:
        """Make a table of a statement's rows."""
        self._base.execute(f"CREATE TABLE {name} AS {statement}")

    def append_to(self, name: str, statement: str) -> None:
        """Add a statement's rows to a table, which the first of them makes."""
        self._base.execute(f"CREATE TABLE IF NOT EXISTS {name} AS {statement} LIMIT 0")
        self._base.execute(f"INSERT INTO {name} {statement}")

    def numpy(self, statement: str) -> dict[str, np.ndarray]:
        """Return a statement's columns."""
        found = self._base.sql(statement).to_arrow_table()
        return {name: _plain(found[name]).to_numpy() for name in found.column_names}

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
            f"SELECT * FROM read_parquet({_quoted(found)}) ORDER BY event_id, account_id, campaign_id", ROWS_WRITTEN
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
            self._base.execute(f"COPY ({statement}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION {CODEC})")
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
        """Yield what `work` makes of each batch of traces, in order, made on all cores."""
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for file in self._trace_files:
                for batch in pq.ParquetFile(file).iter_batches(PASS_ROWS, columns=columns):
                    waiting.append(pool.submit(work, batch))
                    if len(waiting) >= IN_FLIGHT_MAX:
                        yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _assigned(
        self, families: Families, columns: list[str]
    ) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray, int]]:
        """Yield each batch with the rows that belong to families, their families, and how many rows had too many."""
        needed = families.hits_needed()

        def assign(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, np.ndarray, np.ndarray, int]:
            rows, family, saturated = assign_groups(
                shingle_rows(batch), self._table, families.shingle, families.family, needed, FAMILIES_PER_CALL_MAX
            )
            return batch, rows, family, saturated

        yield from self._over(columns, assign)

    def find_families(self) -> Families:
        """Count which shingles enough accounts share, exactly, and join those that the same calls carry."""
        return group_shingles(*shared_shingles(self._over, self._table, ACCOUNTS_MIN))

    def assign_calls(self, families: Families, blocks: Blocks) -> None:
        """Write, for each call of each family, what the families' digests need."""
        self._table[:] = 0
        self._table[families.shingle >> np.uint32(32 - TABLE_BITS)] = 1
        path = self._work / "members.parquet"
        moved = self.numpy(statements.MOVED_CALLS)["event_key"]
        over = 0
        with pq.ParquetWriter(path, MEMBER_SCHEMA, compression=CODEC) as writer:
            for batch, rows, family, saturated in self._assigned(families, [*MEMBER_COLUMNS, "shingles"]):
                over += saturated
                writer.write_batch(member_rows(batch, rows, family, blocks, moved))
        if over:
            self.saturated["families_per_call_max"] = over
        self._view("members", [path])

    def family_facts(self) -> dict[str, np.ndarray]:
        """Return one row for each family with enough accounts: `statements.FAMILY_FACTS`.

        A part of the families at a time, so that memory is bounded by PART_ROWS_MAX and not by the log.
        """
        parts = self.row("SELECT count(*) FROM members")[0] // PART_ROWS_MAX + 1
        for part in range(parts):
            self.table_of("family_accounts_part", statements.FAMILY_ACCOUNTS.format(parts=parts, part=part))
            large = statements.LARGE_FAMILIES.format(accounts_min=ACCOUNTS_MIN)
            kept = f"SELECT * FROM family_accounts_part SEMI JOIN ({large}) USING (family)"
            self.append_to("family_accounts", kept)
            self._base.execute("DROP TABLE family_accounts_part")
        for name, statement in (
            ("family_sizes", statements.FAMILY_SIZES),
            ("family_items", statements.FAMILY_ITEMS),
            ("family_classes", statements.FAMILY_CLASSES),
        ):
            for part in range(parts):
                self.append_to(name, statement.format(parts=parts, part=part, calls_min=FAMILY_CALLS_MIN))
        return self.numpy(statements.FAMILY_FACTS)

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
        """Make what panels are made of: `panel_calls`, `panel_sizes`, `family_members` and `held_values`."""
        self._base.register("given_families", pa.table({"family": pa.array(chosen, pa.int32())}))
        self.table_of("chosen", "SELECT family FROM given_families")
        self._base.unregister("given_families")
        for kind, statement in enumerate(statements.IDENTITIES):
            self.append_to("identities", statement)
            self.append_to("shared_values", statements.SHARED_VALUES.format(kind=kind))
        self.table_of("held_values", statements.HELD_VALUES + " ORDER BY f.family")
        self.table_of("account_variety", statements.ACCOUNT_VARIETY)
        self.table_of("family_members", statements.FAMILY_MEMBERS + " ORDER BY f.family")
        self._collect_calls(families, chosen)
        # In order of families, so that each one's calls are read without looking at the others'.
        self.table_of("panel_calls", statements.PANEL_CALLS + " ORDER BY family")
        self.table_of("panel_sizes", statements.PANEL_SIZES)

    def all_calls(self, family: int, columns: Sequence[str], work: OnCalls) -> Iterator[pa.Table]:
        """Yield what `work` makes of all calls of a family, by event, a batch at a time."""
        listed = ", ".join(columns)
        for batch in self.batches(f"SELECT {listed} FROM panel_calls WHERE family = {family} ORDER BY event_key"):
            yield work(pa.Table.from_batches([batch]))

    def flagged_events(self, read: ReadFacts, flagged: Flagged) -> Iterator[pa.RecordBatch]:
        """Read again the files that hold flagged calls."""
        return flagged_batches(read, frozenset(int(source) for source in np.unique(flagged.source)))

    def _collect_calls(self, families: Families, chosen: list[int]) -> None:
        """Write all columns of the chosen families' calls, for the view `collected`; the shingle table goes."""
        wanted = np.zeros(len(families.size), dtype=bool)
        wanted[chosen] = True
        schema = trace.TRACE_SCHEMA.insert(0, pa.field("family", pa.int32()))
        path = self._work / "panels.parquet"
        with pq.ParquetWriter(path, schema, compression=CODEC, use_dictionary=False) as writer:
            for batch, rows, family, _ in self._assigned(families, trace.TRACE_SCHEMA.names):
                keep = wanted[family]
                taken = batch.take(pa.array(rows[keep]))
                columns = [
                    pa.array(family[keep]),
                    *(taken[name].cast(schema.field(name).type) for name in trace.TRACE_SCHEMA.names),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))
        self._table = np.zeros(0, dtype=np.uint8)
        self._view("collected", [path])

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


@dataclass(frozen=True, slots=True)
class EmbeddedSource:
    """A log that is read on this machine, into `work`."""

    request: RunRequest
    work: Path
    embedder: Embedder | None

    def inputs(self) -> list[LogFile]:
        """List the files of the log."""
        return list_files(self.request.events)

    def read(self, files: list[LogFile], rejections: Rejections, progress: Progress) -> ReadFacts:
        """Sketch the log."""
        return read_log(self.request, files, self.work, rejections, progress, self.embedder)

    def engine(self, read: ReadFacts) -> Embedded:
        """Return the engine over what was read."""
        return Embedded(self.work, read.hand_over())


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return sums, which DuckDB gives as 128-bit numbers, as int64."""
    return column.cast(pa.int64()) if pa.types.is_decimal(column.type) else column


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
