"""Where a store's files lie: a folder or any fsspec location, and what writing there promises."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, cast

from stillwatch.adapters.streams import locate, reason_of
from stillwatch.errors import Error

UNFINISHED = ".unfinished-"
"""How the name of a local file begins that is still being written: nobody reads it, and the sweep takes it away."""


def digest_of(data: bytes) -> str:
    """Return the digest by which a file of the store is named and checked."""
    return blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """The root of a store. Names are relative to it, with `/` between their parts.

    On a local disk a file appears by a rename or a link after it is on the disk whole (`fsync`); elsewhere by one put,
    which object stores show whole or not at all.
    """

    url: str
    fs: Any
    root: str
    local: bool

    @staticmethod
    def of(url: str) -> Place:
        """Find a place by its folder or URL. Raises:  Error input-protocol."""
        fs, root = locate(url)
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        return Place(url, fs, root.rstrip("/"), "file" in protocols)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; one of that name is replaced."""
        if self.local:
            unfinished = self._written_locally(name, data)
            unfinished.replace(self.path(name))
            _settle(unfinished.parent)
        else:
            self.fs.makedirs(self.path(name).rpartition("/")[0], exist_ok=True)
            self.fs.pipe_file(self.path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet; return False where somebody else wrote it first.

        One of several writers wins on a local disk (a hard link) and wherever fsspec's `mode="create"` is exclusive
        (s3, gcs, abfs, memory). Elsewhere the file is read again: who finds other bytes has lost, and of two writers
        within one moment both may believe to have won.
        """
        if self.local:
            unfinished = self._written_locally(name, data)
            try:
                os.link(unfinished, self.path(name))
            except FileExistsError:
                return False
            finally:
                unfinished.unlink()
            _settle(unfinished.parent)
            return True
        self.fs.makedirs(self.path(name).rpartition("/")[0], exist_ok=True)
        try:
            self.fs.pipe_file(self.path(name), data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            # What object stores answer where "if none match" fails.
            if error.errno not in (errno.EEXIST, None) or not self.fs.exists(self.path(name)):
                raise
        return self.get(name) == data

    def get(self, name: str) -> bytes:
        """Read a file. Raises:  FileNotFoundError; Error store-unreadable."""
        try:
            return cast(bytes, self.fs.cat_file(self.path(name)))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unreadable(self.path(name), error) from error

    def open(self, name: str) -> BinaryIO:
        """Open a file to read parts of it. Raises:  FileNotFoundError; Error store-unreadable."""
        try:
            return cast(BinaryIO, self.fs.open(self.path(name), "rb"))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unreadable(self.path(name), error) from error

    def names(self, folder: str) -> list[str]:
        """List the files under a folder, to the bottom, sorted; none where there is no such folder."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.find(self.path(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(self.path(folder), error) from error
        start = len(self.root) + 1
        return sorted(path[start:] for path in found)

    def age_s(self, name: str, now: datetime) -> float:
        """Return how long ago a file was written, by the clock of where it lies."""
        return float((now - self.fs.modified(self.path(name))).total_seconds())

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is no matter."""
        try:
            self.fs.rm_file(self.path(name))
        except FileNotFoundError:
            return

    def _written_locally(self, name: str, data: bytes) -> Path:
        """Write a file beside the name that it is to get, and wait until the disk has it."""
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{UNFINISHED}{os.getpid()}-{threading.get_ident()}-{path.name}")
        try:
            with unfinished.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        return unfinished


def unreadable(where: str, error: OSError) -> Error:
    """Say that the storage failed, not what is stored."""
    return Error("store-unreadable", f"reading the store failed: {reason_of(error)}", where=where)


def _settle(folder: Path) -> None:
    """Wait until the disk knows the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
