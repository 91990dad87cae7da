"""A run that is a window of a stream: decided by the stream, and counted only once it is published."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.campaign.online import load_state
from stillwatch.engines.run import detect
from stillwatch.errors import Error
from tests.engines.logs import WORLD, BrokenError, FailsAt, request
from tests.scenes.scene import Found, Silent


def test_a_window_names_its_campaign_and_the_stream_remembers_it(tmp_path: Path) -> None:
    state = tmp_path / "streams" / "state.json"
    asked = request(tmp_path, online=state)
    assert detect(asked, Silent()).campaigns_count == 1
    found = Found.read(asked.out)
    assert found.campaigns[0]["q_value"] == asked.fdr
    kept = load_state(state)
    assert kept is not None
    assert set(kept.named) == set(found.campaigns[0]["group_ids"])
    assert found.run["online"] == {
        "windows_count": 1, "named_count": 1, "asks_left": kept.asks_left(), "passed_over": 0,
    }  # fmt: skip


def test_a_window_that_was_counted_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    detect(request(tmp_path, online=state), Silent())
    before = state.read_bytes()
    again = request(tmp_path, online=state, out=tmp_path / "again")
    with pytest.raises(Error) as refused:
        detect(again, Silent())
    assert refused.value.ident == "window-not-later"
    assert not again.out.exists()
    assert state.read_bytes() == before


def test_the_next_day_goes_on_with_the_stream(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    detect(request(tmp_path, online=state), Silent())
    # Times are microseconds or RFC 3339; the world's are seconds, and two days on nothing overlaps.
    later = [
        {**event, "event_id": f"later {event['event_id']}", "time": event["time"] + 2 * 86_400}
        for event in WORLD.events
    ]
    asked = request(tmp_path, later, online=state, out=tmp_path / "next")
    assert detect(asked, Silent()).campaigns_count == 1
    assert Found.read(asked.out).run["online"]["named_count"] == 1, "the same campaign is no new discovery"


def test_a_run_that_fails_is_no_window(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with pytest.raises(BrokenError):
        detect(request(tmp_path, online=state), Silent(), FailsAt("finish"))
    assert not state.exists()


def test_a_stream_of_another_rate_costs_no_run(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    detect(request(tmp_path, online=state), Silent())
    asked = request(tmp_path, online=state, fdr=0.1, out=tmp_path / "again", events=("nowhere",))
    with pytest.raises(Error) as refused:
        detect(asked, Silent())
    assert refused.value.ident == "stream-differs"
