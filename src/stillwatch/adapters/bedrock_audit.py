"""CloudTrail events about Bedrock → who called: address, agent and key by request id.

Bedrock's invocation log knows neither address nor agent; CloudTrail's event about the same call knows
both. The index is read once for all files of a log and holds twelve bytes a call.
"""

from __future__ import annotations

import codecs
import hashlib
import ipaddress
import json
import re
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from stillwatch.adapters.bodies import embedded_json
from stillwatch.adapters.contract import LogFile, Reject, Rejection
from stillwatch.adapters.source import LINE_BYTES_MAX, json_values, open_stream
from stillwatch.adapters.streams import CHUNK_BYTES, rejecting

EVENT_SOURCE = "bedrock.amazonaws.com"

AUDIT_EVENTS_MAX = 16_000_000
"""200 MB as it stays and 600 MB while it is sorted: a third of what a run may take."""

CALLERS_MAX = 1_000_000
"""Different triples of address, agent and key: about 300 MB of strings at the most."""

REJECTIONS_MAX = 10_000
"""Bad audit records that are listed one by one; a file of another kind would give millions."""

Caller = tuple[str | None, str | None, str | None]
"""Address, agent and access key id."""

NOBODY: Caller = (None, None, None)

ENVELOPES = ("CloudTrailEvent", "detail", "message", "@message")
"""Where `lookup-events`, EventBridge and CloudWatch keep the event itself."""

RECORDS_START = re.compile(r'\s*\{\s*"(?:Records|Events)"\s*:\s*\[')


class AuditIndex:
    """Callers by request id, whatever the order of the events was."""

    def __init__(self, ids: npt.NDArray[np.uint64], whose: npt.NDArray[np.uint32], callers: list[Caller]):
        self._ids, self._whose, self._callers = ids, whose, callers
        self.rejections: list[Rejection] = []
        self._told: Reject | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def caller(self, request_id: object) -> Caller:
        """Return who made a call, or NOBODY."""
        if not isinstance(request_id, str):
            return NOBODY
        wanted = np.uint64(_key(request_id))
        at = int(np.searchsorted(self._ids, wanted))
        if at == len(self) or self._ids[at] != wanted:
            return NOBODY
        return self._callers[int(self._whose[at])]

    def tell(self, reject: Reject) -> None:
        """Give the bad audit records to `reject`, unless it was the last to hear of them."""
        if self._told != reject:
            for rejection in self.rejections:
                reject(rejection)
        self._told = reject


@lru_cache(maxsize=1)
def load(companions: tuple[LogFile, ...]) -> AuditIndex:
    """Read the audit events of a log once, however many of its files ask for them.

    Raises: Error input-vanished, input-unreadable.
    Cost: 12 bytes an event, AUDIT_EVENTS_MAX at the most; what is beyond gives one rejection.
    """
    collected = _Collected()
    rejections: list[Rejection] = []
    unlisted_count = 0

    def note(rejection: Rejection) -> None:
        nonlocal unlisted_count
        if len(rejections) < REJECTIONS_MAX:
            rejections.append(rejection)
        else:
            unlisted_count += 1

    for file in companions:
        for line, event in _events(file, note):
            if isinstance(event, dict):
                collected.add(event)
            else:
                note(Rejection(file.uri, line, "wrong-type", "record"))
    last = companions[-1].uri if companions else ""
    if unlisted_count:
        rejections.append(Rejection(last, 1, "more-rejected", f"{unlisted_count} more audit records"))
    if collected.beyond_count:
        detail = f"{collected.beyond_count} audit events are beyond the bound and were not joined"
        rejections.append(Rejection(last, 1, "too-many-audit-events", detail))
    index = collected.index()
    index.rejections = rejections
    return index


class _Collected:
    """Audit events in the order of reading, in as few bytes as they take."""

    def __init__(self) -> None:
        self._ids = array("Q")
        self._whose = array("I")
        self._callers: dict[Caller, int] = {}
        self.beyond_count = 0

    def add(self, event: Mapping[str, Any]) -> None:
        """Keep one event, if it is about a Bedrock call and there is room."""
        request_id = event.get("requestID")
        if event.get("eventSource") != EVENT_SOURCE or not isinstance(request_id, str):
            return
        identity = event.get("userIdentity")
        caller = (
            _address(event.get("sourceIPAddress")),
            _text(event.get("userAgent")),
            _text(identity.get("accessKeyId")) if isinstance(identity, dict) else None,
        )
        full = len(self._ids) >= AUDIT_EVENTS_MAX
        if full or (caller not in self._callers and len(self._callers) >= CALLERS_MAX):
            self.beyond_count += 1
            return
        self._ids.append(_key(request_id))
        self._whose.append(self._callers.setdefault(caller, len(self._callers)))

    def index(self) -> AuditIndex:
        """Sort; of several events about one call the same one stands in every order of reading."""
        callers = sorted(self._callers, key=lambda caller: [(one is None, one or "") for one in caller])
        rank = np.empty(len(callers), np.uint32)
        for place, caller in enumerate(callers):
            rank[self._callers[caller]] = place
        ids = np.asarray(self._ids, np.uint64)
        whose = rank[np.asarray(self._whose, np.uint32)]
        order = np.lexsort((whose, ids))
        ids, whose = ids[order], whose[order]
        first = np.ones(len(ids), bool)
        first[1:] = ids[1:] != ids[:-1]
        return AuditIndex(ids[first], whose[first], callers)


def _events(file: LogFile, reject: Reject) -> Iterator[tuple[int, object]]:
    """Yield a file's events and lines: delivered (`Records`), looked up (`Events`), one a line."""
    wrapped = True
    with open_stream(file) as stream, rejecting(file, reject, lambda: 1):
        text = _Text(stream)
        wrapped = text.match(RECORDS_START)
        for line, record in _members(text, file, reject) if wrapped else ():
            yield line, _unwrapped(record)
    if not wrapped:
        for line, record in json_values(file, reject):
            yield line, _unwrapped(record)


def _unwrapped(record: object) -> object:
    for key in ENVELOPES:
        if isinstance(record, dict) and "eventSource" not in record and key in record:
            record = embedded_json(record[key])
    return record


class _Text:
    """The part of a text stream that has not been read yet."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.held, self.line, self.at = "", 1, 0
        self.grow()

    def grow(self) -> bool:
        chunk = self._stream.read(CHUNK_BYTES)
        self.held = self.held[self.at :] + self._decoder.decode(chunk)
        self.at = 0
        return bool(chunk)

    def match(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.held, self.at)
        if found:
            self.move(found.end())
        return bool(found)

    def move(self, at: int) -> None:
        self.line += self.held.count("\n", self.at, at)
        self.at = at


def _members(text: _Text, file: LogFile, reject: Reject) -> Iterator[tuple[int, object]]:
    """Yield the members of an array that has begun, one at a time: a delivered file is one long line."""
    decode = json.JSONDecoder(strict=False).raw_decode
    separators = re.compile(r"[\s,]*")
    while True:
        text.match(separators)
        if text.at == len(text.held):
            if text.grow():
                continue
            return
        if text.held[text.at] == "]":
            return
        try:
            value, end = decode(text.held, text.at)
        except (ValueError, RecursionError):
            if len(text.held) - text.at <= LINE_BYTES_MAX and text.grow():
                continue
            reject(Rejection(file.uri, text.line, "not-json", "the rest of the audit file was not read"))
            return
        yield text.line, value
        text.move(end)


def _key(request_id: str) -> int:
    digest = hashlib.blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _address(value: object) -> str | None:
    """Return an address; a call that an AWS service made for someone has a host name in its place."""
    if not isinstance(value, str):
        return None
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return None
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
