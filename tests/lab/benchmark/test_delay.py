from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.lab.benchmark.delay import cut, delays
from stillwatch.lab.benchmark.worlds import Day
from tests.lab.baselines.logs import START, Written
from tests.lab.benchmark.detectors import Counting

HOURS = 24
BEGINS = 2
RING = [f"ring{number}" for number in range(4)]


def a_day(folder: Path) -> Day:
    """Four accounts of one campaign call twice an hour from the third hour on, an honest one once an hour."""
    made = Written(folder)
    for hour in range(HOURS):
        made.call("honest", hour * 3600 + 1)
        if hour >= BEGINS:
            for name in RING:
                made.call(name, hour * 3600 + 60)
                made.call(name, hour * 3600 + 1800)
    log = made.log()
    truth = folder / "truth"
    truth.mkdir()
    names = ["honest", *RING]
    accounts = {"account_id": names, "class": ["consumer", *["campaign"] * 4], "campaign": [None, *["pool"] * 4]}
    pq.write_table(pa.table(accounts), truth / "accounts.parquet")
    pq.write_table(pa.table({"account_id": names}), truth / "callers.parquet")
    ours = [call["event_id"] for call in made.calls if call["account_id"] in RING]
    pq.write_table(pa.table({"event_id": ours, "campaign": ["pool"] * len(ours)}), truth / "calls.parquet")
    return Day(log, truth)


def measured(folder: Path, detector: Counting) -> list[object]:
    day = a_day(folder / "day")
    run = detector.run(day.log.events, day.log.accounts, folder / "whole", 0)
    return list(delays(day, run, detector, 0, folder))


@pytest.mark.parametrize("calls_min", [3, 9, 30])
def test_the_hour_of_detection_is_found_to_the_hour(calls_min: int, tmp_path: Path) -> None:
    detector = Counting(calls_min, spared=lambda name: name == "honest")
    (found,) = measured(tmp_path, detector)
    hours = -(-calls_min // 2)  # Two calls an hour and account.
    assert found.leaked_count == hours * 8
    assert found.calls_count == (HOURS - BEGINS) * 8
    assert found.leaked_share == pytest.approx(hours / (HOURS - BEGINS))
    assert found.hours == pytest.approx(hours - 1 / 60)
    assert detector.runs < HOURS / 2


def test_what_is_never_seen_leaks_whole(tmp_path: Path) -> None:
    (found,) = measured(tmp_path, Counting(1_000))
    assert (found.hours, found.leaked_share, found.leaked_count) == (None, 1.0, 22 * 8)


def test_a_report_with_a_stranger_in_five_has_not_seen_the_campaign(tmp_path: Path) -> None:
    (found,) = measured(tmp_path, Counting(3))
    assert found.hours is None


def test_naming_less_than_half_has_not_seen_the_campaign(tmp_path: Path) -> None:
    (found,) = measured(tmp_path, Counting(3, spared=lambda name: name != "ring0"))
    assert found.hours is None


def test_a_detection_that_does_not_last_counts_from_the_hour_it_does(tmp_path: Path) -> None:
    class Forgetful(Counting):
        """Sees the campaign early on, and loses it while the log has 60 to 160 calls."""

        def run(self, events: Path, accounts: Path, out: Path, seed: int, power: bool = False) -> Path:
            calls = pq.read_table(events).num_rows
            self.calls_min = 1_000 if 60 <= calls <= 160 else 3
            return super().run(events, accounts, out, seed, power)

    (found,) = measured(tmp_path, Forgetful(3, spared=lambda name: name == "honest"))
    assert found.leaked_count > 100


def test_a_log_is_cut_as_it_stood(tmp_path: Path) -> None:
    made = Written(tmp_path / "log")
    for hour in range(4):
        made.call("old", hour * 3600.0)
    made.account("old", closed_at="2026-09-15T03:00:00Z", closed_reason="banned")
    made.account("gone", closed_at="2026-09-15T01:00:00Z", closed_reason="user")
    made.account("later", created_at="2026-09-15T02:30:00.5Z")
    made.account("unknown", created_at=None)
    log = cut(made.log(), int(START.timestamp() + 2 * 3600) * 1_000_000, tmp_path / "part")
    assert pq.read_table(log.events)["event_id"].to_pylist() == ["e0", "e1"]
    rows = {row["account_id"]: row for row in map(json.loads, log.accounts.read_text().splitlines())}
    assert set(rows) == {"old", "gone", "unknown"}
    assert "closed_at" not in rows["old"]
    assert "closed_reason" not in rows["old"]
    assert rows["gone"]["closed_reason"] == "user"


def test_a_campaign_of_which_only_slices_are_reported_is_seen_by_its_calls(tmp_path: Path) -> None:
    class Slicing(Counting):
        """Lists the calls and names nobody."""

        def run(self, events: Path, accounts: Path, out: Path, seed: int, power: bool = False) -> Path:
            super().run(events, accounts, out, seed, power)
            table = pq.read_table(out / "accounts.parquet")
            watched = pa.array(["watch"] * table.num_rows, pa.string())
            pq.write_table(table.set_column(2, "verdict", watched), out / "accounts.parquet")
            return out

    (found,) = measured(tmp_path, Slicing(9, spared=lambda name: name == "honest"))
    assert found.leaked_count == 5 * 8
    (missed,) = measured(tmp_path / "all", Slicing(3))
    assert missed.hours is None
