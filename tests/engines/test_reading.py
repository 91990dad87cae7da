"""A person who waits for one large file sees it move."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.adapters.contract import ReadSettings
from stillwatch.engines.contract import RunRequest
from stillwatch.engines.run import detect
from tests.engines.logs import WORLD
from tests.scenes.scene import Silent

FORMS = ("events.jsonl", "events.jsonl.gz", "events.jsonl.zst", "events.parquet")


class Watcher(Silent):
    """A person who notes how far the reading of the log is after each batch."""

    def __init__(self) -> None:
        self.total = 0
        self.steps: list[tuple[int, int]] = []

    def begin(self, stage: str, total_bytes: int | None) -> None:
        self.total = total_bytes or self.total

    def advance(self, rows: int, size_bytes: int) -> None:
        self.steps.append((rows, size_bytes))


def write(path: Path) -> None:
    """Write the world's events eight times over, under new names, in the form that the file's name says."""
    rows = [{**event, "event_id": f"{event['event_id']}-{copy}"} for copy in range(8) for event in WORLD.events]
    octets = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1_000)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(octets))
    elif path.suffix == ".zst":
        path.write_bytes(pa.Codec("zstd").compress(octets, asbytes=True))
    else:
        path.write_bytes(octets)


@pytest.mark.parametrize("name", FORMS)
def test_bytes_come_with_the_batches_of_a_file_and_sum_up_to_its_size(name: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    watcher = Watcher()
    asked = RunRequest((str(tmp_path / name),), tmp_path / "run", read=ReadSettings(batch_rows=1_000))
    detect(asked, watcher)
    assert watcher.total == (tmp_path / name).stat().st_size
    assert sum(size_bytes for _, size_bytes in watcher.steps) == watcher.total
    assert sum(size_bytes for rows, size_bytes in watcher.steps if rows) > 0.5 * watcher.total
