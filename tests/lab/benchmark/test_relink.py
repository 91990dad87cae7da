from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.lab.benchmark.relink import relinked
from stillwatch.lab.benchmark.worlds import Day
from tests.lab.baselines.logs import Written
from tests.lab.benchmark.detectors import Counting

DAY = 86_400


def a_rotation(folder: Path) -> Day:
    """Two first accounts of which one is banned at noon of the first day; heirs come then, and two days later."""
    made = Written(folder)
    for name, days in (("first", (0, 1, 2)), ("banned", (0,)), ("heir", (1, 2, 3)), ("late", (3,))):
        for day in days:
            for call in range(3):
                made.call(name, day * DAY + 60 * call)
    made.account("banned", closed_at="2026-09-15T12:00:00Z", closed_reason="banned")
    log = made.log()
    (folder / "truth").mkdir()
    names = ["first", "banned", "heir", "late"]
    table = {"account_id": names, "class": ["campaign"] * 4, "campaign": ["ring"] * 4, "generation": [1, 1, 2, 3]}
    pq.write_table(pa.table(table), folder / "truth" / "accounts.parquet")
    return Day(log, folder / "truth")


@pytest.mark.parametrize(("calls_min", "share", "day_share"), [(3, 1.0, 1.0), (4, 0.5, 0.0)])
def test_later_accounts_count_where_a_report_names_first_ones_too(
    calls_min: int, share: float, day_share: float, tmp_path: Path
) -> None:
    day, detector = a_rotation(tmp_path / "day"), Counting(calls_min)
    run = detector.run(day.log.events, day.log.accounts, tmp_path / "whole", 0)
    (found,) = relinked(day, run, detector, 0, tmp_path)
    assert (found.heirs_count, found.day_heirs_count) == (2, 1)
    assert (found.share, found.day_share) == (share, day_share)


def test_a_world_in_which_nobody_is_replaced_has_nothing_to_link(tmp_path: Path) -> None:
    day, detector = a_rotation(tmp_path / "day"), Counting(1)
    path = day.truth / "accounts.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(3, "generation", pa.array([1] * 4)), path)
    run = detector.run(day.log.events, day.log.accounts, tmp_path / "whole", 0)
    assert relinked(day, run, detector, 0, tmp_path) == []
