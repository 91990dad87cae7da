"""A run that is a window of a stream: decided by the stream, and counted only once it is published."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

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
    assert kept.named
    assert set(kept.named) <= set(found.campaigns[0]["group_ids"])
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
    first = load_state(state)

    def next_week(event: dict[str, Any]) -> dict[str, Any]:
        time = datetime.fromisoformat(event["time"]) + timedelta(days=7)
        return {**event, "event_id": f"later {event['event_id']}", "time": time.isoformat()}

    later = [next_week(event) for event in WORLD.events]
    asked = request(tmp_path, later, online=state, out=tmp_path / "next")
    assert detect(asked, Silent()).campaigns_count == 1
    after = load_state(state)
    assert first is not None
    assert after is not None
    assert after.windows_count == 2
    assert after.named.items() >= first.named.items(), "what was named is no new discovery"


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
