"""Files that writers are still at: which have come to rest, and how far a growing one can be read.

Nobody tells when a file is whole, so a file is taken once it has the size that it had at the last look. A file that is
taken and grows again is taken again, *whole*: some dialects join a request and its reply over lines of one file, and
reading on from the middle would part them. Calls that come twice count once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from stillwatch.adapters.contract import LogFile
from stillwatch.adapters.source import LINE_BYTES_MAX, list_files
from stillwatch.adapters.streams import CHUNK_BYTES, is_packed, open_raw, open_stream
from stillwatch.errors import Error

LINES_SUFFIXES = (".jsonl", ".ndjson", ".log")
"""Files of a record a line, which can be read while they grow. A Parquet file has its key at its end, an array of JSON
its bracket, and a compressed file may be cut anywhere: these wait until they rest."""


@dataclass(slots=True)
class Looks:
    """What was seen of the files of some folders and globs.

    `taken` is the size at which a file was taken, `seen` its size at the last look, `waiting` when a file that keeps
    growing was first seen to, or taken last.
    """

    taken: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)

    def look(self, sources: Sequence[str], now_s: float, patience_s: float) -> list[LogFile]:
        """Return the files to take now, those that rest and those lines that have been growing for `patience_s`.

        Raises:  what `list_files` raises, but for a folder that is empty and a glob that matches nothing.
        """
        files = _list(sources)
        before, self.seen = self.seen, {file.uri: file.size_bytes for file in files}
        self.taken = {uri: size for uri, size in self.taken.items() if uri in self.seen}
        self.waiting = {uri: since for uri, since in self.waiting.items() if uri in self.seen}
        ready = []
        for file in files:
            if file.size_bytes == self.taken.get(file.uri):
                continue
            if file.size_bytes == before.get(file.uri):
                ready.append(file)
                continue
            overdue = now_s - self.waiting.setdefault(file.uri, now_s) >= patience_s
            lines = whole_lines(file) if overdue else None
            if lines is not None and lines.end_bytes != self.taken.get(file.uri):
                ready.append(lines)
        return ready

    def take(self, file: LogFile, now_s: float) -> None:
        """Remember that a file was taken as it is given here."""
        self.taken[file.uri] = file.size_bytes if file.end_bytes is None else file.end_bytes
        self.waiting[file.uri] = now_s


def _list(sources: Sequence[str]) -> list[LogFile]:
    found: dict[str, LogFile] = {}
    for source in sources:
        try:
            found |= {file.uri: file for file in list_files((source,))}
        except Error as error:
            nothing_yet = error.ident == "no-logs-found" or (error.ident == "no-such-input" and _is_glob(source))
            if not nothing_yet:
                raise
    return [found[uri] for uri in sorted(found)]


def _is_glob(source: str) -> bool:
    return any(sign in source for sign in "*?[")


def whole_lines(file: LogFile) -> LogFile | None:
    """Return a growing file up to the end of its last whole line, None where it is no file of lines or has none yet.

    Raises:  Error input-vanished, input-unreadable.
    """
    if not file.uri.lower().endswith(LINES_SUFFIXES):
        return None
    with open_stream(file) as stream:
        if is_packed(stream):
            return None
        end = file.size_bytes
        while end > max(0, file.size_bytes - LINE_BYTES_MAX):
            start = max(0, end - CHUNK_BYTES)
            stream.seek(start)
            last = stream.read(end - start).rfind(b"\n")
            if last >= 0:
                return replace(file, end_bytes=start + last + 1)
            end = start
    return None


def digest_of(file: LogFile) -> str:
    """Return the digest of a file's bytes as they are stored, up to where reading stops.

    Raises:  Error input-vanished, input-unreadable.
    """
    held = hashlib.blake2b(digest_size=16)
    with open_raw(file) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            held.update(chunk)
    return held.hexdigest()
