"""Which snapshot is in force: swapped between two calls while a gate runs, and never for a worse one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stillwatch.errors import Error
from stillwatch.gate.contract import Meter
from stillwatch.gate.snapshot import OpenSnapshot, open_snapshot

_Seen = tuple[int, int, int]
"""Inode, size and time of change: what tells one file of a name from the next."""


@dataclass(slots=True)
class Holder:
    """The snapshot at `path`, as long as one of the trusted keys (file name → PEM) signed it.

    `memory` is the file in which a gate keeps the sequence that it has taken, so that no older one is taken after it
    was started again either; without one a gate begins with whatever is good. A snapshot in force that expires stays,
    and knows nobody.
    """

    path: Path
    public_pems: Mapping[str, bytes]
    secret: bytes
    meter: Meter
    memory: Path | None = None
    _held: OpenSnapshot | None = field(default=None, init=False)
    _seen: _Seen | None = field(default=None, init=False)
    _fault: str = field(default="", init=False)

    def current(self) -> OpenSnapshot | None:
        """Return the snapshot in force; None before there was one."""
        return self._held

    def refresh(self, now_us: int) -> bool:
        """Look whether there is another file, and put it in force where it is good; return whether it was.

        Whatever is wrong with it keeps the last good one and raises an alarm of that name, again at every look until it
        is put right: no-such-snapshot, snapshot-broken, snapshot-version, snapshot-cut, snapshot-forged,
        snapshot-untrusted, snapshot-other-key, snapshot-future, snapshot-expired, snapshot-old, sequence-unreadable. A
        sequence that cannot be kept is the alarm sequence-not-kept, once for each snapshot.

        Cost:    one look at the file's status; where it changed, the file read from end to end, a fifth of a second for
                 a million accounts: ask from a thread of its own, never from one that answers calls.
        """
        before = self._held
        seen = _seen(self.path)
        # One of the future comes of age by waiting.
        if seen != self._seen or seen is None or self._fault == "snapshot-future":
            self._fault = self._take(now_us)
            self._seen = seen
        if self._fault:
            self.meter.alarm(self._fault)
        if self._held is not None and self._held.head.expires_us <= now_us and self._fault != "snapshot-expired":
            self.meter.alarm("snapshot-expired")
        return self._held is not before

    def _take(self, now_us: int) -> str:
        """Put the file in force; return what is wrong with it, nothing where it is good."""
        try:
            found = open_snapshot(self.path, dict(self.public_pems), self.secret, now_us)
        except Error as error:
            return error.ident
        held = self._held
        if held is not None and found.ident == held.ident:
            return ""
        if held is not None:
            oldest = held.head.sequence + 1
        else:
            try:
                oldest = _remembered(self.memory)
            except (OSError, ValueError):
                return "sequence-unreadable"
        if found.head.sequence < oldest:
            return "snapshot-old"
        self._held = found
        if self.memory is not None and not _remember(self.memory, found.head.sequence):
            self.meter.alarm("sequence-not-kept")
        return ""


def _remembered(memory: Path | None) -> int:
    """Return the sequence that was taken last; 0 where none was. Raises OSError, ValueError."""
    try:
        return int(memory.read_text(encoding="ascii")) if memory is not None else 0
    except FileNotFoundError:
        return 0


def _remember(memory: Path, sequence: int) -> bool:
    """Keep a sequence, whole or not at all; return whether it could be."""
    unfinished = memory.with_name(f"{memory.name}.unfinished")
    try:
        unfinished.write_text(f"{sequence}\n", encoding="ascii")
        unfinished.replace(memory)
    except OSError:
        return False
    return True


def _seen(path: Path) -> _Seen | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
