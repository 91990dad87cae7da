"""What a run is asked, what it tells while it goes on, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from stillwatch.adapters.contract import ReadSettings
from stillwatch.pseudonym import UNKEYED
from stillwatch.store.window import Window


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Everything that decides what a run answers. `rejected_max` is a share of the records.

    `online` is the file of the stream that the run is a window of; `grants` are signed with one of `grant_keys`, and
    `grants_used` are earlier runs whose calls count against them. `power` asks what could have been found.
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
    power: bool = True
    semantic: Path | None = None
    force: bool = False
    store: str | None = None
    window: Window | None = None


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


class Observer(Protocol):
    """Who looks at the flagged calls again (the report's skeleton), and finishes the run's directory.

    `add` gets flagged events and, row for row, their campaign; `finish` gets the directory before it is renamed
    into place, so that a run without its report is never seen.
    """

    def add(self, batch: pa.RecordBatch, campaign_ids: Sequence[str | None]) -> None: ...

    def finish(self, run_dir: Path) -> None: ...
