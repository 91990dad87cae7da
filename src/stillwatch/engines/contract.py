"""What a run is asked, what it tells while it goes on, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from stillwatch.adapters.contract import LogFile, ReadSettings
from stillwatch.pseudonym import UNKEYED
from stillwatch.store.window import Window

if TYPE_CHECKING:
    from stillwatch.campaign.families import Families
    from stillwatch.engines.blocks import Blocks, LogFacts
    from stillwatch.engines.output import Flagged
    from stillwatch.engines.reading import Rejections
    from stillwatch.signals.contract import Population


ROWS_WRITTEN = 131_072
"""Rows of one row group of what a run writes."""


@dataclass(frozen=True, slots=True)
class SparkAsk:
    """Where Spark runs: at a master, or behind the address of a Connect server; and Spark's own settings."""

    master: str | None = None
    remote: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Everything that decides what a run answers. `rejected_max` is a share of the records.

    `online` is the file of the stream that the run is a window of; `grants` are signed with one of `grant_keys`, and
    `grants_used` are earlier runs whose calls count against them; `grant_revocations` end some of them before their
    time, signed with one of `grant_keys` as well. `power` asks what could have been found.
    `semantic` is the folder of the model that texts are embedded with. With `store` the calls are those of a store's
    `window` (the last thirty days where it is None), and `events` is empty.
    """

    events: tuple[str, ...]
    out: Path
    accounts: tuple[str, ...] = ()
    format: str = "auto"
    engine: str = "embedded"
    fdr: float = 0.05
    seed: int = 0
    rejected_max: float = 0.01
    read: ReadSettings = field(default_factory=ReadSettings)
    key: bytes = UNKEYED
    calibration: Path | None = None
    online: Path | None = None
    grants: tuple[Path, ...] = ()
    grant_keys: tuple[Path, ...] = ()
    grants_used: tuple[Path, ...] = ()
    grant_revocations: tuple[Path, ...] = ()
    power: bool = True
    semantic: Path | None = None
    force: bool = False
    store: str | None = None
    window: Window | None = None
    spark: SparkAsk = field(default_factory=SparkAsk)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Where the run's files are and how many campaigns they name."""

    run_dir: Path
    campaigns_count: int


class Progress(Protocol):
    """What a run tells a person who waits."""

    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None: ...

    def end(self, stage: str, seconds: float, rows: int) -> None: ...

    def note(self, text: str) -> None: ...


SHOWN_COLUMNS = frozenset({"event_id", "account_id", "system_prompt", "input_text"})
"""Columns of a flagged event that an observer may look at; others may be left unread."""


class Observer(Protocol):
    """Who looks at the flagged calls again (the report's skeleton), and finishes the run's directory.

    `add` gets flagged events (SHOWN_COLUMNS) and, row for row, their campaign; `finish` gets the
    directory before it is renamed into place, so that a run without its report is never seen.
    """

    def add(self, batch: pa.RecordBatch, campaign_ids: Sequence[str | None]) -> None: ...

    def finish(self, run_dir: Path) -> None: ...


OnCalls = Callable[[pa.Table], pa.Table]
"""What an engine does with calls of a family, wherever it holds them."""


class Read(Protocol):
    """What reading learnt of a log, or of a store's window, and how to look at some of its calls again."""

    request: RunRequest
    rows: int
    filled: set[str]
    reason: str

    @property
    def dialect(self) -> str: ...

    @property
    def has_text(self) -> bool: ...

    def hand_over(self) -> np.ndarray: ...

    def again(self, sources: frozenset[int], events: np.ndarray, times_us: np.ndarray) -> Iterator[pa.RecordBatch]: ...

    def account_rows(self, given: Path) -> set[str]: ...

    def facts(self) -> dict[str, object]: ...


class Engine(Protocol):
    """One run's traces and what is made of them, in the order of a run; the answer is the same on every engine.

    `batches` and `numpy` ask the tables that `collect` makes for one machine: `panel_calls`, `panel_sizes`,
    `family_members` and `held_values`. Where it keeps a share of a family's calls only, `elsewhere` asks all of them.
    """

    saturated: dict[str, int]

    def drop_repeats(self, rows: int) -> int: ...

    def log_facts(self, duplicates_count: int) -> LogFacts: ...

    def add_accounts(self, rows: Path) -> None: ...

    def find_families(self) -> Families: ...

    def assign_calls(self, families: Families, blocks: Blocks) -> None: ...

    def family_facts(self) -> dict[str, np.ndarray]: ...

    def population(self, facts: LogFacts, blocks: Blocks) -> Population: ...

    def collect(self, families: Families, chosen: list[int]) -> None: ...

    def place(self, name: str) -> Path: ...

    def numpy(self, statement: str) -> dict[str, np.ndarray]: ...

    def batches(self, statement: str, rows: int = ...) -> pa.RecordBatchReader: ...

    def elsewhere(self, family: int, columns: Sequence[str], work: OnCalls) -> pa.Table | None: ...

    def flagged_events(self, read: Read, flagged: Flagged) -> Iterator[pa.RecordBatch]: ...

    def calls_of(self, accounts: list[int]) -> dict[int, int]: ...

    def considered(self, names: dict[int, str]) -> pa.RecordBatchReader: ...

    def sorted_exchanges(self, found: Path) -> pa.RecordBatchReader: ...


class Source(Protocol):
    """Where a run's log is read, by the engine that then works on it."""

    def inputs(self) -> list[LogFile]: ...

    def read(self, files: list[LogFile], rejections: Rejections, progress: Progress) -> Read: ...

    def engine(self, read: Read) -> AbstractContextManager[Engine]: ...
