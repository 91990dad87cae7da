from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import scale
from bench.scale_figures import chart, grown, growth, misses
from bench.scale_page import CHART, PAGE, kept, sizes, trace_bytes, whole

CALLS = 6_000


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "scale"


@pytest.fixture(scope="module")
def found(work: Path) -> dict[str, Any]:
    return scale.main(["--sizes", str(CALLS), "--rounds", "1", "--no-power", "--work", str(work), "--discard"])


def test_a_log_is_written_decoded_and_searched_under_a_limit(found: dict[str, Any]) -> None:
    (row,) = found["rows"]
    assert row["events_count"] > CALLS / 2
    assert row["decode_ratio"] > 1.0
    assert 0 < row["peak_bytes"] < scale.MEMORY_MAX_BYTES
    assert row["rounds"][0]["detect"]["memory_max_bytes"] == scale.MEMORY_MAX_BYTES


def test_a_size_that_is_measured_is_not_measured_again_though_its_log_is_gone(
    found: dict[str, Any], work: Path
) -> None:
    assert not (work / f"{CALLS}-400" / "world").exists()
    assert scale.main(["--sizes", str(CALLS), "--rounds", "1", "--no-power", "--work", str(work)]) == found


def test_a_log_that_would_not_fit_on_the_disk_is_not_begun(found: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="GB of disk"):
        scale.main(["--sizes", "10000000000000", "--work", str(tmp_path / "scale")])
    (row,) = found["rows"]
    size = scale.Size(10 * CALLS, 400, 1, tmp_path)
    assert scale.bytes_each(size, [row]) * row["events_count"] == pytest.approx(
        row["log"]["size_bytes"] + row["folder_peak_bytes"]
    )


def test_the_page_has_the_figures_and_says_what_is_not_measured(found: dict[str, Any]) -> None:
    figures = {**dict.fromkeys(kept()), "scale": found}
    text = whole(figures)
    assert f"{found['rows'][0]['events_count']:,} calls" in text
    assert "shuffled on Spark | N · bytes shuffled a call | not measured yet" in text
    assert f"N · {trace_bytes()} bytes" in text
    assert chart(found["rows"]).startswith("<svg")


def test_growth_is_over_the_smallest_log_of_the_same_prompts(found: dict[str, Any]) -> None:
    (row,) = found["rows"]
    larger = {
        **row,
        "events_count": 10 * row["events_count"],
        "cpu_seconds_per_million": 1.5 * row["cpu_seconds_per_million"],
    }
    longer = {**larger, "prompt_bytes": 1_500}
    assert grown([row, larger, longer]) == pytest.approx([1.0, 1.5, 1.0])
    assert any("1.50 times the processor time a call" in said for said in misses([row, larger]))
    assert "1.50" in growth({"rows": [row, larger, longer]})


def test_the_page_is_what_its_figures_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == whole(kept())
    assert not sizes(kept()) or CHART.read_text(encoding="utf-8") == chart(sizes(kept()))
