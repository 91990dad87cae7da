"""Where logs lie and how their bytes become lines and values: folders, fsspec, gzip, zstd, JSON, Parquet.

Every adapter reads through this file, so bad bytes mean the same in each dialect: what can be read
is read, the rest is rejected with its line, and memory stays constant whatever a file holds.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from stillwatch.adapters.contract import Head, LogFile, Reject, Rejection
from stillwatch.adapters.parquet import is_parquet, parquet_batches, parquet_columns
from stillwatch.adapters.streams import CHUNK_BYTES, locate, open_stream, reason_of, rejecting
from stillwatch.errors import Error

__all__ = [
    "Decode",
    "NotJsonError",
    "decode_json",
    "json_texts",
    "json_values",
    "list_files",
    "open_stream",
    "parquet_batches",
    "read_head",
]

SUFFIXES = (".json", ".jsonl", ".ndjson", ".log", ".parquet")
COMPRESSED_SUFFIXES = ("", ".gz", ".zst")

LINE_BYTES_MAX = 16 * 2**20
"""Over ten times the text of a million-token prompt's usual share in one call; more is not a record."""

LEAD_BYTES = 64
"""Enough to tell the layout of a file of JSON."""

SPREAD = rb"\s*(\[|\{[ \t\r]*\n)"  # how a file begins whose values are not one a line

HEAD_RECORDS_MAX = 32
HEAD_BYTES_MAX = 2**20
"""Enough to recognise a dialect; reading goes on past it only while nothing at all could be decoded."""

HEAD_SEARCH_BYTES_MAX = 64 * 2**20
"""How far to look for one first record behind lines that are too long or broken."""

FILES_COUNT_MAX = 1_000_000
"""A year of ten-minute files from nineteen hosts; more is a mistyped folder, or should be merged first."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def list_files(inputs: Sequence[str]) -> list[LogFile]:
    """List the log files that files, folders, globs and fsspec locations stand for, sorted by uri.

    A folder is walked to the bottom (links to folders are not followed) and gives the files whose
    suffix is known; a file named or matched by a glob is taken whatever its suffix. Names that begin
    with `.` or `_` are left out of folders and globs, as writers keep their bookkeeping there.

    Raises: Error no-such-input, no-logs-found, too-many-files, input-unreadable, input-protocol.
    """
    found: dict[str, LogFile] = {}
    for text in inputs:
        fs, path = locate(text)
        try:
            for file in _expand(fs, path, text):
                found[file.uri] = file
                if len(found) > FILES_COUNT_MAX:
                    raise Error("too-many-files", f"more than {FILES_COUNT_MAX} files", where=text)
        except FileNotFoundError as error:
            raise Error("no-such-input", "no such file or folder", where=text) from error
        except OSError as error:
            raise Error("input-unreadable", f"cannot list it: {reason_of(error)}", where=text) from error
    return [found[uri] for uri in sorted(found)]


def _expand(fs: Any, path: str, text: str) -> Iterator[LogFile]:
    if fs.exists(path):
        named = [fs.info(path)]
    else:
        named = list(fs.glob(path, detail=True).values()) if re.search(r"[*?\[]", path) else []
        named = [info for info in named if not _hidden(info["name"])]
        if not named:
            raise Error("no-such-input", "no such file or folder, and no file matches", where=text)
    for info in named:
        if info["type"] == "other":
            raise Error(
                "input-unreadable",
                "it is a pipe or a device, and a log must be read twice",
                hint="write it to a file first",
                where=text,
            )
        if info["type"] != "directory":
            yield _log_file(fs, info)
            continue
        inside = _walk(fs, info["name"])
        first = next(inside, None)
        if first is None:
            raise Error(
                "no-logs-found",
                "no log file in this folder",
                hint=f"logs end in {' '.join(SUFFIXES)}, each also with .gz or .zst; "
                "name a file itself to read it whatever its name",
                where=text,
            )
        yield first
        yield from inside


def _walk(fs: Any, folder: str) -> Iterator[LogFile]:
    for info in fs.ls(folder, detail=True):
        name = info["name"]
        if _hidden(name) or name.rstrip("/") == folder.rstrip("/"):
            continue
        if info["type"] == "directory":
            yield from _walk(fs, name)
        elif name.lower().endswith(_known_suffixes()) and (info["type"] == "file" or fs.isfile(name)):
            yield _log_file(fs, info)


def _known_suffixes() -> tuple[str, ...]:
    return tuple(suffix + packed for suffix in SUFFIXES for packed in COMPRESSED_SUFFIXES)


def _hidden(path: str) -> bool:
    return path.rstrip("/").rsplit("/", 1)[-1].startswith((".", "_"))


def _log_file(fs: Any, info: dict[str, Any]) -> LogFile:
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    name = str(info["name"])
    return LogFile(name if "file" in protocols else fs.unstrip_protocol(name), int(info["size"] or 0))


def chunks_of(stream: _Readable) -> Iterator[bytes]:
    """Yield the stream in reads of at most CHUNK_BYTES, without a leading byte order mark."""
    yield stream.read(CHUNK_BYTES).removeprefix(BYTE_ORDER_MARK)
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def numbered_lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number from 1; None stands for a line over LINE_BYTES_MAX."""
    line, held, held_bytes, over = 1, list[bytes](), 0, False
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        held_bytes += len(first)
        if over or held_bytes > LINE_BYTES_MAX:
            held, over = [], True
        else:
            held.append(first)
        if not rest:
            continue
        yield line, None if over else b"".join(held)
        for complete in itertools.islice(rest, len(rest) - 1):
            line += 1
            yield line, complete
        line, held, held_bytes, over = line + 1, [rest[-1]], len(rest[-1]), False
    if over or held_bytes:
        yield line, None if over else b"".join(held)


class NotJsonError(ValueError):
    """A text that is no JSON, or not the record that is due; with the reason and detail of its rejection."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


Decode = Callable[[bytes | str], Any]


def decode_json(raw: bytes | str, decode: Decode = msgspec.json.decode) -> Any:
    """Decode one JSON value, strictly except for half surrogate pairs, which become U+FFFD.

    A client that cuts a string inside an emoji writes `\\ud83d` alone; were such records rejected, an
    account could keep its calls out of sight by adding one to each prompt.

    Raises: NotJsonError (not-json, broken-utf8, nul-byte, nested-too-deep); msgspec.ValidationError
        from a typed `decode`.
    """
    try:
        return _decode_strictly(raw, decode)
    except NotJsonError as error:
        mended = _whole_surrogates(raw) if error.reason == "not-json" else raw
        if mended == raw:
            raise
    return _decode_strictly(mended, decode)


def _decode_strictly(raw: bytes | str, decode: Decode) -> Any:
    try:
        return decode(raw)
    except msgspec.ValidationError:
        if decode is not msgspec.json.decode:
            raise
        raise NotJsonError("not-json", "a number is out of range") from None
    except RecursionError:
        raise NotJsonError("nested-too-deep") from None
    except (UnicodeError, msgspec.DecodeError):
        raise NotJsonError(_why_not(raw)) from None


def _why_not(raw: bytes | str) -> str:
    octets = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
    if b"\0" in octets:
        return "nul-byte"
    try:
        octets.decode()
    except UnicodeDecodeError:
        return "broken-utf8"
    return "not-json"


_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _whole_surrogates(raw: bytes | str) -> bytes:
    octets = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], octets)


def json_texts(file: LogFile, reject: Reject) -> Iterator[tuple[int, bytes | str]]:
    """Yield each JSON value undecoded with the line it starts on: a line, an array's member, or an object.

    The layout is told by the first bytes: `[` begins arrays (one or many, on one line or several), a
    line with `{` alone begins pretty-printed objects, and anything else is one value a line. Memory
    is bounded by the largest value, and a value over LINE_BYTES_MAX is rejected.

    Raises: Error input-vanished, input-unreadable.
    """
    with open_stream(file) as stream:
        yield from _texts(file, stream, reject)


def json_values(file: LogFile, reject: Reject) -> Iterator[tuple[int, Any]]:
    """Yield what `json_texts` yields, decoded; what is no JSON is rejected.

    Raises: Error input-vanished, input-unreadable.
    """
    return _decoded(file, json_texts(file, reject), reject)


def _texts(file: LogFile, stream: _Readable, reject: Reject) -> Iterator[tuple[int, bytes | str]]:
    line = 0
    with rejecting(file, reject, lambda: line + 1):
        lead, chunks = b"", chunks_of(stream)
        while len(lead) < LEAD_BYTES and (chunk := next(chunks, None)) is not None:
            lead += chunk
        spread = file.span is None and re.match(SPREAD, lead)
        chunks = itertools.chain([lead], chunks)
        for line, text in _spread_texts(chunks) if spread else numbered_lines(chunks):
            if text is None:
                reject(Rejection(file.uri, line, "line-too-long", f"over {LINE_BYTES_MAX} bytes"))
            elif text := text.strip():
                yield line, text


def _decoded(file: LogFile, texts: Iterator[tuple[int, bytes | str]], reject: Reject) -> Iterator[tuple[int, Any]]:
    for line, text in texts:
        try:
            value = decode_json(text)
        except NotJsonError as error:
            reject(Rejection(file.uri, line, error.reason, error.detail))
        else:
            yield line, value


def _spread_texts(chunks: Iterator[bytes]) -> Iterator[tuple[int, str | None]]:
    """Yield the text of each value in arrays or over several lines; None stands for one that is too long.

    Brackets and commas between values are passed over, so that arrays flatten. After a broken value
    the scan goes on at the next line that begins with a record or an array.
    """
    window = _Window(chunks)
    while True:
        separators = _SEPARATORS.match(window.text, window.at)
        window.move(separators.end() if separators else window.at)
        if window.at == len(window.text):
            if not window.grow():
                return
            continue
        end, state = _value_end(window.text, window.at)
        held = len(window.text) - window.at
        if state == "open" and held <= LINE_BYTES_MAX and window.grow():
            continue
        too_long = state == "open" and held > LINE_BYTES_MAX
        yield window.line, None if too_long else window.text[window.at : end]
        if state == "whole":
            window.move(end)
        else:
            window.skip_record()


_SEPARATORS = re.compile(r"[\s,\[\]]*")
_RECORD_START = re.compile(r"\n(?=[\[{])")
_TOKEN_CHARS = 16
"""The longest token that a window's end can cut, other than a string: an escaped surrogate pair."""

_scanner = json.JSONDecoder(strict=False).raw_decode


def _value_end(text: str, start: int) -> tuple[int, Literal["whole", "open", "broken"]]:
    """Find where a value ends, or breaks; an open one may go on past the text."""
    try:
        return _scanner(text, start)[1], "whole"
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated string") or error.pos >= len(text) - _TOKEN_CHARS:
            return len(text), "open"
        return error.pos + 1, "broken"
    except (ValueError, RecursionError):
        return len(text), "broken"


class _Window:
    """The part of a stream that is being scanned: its text, how far the scan is, and on which line."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.text, self.at, self.line = "", 0, 1
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._failure: Exception | None = None

    def move(self, at: int) -> None:
        self.line += self.text.count("\n", self.at, at)
        self.at = at

    def grow(self) -> bool:
        """Drop what was scanned and at least double the rest, so that retries cost linear time in all."""
        if self._failure:
            raise self._failure
        parts = [self.text[self.at :]]
        wanted = max(CHUNK_BYTES, len(parts[0]))
        try:
            while wanted > 0 and (chunk := next(self._chunks, None)) is not None:
                parts.append(self._decoder.decode(chunk))
                wanted -= len(chunk)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self._failure = error
        grown = len(parts) > 1
        self.text, self.at = "".join(parts), 0
        return grown or self._failure is not None

    def skip_record(self) -> None:
        while not (found := _RECORD_START.search(self.text, self.at + 1)):
            self.move(max(self.at, len(self.text) - 1))
            if not self.grow():
                self.move(len(self.text))
                return
        self.move(found.end())


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Bounded:
    """The beginning of a stream, in small reads."""

    def __init__(self, stream: _Readable, bytes_max: int) -> None:
        self._stream, self.left = stream, bytes_max

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(min(size, self.left, 64 * 1024))
        self.left -= len(chunk)
        return chunk


def read_head(file: LogFile) -> Head:
    """Read the first records of a file, whatever it holds; broken records are passed over.

    Raises: Error input-vanished, input-unreadable.
    """
    if is_parquet(file):
        return Head(file, columns=parquet_columns(file))
    records: list[object] = []
    with open_stream(file) as stream:
        bounded = _Bounded(stream, HEAD_SEARCH_BYTES_MAX)
        for _, value in _decoded(file, _texts(file, bounded, _ignore), _ignore):
            records.append(value)
            taken = HEAD_SEARCH_BYTES_MAX - bounded.left
            if len(records) == HEAD_RECORDS_MAX or taken >= HEAD_BYTES_MAX:
                break
    return Head(file, records=tuple(records))


def _ignore(_: Rejection) -> None:
    """Pass over: the reading proper rejects the same record again, and then it counts."""
