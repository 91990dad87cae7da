from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.campaign.online import load_state as load_stream
from stillwatch.campaign.succession import Event
from stillwatch.engines.following import FollowRequest
from stillwatch.engines.run import RunRequest
from stillwatch.engines.telling import append, body_of
from stillwatch.engines.watch import WatchRequest, watch
from stillwatch.errors import Error
from stillwatch.store.store import Store
from tests.adapters.brokers import started
from tests.engines.logs import WORLD
from tests.house.repository import ROOT
from tests.scenes.scene import Silent, write_calibration, write_lines
from tests.scenes.world import START

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def day(number: int, pool: bool = True) -> list[dict[str, Any]]:
    """The same day again, so many days later; without its campaign, if that is asked."""
    return [
        event
        | {
            "event_id": f"{event['event_id']}:{number}",
            "time": (START.fromisoformat(event["time"]) + timedelta(days=number)).isoformat(),
        }
        for event in WORLD.events
        if pool or not event["account_id"].startswith("pool")
    ]


class Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


class Somebody:
    """Who does one thing after another while the watch waits, and then asks it to stop. A wait takes a minute."""

    def __init__(self, *deeds: Callable[[], object], days: float = 365) -> None:
        self.progress = Notes()
        self.deeds = list(deeds)
        self.told: list[tuple[str, str]] = []
        self.reported: list[Error] = []
        self._now = (START + timedelta(days=days)).timestamp()

    def now_s(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        self._now += 60
        if self.deeds:
            self.deeds.pop(0)()
        else:
            self._asked = True

    _asked = False

    def stopping(self) -> bool:
        return self._asked

    def tell(self, events: Sequence[Event]) -> None:
        self.told += [(event.kind, event.lineage_id) for event in events]

    def report(self, error: Error) -> None:
        self.reported.append(error)

    def observer(self) -> None:
        return None


class Place:
    """A folder with a log, account facts and a calibration, and what is watched there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        self.out = folder / "out"
        self.accounts = write_lines(folder / "accounts.jsonl", WORLD.accounts)
        self.request = WatchRequest(
            FollowRequest((str(self.logs),), str(folder / "store"), self.out),
            RunRequest(
                (), self.out, (str(self.accounts),), calibration=write_calibration(folder), power=False
            ),
            every_us=DAY_US,
            window_us=DAY_US,
            quiet_us=2 * DAY_US,
        )  # fmt: skip

    def add(self, number: int, pool: bool = True) -> None:
        write_lines(self.logs / f"day-{number:02d}.jsonl", day(number, pool))

    def once(self, somebody: Somebody | None = None, **settings: Any) -> Somebody:
        door = somebody or Somebody()
        door.deeds = door.deeds or [lambda: None]
        watch(replace(self.request, **settings), door, once=True)
        return door

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "events.jsonl").read_text().splitlines()]

    def runs(self) -> list[str]:
        return sorted(path.name for path in (self.out / "runs").iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_campaign_is_new_once_and_ends_when_its_calls_do(place: Place) -> None:
    for number in range(6):
        place.add(number, pool=number < 2)
    door = place.once()
    assert door.told == [("new", "L000001"), ("ended", "L000001")]
    new, ended = place.events()
    assert new["window"] == {"start": "2026-11-02T00:00:00Z", "end": "2026-11-03T00:00:00Z"}
    assert ended["window"]["end"] == "2026-11-06T00:00:00Z"
    assert new["run"] == place.runs()[0] == "2026-11-03T000000Z"
    assert new["accounts_count"] == len(new["accounts_added"]) == 30
    campaign = json.loads((place.out / "runs" / new["run"] / "campaigns.jsonl").read_text())
    assert new["campaign_id"] == campaign["campaign_id"]
    assert "pool-" not in (place.out / "events.jsonl").read_text() + (place.out / "state.json").read_text()


def test_what_is_told_is_the_same_however_the_days_arrive(place: Place, tmp_path: Path) -> None:
    for number in range(4):
        place.add(number)
    place.once()
    other = Place(tmp_path / "other")
    deeds: list[Callable[[], object]] = []
    for number in range(4):
        deeds += [lambda number=number: other.add(number), lambda: None]  # type: ignore[misc]
    door = Somebody(*deeds)
    watch(other.request, door)
    assert door.told == [("new", "L000001")]
    assert (other.out / "events.jsonl").read_bytes() == (place.out / "events.jsonl").read_bytes()
    assert other.runs() == place.runs() == [f"2026-11-0{day}T000000Z" for day in (3, 4, 5)]
    for run in place.runs():
        for name in ("campaigns.jsonl", "accounts.parquet", "exchanges.parquet"):
            assert (other.out / "runs" / run / name).read_bytes() == (place.out / "runs" / run / name).read_bytes()


def test_turn_after_turn_each_window_is_run_once(place: Place) -> None:
    place.add(0)
    assert place.once().told == []
    place.add(1)
    assert place.once().told == [("new", "L000001")]
    assert place.once().told == []
    place.add(2)
    assert place.once().told == []
    assert len(place.runs()) == 2


def test_of_windows_that_share_calls_only_the_newest_is_run_unless_a_replay_is_asked(place: Place) -> None:
    for number in range(4):
        place.add(number)
    door = place.once(every_us=6 * HOUR_US, window_us=2 * DAY_US)
    assert place.runs() == ["2026-11-05T180000Z"]
    place.once(every_us=6 * HOUR_US, window_us=2 * DAY_US)
    place.add(4)
    door = place.once(every_us=6 * HOUR_US, window_us=2 * DAY_US)
    assert place.runs()[-1] == "2026-11-06T180000Z"
    assert any("3 windows were passed over" in said for said in door.progress.said)


def test_one_call_from_the_future_closes_no_window_and_no_day(place: Place) -> None:
    place.add(0)
    place.add(1)
    late = {"event_id": "x", "time": "2099-01-01T00:00:00Z", "account_id": "a", "request_model": "m"}
    write_lines(place.logs / "late.jsonl", [late])
    place.once(Somebody(days=2.5))
    assert place.runs() == ["2026-11-03T000000Z", "2026-11-04T000000Z"]
    assert not Store.open(str(place.folder / "store"), None).manifest.closed_days()
    place.once(Somebody(days=30))
    assert Store.open(str(place.folder / "store"), None).manifest.closed_days() == {"2026-11-02", "2026-11-03"}


def test_late_calls_are_waited_for_as_long_as_is_asked(place: Place) -> None:
    place.add(0)
    place.add(1)
    place.once(lateness_us=DAY_US)
    assert place.runs() == []
    place.once(lateness_us=6 * HOUR_US)
    assert len(place.runs()) == 1


def test_a_run_that_fails_is_reported_tried_again_and_passed_over_and_the_watch_goes_on(place: Place) -> None:
    place.add(0)
    place.add(1)
    place.accounts.rename(place.folder / "away")
    back = [lambda: (place.folder / "away").rename(place.accounts), lambda: place.add(2), lambda: None]
    door = Somebody(*[lambda: None] * 4, *back)
    watch(place.request, door)
    assert [error.ident for error in door.reported] == ["no-such-input"] * 3
    assert any("was passed over" in said for said in door.progress.said)
    assert place.runs() == ["2026-11-04T000000Z"]
    assert door.told == [("new", "L000001")]


def test_a_file_that_is_refused_is_reported_once_and_keeps_no_other_from_being_taken(place: Place) -> None:
    place.add(0)
    place.add(1)
    (place.logs / "bad.jsonl").write_text("no JSON\n" * 50)
    (place.logs / "empty.jsonl").touch()
    follow = replace(place.request.follow, format="canonical")
    door = Somebody(*[lambda: None] * 3)
    watch(replace(place.request, follow=follow), door)
    assert len(door.reported) == 1
    assert "bad.jsonl" in str(door.reported[0])
    assert len(place.runs()) == 1
    rejected = [json.loads(line) for line in (place.out / "rejected.jsonl").read_text().splitlines()]
    assert {(Path(each["file"]).name, each["reason"]) for each in rejected} == {("bad.jsonl", "not-json")}


def test_a_folder_that_does_not_come_back_ends_the_watch_in_the_end(place: Place) -> None:
    place.logs.rmdir()
    door = Somebody(*[lambda: None] * 30)
    with pytest.raises(Error) as ended:
        watch(place.request, door)
    assert ended.value.ident == "no-such-input"
    assert len(door.reported) == 19


def test_a_log_that_is_still_written_is_taken_up_to_its_last_whole_line(place: Place) -> None:
    place.add(0)
    path = place.logs / "day-01.jsonl"
    lines = [json.dumps(event) + "\n" for event in day(1)]
    path.write_text("".join(lines[:100]))

    def grow() -> None:
        with path.open("a") as stream:
            stream.write("".join(lines[100:200]) + lines[200][:20])

    assert place.once(Somebody(grow)).told == [("new", "L000001")]
    assert not (place.out / "rejected.jsonl").read_text()


def test_who_asks_to_stop_waits_for_the_window_that_is_running_only(place: Place) -> None:
    for number in range(4):
        place.add(number)

    class Hasty(Somebody):
        def observer(self) -> None:
            self._asked = True

    place.once(Hasty())
    assert len(place.runs()) == 1
    place.once()
    assert len(place.runs()) == 3


def test_old_runs_go_and_what_was_told_stays(place: Place) -> None:
    for number in range(4):
        place.add(number)
    (place.out / "runs" / "mine").mkdir(parents=True)
    place.once(runs_kept=1)
    assert place.runs() == ["2026-11-05T000000Z", "mine"]
    assert place.events()[0]["run"] == "2026-11-03T000000Z"


def test_the_windows_of_a_stream_keep_one_rate_and_share_no_calls(place: Place) -> None:
    for number in range(3):
        place.add(number)
    stream = place.folder / "stream.json"
    run = replace(place.request.run, online=stream)
    with pytest.raises(Error) as refused:
        place.once(run=run, window_us=2 * DAY_US)
    assert refused.value.ident == "windows-overlap"
    assert place.once(run=run).told == [("new", "L000001")]
    state = load_stream(stream)
    assert state is not None
    assert state.named_count == 1
    # As after a crash that came when the run and its stream were on the disk, and before the watch's own state was.
    before = place.events()
    (place.out / "state.json").unlink()
    (place.out / "events.jsonl").unlink()
    assert place.once(run=run).reported == []
    assert place.events() == before
    assert load_stream(stream) == state


def test_a_crash_before_a_stream_went_on_decides_the_window_again(place: Place) -> None:
    place.add(0)
    place.add(1)
    stream = place.folder / "stream.json"
    run = replace(place.request.run, online=stream)
    place.once(run=run)
    before = place.events(), load_stream(stream)
    stream.unlink()
    (place.out / "state.json").unlink()
    (place.out / "events.jsonl").unlink()
    (place.out / "runs" / ".2026-11-03T000000Z.partial-x").mkdir()
    place.once(run=run)
    assert (place.events(), load_stream(stream)) == before
    assert place.runs() == ["2026-11-03T000000Z"]


def test_two_watches_do_not_share_an_output(place: Place) -> None:
    place.add(0)

    def second() -> None:
        with pytest.raises(Error) as refused:
            place.once()
        assert refused.value.ident == "watch-running"

    watch(place.request, Somebody(second))


def test_a_gap_in_the_log_is_no_run_and_ends_a_campaign(place: Place) -> None:
    place.add(0)
    place.add(400)
    assert place.once(Somebody(lambda: None, days=500)).told == [("new", "L000001"), ("ended", "L000001")]
    assert place.runs() == ["2026-11-03T000000Z"]
    assert place.events()[1]["window"]["end"] == "2026-11-05T00:00:00Z"
    place.add(401)
    assert place.once(Somebody(lambda: None, days=500)).told == [("resumed", "L000001")]


def test_a_topic_and_a_folder_of_the_same_calls_tell_the_same(place: Place, tmp_path: Path) -> None:
    for number in range(2):
        place.add(number)
    place.once()
    other = Place(tmp_path / "other")
    (tmp_path / "broker").mkdir()
    with started("mock", tmp_path / "broker") as broker:
        broker.create()
        for number in range(2):
            broker.send(day(number))
        other.once(follow=replace(other.request.follow, sources=(broker.source(),)))
    assert (other.out / "events.jsonl").read_bytes() == (place.out / "events.jsonl").read_bytes()


def test_a_store_that_others_fill_is_watched_without_a_source(place: Place) -> None:
    for number in range(2):
        place.add(number)
    place.once(every_us=7 * DAY_US, window_us=7 * DAY_US)
    assert place.runs() == []
    assert place.once(follow=replace(place.request.follow, sources=())).told == [("new", "L000001")]


CODE = "import sys; from stillwatch.cli.main import run; sys.exit(run(sys.argv[1:]))"


def test_a_watch_that_is_killed_anywhere_ends_as_one_that_was_left_alone(place: Place, tmp_path: Path) -> None:
    """Killed when it has said so many lines: while it takes files, closes a day, reads, tests and publishes."""
    hunted = Place(tmp_path / "hunted")
    for number in range(4):
        place.add(number, pool=number < 2)
        hunted.add(number, pool=number < 2)
    stream = replace(place.request.run, online=place.folder / "stream.json")
    place.once(Somebody(lambda: None), run=stream, quiet_us=DAY_US)
    asked = ["watch", "--once", "--every", "1d", "--ended-after", "1d", "--source", str(hunted.logs)]
    asked += ["--store", str(hunted.folder / "store"), "--out", str(hunted.out), "--accounts", str(hunted.accounts)]
    asked += ["--calibration", str(hunted.folder / "calibration.json"), "--online", str(hunted.folder / "stream.json")]
    for lines in (2, 4, 7, 14, 0):
        running = subprocess.Popen(
            [sys.executable, "-c", CODE, *asked],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert running.stderr is not None
        for _ in range(lines):
            assert running.stderr.readline().startswith(b"stillwatch: ")
        if lines:
            running.kill()
        running.communicate()
        assert running.returncode == (-signal.SIGKILL if lines else 0)
    assert hunted.runs() == place.runs()
    assert (hunted.folder / "stream.json").read_bytes() == (place.folder / "stream.json").read_bytes()
    for name in ("events.jsonl", "state.json", *(f"runs/{run}/accounts.parquet" for run in place.runs())):
        assert (hunted.out / name).read_bytes() == (place.out / name).read_bytes(), name
    assert [event["event"] for event in hunted.events()] == ["new", "ended"]


def event(sequence: int, accounts: tuple[str, ...] = ()) -> Event:
    return Event(
        sequence, "grown", "L000001", None, (0, DAY_US), "run", "c", 0, 1, len(accounts), accounts, 1, 1, 0.05
    )  # fmt: skip


@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("size", [1, 10_000])
def test_events_are_written_once_at_whatever_byte_the_writing_was_cut(tmp_path: Path, kept: int, size: int) -> None:
    path = tmp_path / "events.jsonl"
    events = [event(at, tuple(f"{n:016x}" for n in range(size))) for at in (1, 2, 3)]
    append(path, events)
    whole = path.read_bytes()
    starts = [0, *(at + 1 for at, byte in enumerate(whole) if byte == 10)]
    for cut in {starts[kept], starts[kept] + 1, starts[kept] + 100, starts[kept + 1] - 1}:
        path.write_bytes(whole[:cut])
        append(path, events)
        assert path.read_bytes() == whole
        append(path, events)
        assert path.read_bytes() == whole


def test_a_file_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"mine": 1}\n')
    with pytest.raises(Error) as refused:
        append(path, [event(1)])
    assert refused.value.ident == "bad-events"
    assert path.read_text() == '{"mine": 1}\n'


def test_an_event_says_what_docs_say_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")
    for name in body_of(event(1)):
        assert f"| `{name}` |" in page, name
