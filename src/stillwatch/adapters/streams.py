"""Where bytes come from: local files and any fsspec location, decompressed by content as they are read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Self, cast

import fsspec
import pyarrow as pa

from stillwatch.adapters.contract import LogFile, Reject, Rejection
from stillwatch.errors import Error

CHUNK_BYTES = 2**20
"""One read. Larger gains nothing; smaller costs a call per few lines."""

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60)))
"""A zstd frame, or one of the sixteen skippable frames with which a seekable file may begin."""


def locate(text: str) -> tuple[Any, str]:
    """Find the file system and path of a location; fsspec has no types, hence `Any`."""
    try:
        fs, path = fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise Error(
            "input-protocol",
            "the package for this kind of location is not installed",
            hint="pip install s3fs for s3://, gcsfs for gs://, adlfs for abfs://",
            where=text,
        ) from error
    except ValueError as error:
        raise Error("input-protocol", "no such kind of location", where=text) from error
    return fs, path


def open_raw(file: LogFile) -> BinaryIO:
    """Open the bytes of a file as they are stored.

    Raises: Error input-vanished, input-unreadable.
    """
    fs, path = locate(file.uri)
    try:
        raw = fs.open(path, "rb")
        if file.end_bytes is not None:
            raw = _Until(raw, file.end_bytes)
        return cast(BinaryIO, _Metered(raw, file.on_read) if file.on_read else raw)
    except FileNotFoundError as error:
        raise Error(
            "input-vanished",
            "a file was listed but is gone now",
            hint="run again once the log is no longer rotated or moved",
            where=file.uri,
        ) from error
    except OSError as error:
        raise unreadable(file, error) from error


def open_stream(file: LogFile) -> BinaryIO:
    """Open a file and decompress gzip (of one or more members) or zstd by content, a chunk at a time.

    Reading a compressed file that was cut raises EOFError after the last byte that can be had; one
    that is damaged raises gzip.BadGzipFile or zlib.error. `rejecting` turns these into rejections.

    Raises: Error input-vanished, input-unreadable.
    """
    raw = open_raw(file)
    try:
        magic = raw.read(4)
        raw.seek(0)
    except OSError as error:
        raw.close()
        raise unreadable(file, error) from error
    if file.span is not None and magic != PARQUET_MAGIC:
        return cast(BinaryIO, _Lines(raw, *file.span))
    if magic.startswith(GZIP_MAGIC):
        return cast(BinaryIO, _Gzip(raw))
    if magic in ZSTD_MAGICS:
        raw.close()
        return cast(BinaryIO, _Zstd(file))
    return raw


def is_packed(stream: BinaryIO) -> bool:
    """Tell whether `open_stream` decompresses this stream, which then cannot seek cheaply."""
    return isinstance(stream, (_Gzip, _Zstd))


def unreadable(file: LogFile, error: OSError) -> Error:
    """Say that the storage, not the content, failed."""
    return Error("input-unreadable", f"reading failed: {reason_of(error)}", where=file.uri)


def reason_of(error: OSError) -> str:
    """Say what the operating system said, without the path that Python puts beside it."""
    return (error.strerror or type(error).__name__).lower()


class _Wrapped:
    """A stream of which something is different; all else is the stream's own."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()


class _Metered(_Wrapped):
    """A stream that tells how much was read from it."""

    def __init__(self, raw: Any, on_read: Callable[[int], None]) -> None:
        super().__init__(raw)
        self._on_read = on_read

    def read(self, size: int = -1) -> bytes:
        got: bytes = self._raw.read(size)
        self._on_read(len(got))
        return got


class _Lines(_Wrapped):
    """The lines that begin in a stretch of a stream's bytes."""

    def __init__(self, raw: Any, first: int, end: int) -> None:
        super().__init__(raw)
        self._open = False
        start = first
        if first:
            # The stretch before this one has the line that goes on into it.
            start = first - 1
            raw.seek(start)
            while chunk := raw.read(CHUNK_BYTES):
                found = chunk.find(b"\n")
                start += found + 1 if found >= 0 else len(chunk)
                if found >= 0:
                    break
            raw.seek(start)
        self._left = end - start

    def read(self, size: int = -1) -> bytes:
        wanted = CHUNK_BYTES if size < 0 else size
        if self._left > 0:
            got: bytes = self._raw.read(min(wanted, self._left))
            self._left = self._left - len(got) if got else 0
            self._open = bool(got) and not got.endswith(b"\n")
            return got
        if not self._open:
            return b""
        rest: bytes = self._raw.read(wanted)
        found = rest.find(b"\n")
        self._open = bool(rest) and found < 0
        return rest if found < 0 else rest[: found + 1]


class _Until(_Wrapped):
    """A stream that ends early."""

    def __init__(self, raw: Any, end: int) -> None:
        super().__init__(raw)
        self._end = end

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._raw.tell())
        got: bytes = self._raw.read(left if size < 0 else min(size, left))
        return got


class _Gzip(gzip.GzipFile):
    """A gzip stream whose short reads give what there is before a cut, and which owns its file."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._owned = raw

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) if size is None or size < 0 else self.read1(size)

    def close(self) -> None:
        super().close()
        self._owned.close()


class _Zstd(io.RawIOBase):
    """A zstd stream; Arrow's own loses what one failed read had decoded, so a cut is read again bytewise."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._stream = pa.CompressedInputStream(open_raw(file), "zstd")
        self._position = 0
        self._step = CHUNK_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            got = self._stream.read(min(len(buffer), self._step))
        except OSError as error:
            if error.errno is not None:
                raise
            if self._step > 1:
                self._reopen()
                return self.readinto(buffer)
            if "Truncated" in str(error):
                raise EOFError("cut") from error
            raise zlib.error("damaged") from error
        self._position += len(got)
        buffer[: len(got)] = got
        return len(got)

    def _reopen(self) -> None:
        """Start over, skip what was given already, and go on in steps of one byte."""
        self._stream = pa.CompressedInputStream(open_raw(self._file), "zstd")
        self._step = 1
        left = self._position
        while left:
            left -= len(self._stream.read(min(left, CHUNK_BYTES)))

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


@contextmanager
def rejecting(file: LogFile, reject: Reject, line: Callable[[], int]) -> Iterator[None]:
    """Turn what a cut or damaged stream raises into one rejection at `line()`."""
    try:
        yield
    except EOFError:
        reject(Rejection(file.uri, line(), "file-cut", "the compressed file ends early"))
    except (gzip.BadGzipFile, zlib.error):
        reject(Rejection(file.uri, line(), "file-damaged", "the compressed file is damaged from here on"))
    except OSError as error:
        raise unreadable(file, error) from error
