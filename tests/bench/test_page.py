from __future__ import annotations

import json

import pytest

from bench.page import PAGE, SPEED, effort, of_effort, whole
from stillwatch.lab.benchmark.figures import percent

DAYS = json.loads(SPEED.read_text(encoding="utf-8"))


def test_the_page_is_what_its_figures_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == whole()


def test_speed_is_of_code_that_was_committed() -> None:
    assert {day["code"]["commit"] for day in DAYS}
    assert not any(day["code"]["uncommitted"] for day in DAYS)


def test_the_section_on_speed_has_every_measured_size() -> None:
    text = effort(DAYS)
    assert text.startswith("## Speed and memory\n")
    for day in DAYS:
        assert f"### {day['calls_asked']:,} calls" in text


def test_memory_over_the_ceiling_is_said_with_its_stage() -> None:
    took = {"wall_seconds": 10.0, "peak_bytes": 2_400_000_000, "stages": [{"name": "read", "seconds": 6.0}]}
    day = {"detect": {**took, "stage_peak_bytes": {"read": 2_400_000_000}}, "decode": {"wall_seconds": 6.0}}
    (said,) = of_effort(day)
    assert "2.40 GB" in said
    assert "*read*" in said


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0 %"), (1.0, "100 %"), (0.99996, "99.9 %"), (0.0123, "1.2 %"), (0.5, "50 %")]
)
def test_a_share_is_never_rounded_up_to_all(share: float, shown: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == shown
