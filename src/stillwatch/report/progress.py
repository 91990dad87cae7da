"""A run while it goes: a bar where a person watches, plain lines where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_SECONDS_MIN = 5.0
"""A log collector keeps every line for ever: one in five seconds tells as much as a hundred."""


class Bar:
    """A live bar with rows, bytes and the time left. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            TextColumn("{task.fields[rows]:,} calls"),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._rows = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, stage: str, total_bytes: int | None) -> None:
        self._rows = 0
        self._task = self._bar.add_task(stage, total=total_bytes, rows=0)

    def advance(self, rows: int, size_bytes: int) -> None:
        if self._task is not None:
            self._rows += rows
            self._bar.update(self._task, advance=size_bytes, rows=self._rows)

    def end(self, stage: str, seconds: float, rows: int) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        self.note(f"{stage}: {rows:,} rows in {seconds:.1f} s")

    def note(self, text: str) -> None:
        self._console.print(f"stillwatch: {text}", markup=False, highlight=False, soft_wrap=True)


class Lines:
    """A line at the start and end of a stage and now and then between; `quiet` leaves the notes alone."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float], quiet: bool = False) -> None:
        self._write = write
        self._clock = clock
        self._quiet = quiet
        self._stage = ""
        self._total_bytes: int | None = None
        self._rows = 0
        self._bytes = 0
        self._told_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, stage: str, total_bytes: int | None) -> None:
        self._stage, self._total_bytes = stage, total_bytes
        self._rows = self._bytes = 0
        self._told_at = self._clock()
        self._tell(f"{stage} …")

    def advance(self, rows: int, size_bytes: int) -> None:
        self._rows += rows
        self._bytes += size_bytes
        now = self._clock()
        if now - self._told_at >= LINE_SECONDS_MIN:
            self._told_at = now
            of = f" of {self._total_bytes / 1e6:,.0f}" if self._total_bytes else ""
            self._tell(f"{self._stage}: {self._rows:,} calls, {self._bytes / 1e6:,.0f}{of} MB")

    def end(self, stage: str, seconds: float, rows: int) -> None:
        self._tell(f"{stage}: {rows:,} rows in {seconds:.1f} s")

    def note(self, text: str) -> None:
        self._write(f"stillwatch: {text}")

    def _tell(self, text: str) -> None:
        if not self._quiet:
            self._write(f"stillwatch: {text}")
