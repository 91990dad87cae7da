"""JSON lines in part files of a bounded size."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

import msgspec

PART_LINES_MAX = 250_000
"""A gigabyte or so of long prompts in one file, so that several cores have something to read."""


def write_lines(records: Iterable[object], out: Path) -> None:
    """Write JSON lines into files `part-NNNNN.jsonl` of the folder `out`, named so once they are whole."""
    out.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder()
    records = iter(records)
    for number, first in enumerate(records):
        path = out / f"part-{number:05}.jsonl"
        unfinished = path.with_name(f"_{path.name}")
        with unfinished.open("wb") as file:
            for record in chain([first], islice(records, PART_LINES_MAX - 1)):
                file.write(encoder.encode(record))
                file.write(b"\n")
        unfinished.rename(path)
