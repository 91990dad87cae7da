"""."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Detector(Protocol):
    """Whatever reads a log and writes a run's directory.

    `version` changes whenever an answer might: a digest of the source, the laboratory's included. Finished tasks are
    kept under it. Work is shared out over processes: a detector can be pickled.
    """

    @property
    def version(self) -> str: ...

    def run(self, events: Path, accounts: Path, out: Path, seed: int, power: bool = False) -> Path:
        """Write `accounts.parquet` and `exchanges.parquet` into `out`, which does not exist yet, and return it.

        With `power` the run's `run.json` says what it could have found; without, it may leave that out.
        """
        ...


class Progress(Protocol):
    """Who is told how far the benchmark is."""

    def note(self, text: str) -> None: ...
