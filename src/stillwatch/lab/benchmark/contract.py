"""What the benchmark is handed: a detector to measure, somebody to tell, and an opponent to play against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from stillwatch.lab.benchmark.plan import Task


class Detector(Protocol):
    """Whatever reads a log and writes a run's directory.

    `version` changes whenever an answer might: a digest of the source, the laboratory's included. Finished tasks are
    kept under it.
    """

    @property
    def version(self) -> str: ...

    def run(self, events: Path, accounts: Path, out: Path, seed: int) -> Path:
        """Write `accounts.parquet` and `exchanges.parquet` into `out`, which does not exist yet, and return it."""
        ...


class Progress(Protocol):
    """Who is told how far the benchmark is."""

    def note(self, text: str) -> None: ...


Opponent = Callable[[Task, Detector, Path], dict[str, Any]]
"""Plays one game in a folder of its own and returns what JSON can hold. `rows` is a list of what was tried, each with
`strategy`, `against`, `calls_obtained` and `accounts_lost`; other keys are kept and not shown."""
