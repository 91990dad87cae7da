from __future__ import annotations

from typing import Any

import pytest

from bench import window

CALLS = 6_000


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    work = tmp_path_factory.mktemp("bench") / "window"
    return window.main(["--calls", str(CALLS), "--rounds", "1", "--work", str(work)])


def test_the_window_is_searched_with_the_hour_that_came_last(found: dict[str, Any]) -> None:
    (row,) = found["rounds"]
    calls = found["before_calls"] + found["hour_calls"]
    assert found["hour_calls"] > 0
    assert row["detect_window"]["events_count"] == row["detect_logs"]["events_count"] == calls
    assert found["closed_calls"] > 0.9 * found["before_calls"]


def test_the_figures_say_what_the_hour_costs_beside_the_logs(found: dict[str, Any]) -> None:
    hourly = found["ingest_hour_cpu_seconds"] + found["detect_window_cpu_seconds"]
    assert found["hourly_share_of_logs"] == pytest.approx(hourly / found["detect_logs_cpu_seconds"])
    assert 0 < found["bytes_per_call"] < 250
