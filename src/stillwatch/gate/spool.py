"""A spool: lines that lie on this machine's disk before anybody waits for where they are going.

Each process has a folder of its own under the spool's, and holds a lock on it as long as it lives. Lines are appended
to a segment until it is sealed; sealed segments are handed on whole and then deleted. Whoever opens a spool adopts what
processes left that are gone.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import Error

LOCK = "lock"
OPEN, SEALED = ".open", ".jsonl"

SEGMENT_BYTES_MAX = 16 << 20
"""A segment is handed on whole and read into memory for that; more than this says nothing new to an object store."""

SPOOL_BYTES_MIN = 1 << 20
"""A spool that holds less would be full at the first moment that its destination is slow."""


@dataclass(slots=True)
class _Segment:
    path: Path
    descriptor: int
    size_bytes: int = 0


class Spool:
    """Lines of one process, and what others left. `append` is for one thread, the rest for any.

    A line that `append` took is in the hands of the operating system: it survives the death of the process, at whatever
    moment, though not a loss of power (nothing is waited for).
    """

    def __init__(self, folder: Path, instance: str, bytes_max: int, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        if bytes_max < SPOOL_BYTES_MIN:
            raise Error("spool-too-small", f"the spool may hold {bytes_max} bytes, expected {SPOOL_BYTES_MIN} at least")
        self._folder = folder / instance
        self._bytes_max, self._segment_bytes_max = bytes_max, segment_bytes_max
        self._mutex = threading.Lock()
        self._segment: _Segment | None = None
        self._number = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._held = _lock(self._folder)
            if self._held is None:
                raise Error("spool-in-use", "another process spools under this name", where=str(self._folder))
            self._adopted = list(_adopt(folder, self._folder))
            self._size_bytes = sum(path.stat().st_size for path in self.sealed())
        except OSError as error:
            raise Error("spool-unusable", f"the spool cannot be used: {error.strerror}", where=str(folder)) from error

    def append(self, line: bytes, stamp: int) -> bool:
        """Take a line (without its end); False where the spool or the disk is full. `stamp` names a new segment."""
        data = line + b"\n"
        with self._mutex:
            if self._size_bytes + len(data) > self._bytes_max:
                return False
            try:
                segment = self._segment or self._begin(stamp)
                written = os.write(segment.descriptor, data)
            except OSError:
                return False
            if written < len(data):
                # The disk is full in the middle of a line: what stands there of it must not be taken for one.
                os.ftruncate(segment.descriptor, segment.size_bytes)
                return False
            segment.size_bytes += written
            self._size_bytes += written
            if segment.size_bytes >= self._segment_bytes_max:
                self._seal()
        return True

    def seal(self) -> None:
        """End the open segment, if anything is in it, so that it is handed on."""
        with self._mutex:
            self._seal()

    def sealed(self) -> list[Path]:
        """List the segments to hand on, oldest first."""
        folders = (self._folder, *(folder for folder, _ in self._adopted))
        return sorted((path for folder in folders for path in folder.glob(f"*{SEALED}")), key=lambda path: path.name)

    def done(self, segment: Path) -> None:
        """Delete a segment that was handed on."""
        with self._mutex:
            self._size_bytes -= segment.stat().st_size
            segment.unlink()

    def close(self) -> None:
        """End the open segment and give the locks back; folders that are empty go."""
        self.seal()
        for folder, descriptor in (*self._adopted, (self._folder, self._held)):
            if not any(folder.glob(f"*{SEALED}")):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()
            if descriptor is not None:
                os.close(descriptor)
        self._adopted = []

    def _begin(self, stamp: int) -> _Segment:
        self._number += 1
        path = self._folder / f"{stamp:020d}-{self._folder.name}-{self._number:06d}{OPEN}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._segment = _Segment(path, descriptor)
        return self._segment

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            os.close(segment.descriptor)
            segment.path.rename(segment.path.with_suffix(SEALED))


def _lock(folder: Path) -> int | None:
    """Take the lock of a process' folder; None where its process lives."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _adopt(folder: Path, own: Path) -> Iterator[tuple[Path, int]]:
    """Yield the folders of processes that are gone, locked, their open segments sealed."""
    for other in sorted(path for path in folder.iterdir() if path.is_dir()):
        if other != own and (descriptor := _lock(other)) is not None:
            for segment in other.glob(f"*{OPEN}"):
                segment.rename(segment.with_suffix(SEALED))
            yield other, descriptor
    for segment in own.glob(f"*{OPEN}"):
        segment.rename(segment.with_suffix(SEALED))
