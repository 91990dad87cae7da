"""Large files cut into stretches that can be read apart: row groups of Parquet, lines of JSON as they are stored."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from stillwatch.adapters.contract import LogFile
from stillwatch.adapters.parquet import is_parquet, row_groups
from stillwatch.adapters.source import BYTE_ORDER_MARK, LEAD_BYTES, SPREAD
from stillwatch.adapters.streams import CHUNK_BYTES, is_packed, open_stream

Stretch = tuple[LogFile, int | None]
"""A stretch of a file, and the rows before it; None where nobody has counted the lines."""


def stretches(file: LogFile, stretch_bytes: int) -> list[Stretch]:
    """Cut a file into stretches of about `stretch_bytes`; what cannot be cut stays whole.

    Raises: Error input-vanished, input-unreadable.
    """
    if file.size_bytes < 2 * stretch_bytes:
        return [(file, 0)]
    if is_parquet(file):
        return _of_row_groups(file, stretch_bytes)
    with open_stream(file) as stream:
        lead = b"" if is_packed(stream) else stream.read(LEAD_BYTES)
    if not lead or re.match(SPREAD, lead.removeprefix(BYTE_ORDER_MARK)):
        return [(file, 0)]
    bounds = [*range(0, file.size_bytes - stretch_bytes, stretch_bytes), file.size_bytes]
    return [
        (replace(file, span=(first, end), size_bytes=end - first), None if first else 0)
        for first, end in itertools.pairwise(bounds)
    ]


def _of_row_groups(file: LogFile, stretch_bytes: int) -> list[Stretch]:
    found: list[Stretch] = []
    groups = row_groups(file)
    share = file.size_bytes / max(1, sum(size for _, size in groups))
    first = rows = before = 0
    held = 0.0
    for at, (count, size) in enumerate(groups, start=1):
        held, rows = held + size * share, rows + count
        if held >= stretch_bytes or at == len(groups):
            found.append((replace(file, span=(first, at), size_bytes=int(held)), before))
            first, held, before = at, 0.0, rows
    return found or [(file, 0)]


def lines_before(file: LogFile) -> int:
    """Count the lines that begin before a stretch of lines.

    Raises: Error input-vanished, input-unreadable.
    """
    assert file.span is not None
    # A newline in the last byte before the stretch ends a line, and begins none before it.
    left = file.span[0] - 1
    lines = 1
    with open_stream(replace(file, span=None)) as stream:
        while left > 0 and (chunk := stream.read(min(left, CHUNK_BYTES))):
            lines += chunk.count(b"\n")
            left -= len(chunk)
    return lines
