"""Where this machine reads a run's log, and the engine that then works on it: files, or a window of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stillwatch.adapters.contract import LogFile
from stillwatch.adapters.source import list_files
from stillwatch.engines.contract import Progress, Read, RunRequest
from stillwatch.engines.embedded import Embedded
from stillwatch.engines.reading import ReadFacts, Rejections, read_log
from stillwatch.engines.stored import StoredFacts, read_store
from stillwatch.kernels.semantic import Embedder


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

    def engine(self, read: Read) -> Embedded:
        """Return the engine over what was read."""
        return Embedded(self.work, read.hand_over())


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A window of a store, of which this machine makes traces in `work`."""

    request: RunRequest
    work: Path
    key_ident: str

    def inputs(self) -> list[LogFile]:
        """A store is no list of files."""
        return []

    def read(self, files: list[LogFile], rejections: Rejections, progress: Progress) -> StoredFacts:
        """Fetch the window's traces."""
        return read_store(self.request, self.key_ident, self.work, progress)

    def engine(self, read: Read) -> Embedded:
        """Return the engine over what was read."""
        return Embedded(self.work, read.hand_over())
