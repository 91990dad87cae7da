from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import Error
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.simulate import write_world
from tests.lab.worlds import read, small_world


class Heard:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.rows = 0
        self.said: list[str] = []

    def begin(self, stage: str, total_bytes: int | None) -> None:
        self.said.append(stage)

    def advance(self, rows: int, size_bytes: int) -> None:
        self.rows += rows

    def note(self, text: str) -> None:
        self.said.append(text)


def test_a_written_world_holds_events_accounts_and_truth(tmp_path: Path) -> None:
    world, heard, out = small_world(calls=2_000), Heard(), tmp_path / "day"
    write_world(world, out, "canonical", heard)
    day = read(world)
    written = pq.read_table(out / "events")
    assert written.select(EVENT_SCHEMA.names).equals(day.events)
    lines = (out / "accounts.jsonl").read_text().splitlines()
    assert [json.loads(line)["account_id"] for line in lines] == world.accounts()["account_id"].to_pylist()
    assert pq.read_table(out / "truth" / "accounts.parquet").num_rows == len(lines)
    told = pq.read_table(out / "truth" / "calls.parquet").to_pydict()
    assert dict(zip(told["event_id"], told["campaign"], strict=True)) == day.told
    callers = pq.read_table(out / "truth" / "callers.parquet")["account_id"]
    assert callers.to_pylist() == day.events["account_id"].unique().to_pylist()
    assert heard.rows == len(day.events)
    assert heard.said[0] == "simulate"


def test_a_world_without_campaigns_still_has_a_table_of_their_calls(tmp_path: Path) -> None:
    write_world(small_world(calls=1_000, scenario="quiet"), tmp_path / "day", "canonical", Heard())
    assert pq.read_table(tmp_path / "day" / "truth" / "calls.parquet").num_rows == 0


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(Error) as caught:
        write_world(small_world(calls=1_000), tmp_path, "canonical", Heard())
    assert caught.value.ident == "out-not-empty"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write_world(small_world(calls=1_000), tmp_path / "day", "canonical", Heard())
    assert (tmp_path / "day" / "accounts.jsonl").is_file()


def test_an_unknown_dialect_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        write_world(small_world(calls=1_000), tmp_path / "day", "syslog", Heard())
    assert caught.value.ident == "unknown-dialect"
    assert not list(tmp_path.iterdir())


def test_an_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    class Interrupted(Heard):
        def advance(self, rows: int, size_bytes: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(small_world(calls=1_000), tmp_path / "day", "canonical", Interrupted())
    assert not list(tmp_path.iterdir())
