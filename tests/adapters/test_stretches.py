"""A file that is cut is read as if it were whole: each row once, with its line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.adapters import canonical
from stillwatch.adapters.contract import LogFile, ReadSettings, Rejection
from stillwatch.adapters.source import list_files
from stillwatch.adapters.stretches import lines_before, stretches
from tests.scenes.scene import write_lines

EVENTS = [
    {"event_id": f"e{at}", "time": 1.76e9 + at, "account_id": "a", "request_model": "m", "input_text": "x" * (at % 97)}
    for at in range(400)
]


def read(file: LogFile) -> tuple[list[str], list[tuple[int, str]]]:
    rejected: list[Rejection] = []
    batches = list(canonical.read(file, ReadSettings(), rejected.append))
    return [ident for batch in batches for ident in batch["event_id"].to_pylist()], [
        (one.line, one.reason) for one in rejected
    ]


@pytest.mark.parametrize("stretch_bytes", [64, 130, 1_000, 7_919])
def test_lines_of_json_are_read_once_and_bad_ones_keep_their_number(tmp_path: Path, stretch_bytes: int) -> None:
    path = write_lines(tmp_path / "log.jsonl", EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[37] = b"no json\n"
    lines[200:202] = [b"\n", b"{}\n"]
    lines[300] = b"[" * 3_000 + b"\n"
    path.write_bytes(b"".join(lines).rstrip(b"\n"))
    (file,) = list_files([str(path)])
    whole = read(file)
    cut = stretches(file, stretch_bytes)
    assert len(cut) > 3
    idents, rejected = [], []
    for stretch, before in cut:
        here, bad = read(stretch)
        idents += here
        rejected += [(line + (lines_before(stretch) if before is None else before), reason) for line, reason in bad]
    assert (idents, rejected) == whole
    assert len(rejected) == 3


def test_row_groups_are_read_once_and_bad_rows_keep_their_number(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    columns = {name: [event[name] for event in EVENTS] for name in EVENTS[0]}
    columns["account_id"][250] = ""
    pq.write_table(pa.table(columns), path, row_group_size=50)
    (file,) = list_files([str(path)])
    whole = read(file)
    cut = stretches(file, file.size_bytes // 4)
    assert len(cut) > 2
    found = [(read(stretch), before or 0) for stretch, before in cut]
    assert [ident for (idents, _), _ in found for ident in idents] == whole[0]
    assert [(line + before, reason) for (_, bad), before in found for line, reason in bad] == whole[1]


def test_what_cannot_be_cut_stays_whole(tmp_path: Path) -> None:
    import gzip

    packed = tmp_path / "log.jsonl.gz"
    text = write_lines(tmp_path / "log.jsonl", EVENTS).read_bytes()
    packed.write_bytes(gzip.compress(text))
    array = tmp_path / "array.json"
    array.write_bytes(b"[" + text.strip().replace(b"\n", b",\n") + b"]")
    for path in (packed, array):
        (file,) = list_files([str(path)])
        assert stretches(file, 100) == [(file, 0)]
