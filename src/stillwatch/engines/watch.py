"""Windows of a store that is being followed: which are due, one run for each, and what became of the campaigns."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from stillwatch.campaign.online import load_state as load_stream
from stillwatch.campaign.succession import Event, advance, load_state, save_state
from stillwatch.engines.contract import Observer, Progress, RunRequest
from stillwatch.engines.following import Follower, FollowRequest
from stillwatch.engines.run import detect
from stillwatch.engines.telling import append, found_in
from stillwatch.errors import Error
from stillwatch.pseudonym import key_ident
from stillwatch.store.manifest import overlapping
from stillwatch.store.store import Store
from stillwatch.store.window import Window

RUNS, EVENTS, STATE, LOCK = "runs", "events.jsonl", "state.json", ".lock"

RUN_TRIES_MAX = 3
"""Tries of one window: what fails three looks in a row fails for a reason that waiting does not cure."""

LOOK_TRIES_MAX = 20
LOOK_TRIES_ONCE_MAX = 3
"""Looks at the sources that may fail one after another before the watch gives up and leaves it to whoever restarts it:
with ever longer pauses over an hour, and some seconds where there is one turn only."""

PAUSE_S_MAX = 300.0
"""The longest pause after a look that failed: a broker that is back is noticed within five minutes."""

SETTLE_S = 2.0
"""Between the two looks of a single turn: a file that did not grow meanwhile rests."""


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What is watched, and how. `run` is what each window asks; its store, window, events and directory are set here.

    A window of `window_us` ends at each multiple of `every_us` since 1970, once the log is `lateness_us` past that.
    Campaigns without calls for `quiet_us` have ended. `replay` begins with the first call of the store, not the newest.
    """

    follow: FollowRequest
    run: RunRequest
    every_us: int
    window_us: int
    quiet_us: int
    lateness_us: int = 0
    runs_kept: int = 100
    replay: bool = False
    pause_s: float = 60.0

    def overlapping(self) -> bool:
        """Tell whether windows share calls."""
        return self.window_us > self.every_us


class Door(Protocol):
    """What a watch needs of the world outside: the time, patience, and somebody to tell."""

    progress: Progress

    def now_s(self) -> float:
        """Return the seconds since 1970."""

    def wait(self, seconds: float) -> None:
        """Wait, less long where somebody asks to stop."""

    def stopping(self) -> bool:
        """Tell whether somebody asked to stop."""

    def tell(self, events: Sequence[Event]) -> None:
        """Tell what became of campaigns; the events are on the disk already."""

    def report(self, error: Error) -> None:
        """Tell what went wrong and did not end the watch."""

    def observer(self) -> Observer | None:
        """Return who finishes the next run's directory, if anybody does."""


def watch(request: WatchRequest, door: Door, once: bool = False) -> None:
    """Follow the sources and run what is due until somebody asks to stop, or for one turn.

    Raises:  Error where the request is wrong, another watch is at work, or too many looks in a row failed.
    """
    _check(request)
    with _alone(request.follow.out):
        store = Store.open(request.follow.store, key_ident(request.run.key), create=True)
        follower = Follower(request.follow, store, door.progress)
        watched = _Watch(request, door, store)
        watched.sweep()
        try:
            watched.finish_telling()
            if once:
                _turn_once(request, door, follower)
                watched.run_due()
            else:
                _go_on(request, door, follower, watched)
        finally:
            follower.close()


def _check(request: WatchRequest) -> None:
    if request.run.online is not None and request.overlapping():
        raise Error(
            "windows-overlap",
            "the windows of a stream must not share calls, and --window is longer than --every",
            hint="make --window as long as --every, or leave out --online: each run then keeps its rate by itself",
        )


def _turn_once(request: WatchRequest, door: Door, follower: Follower) -> None:
    """Look twice, so that it shows which files rest; lines that do not are taken as they stand."""
    for attempt in range(1, LOOK_TRIES_ONCE_MAX + 1):
        try:
            follower.look(door.now_s(), float("inf"), door.report)
            door.wait(min(SETTLE_S, request.pause_s))
            follower.look(door.now_s(), 0.0, door.report)
            return
        except Error as error:
            if attempt == LOOK_TRIES_ONCE_MAX or door.stopping():
                raise
            door.report(error)
            door.wait(request.pause_s)


def _go_on(request: WatchRequest, door: Door, follower: Follower, watched: _Watch) -> None:
    failures = 0
    while not door.stopping():
        try:
            follower.look(door.now_s(), request.every_us / 1e6, door.report)
            failures = 0
        except Error as error:
            failures += 1
            if failures == LOOK_TRIES_MAX:
                raise
            door.report(error)
        watched.run_due()
        if not door.stopping():
            door.wait(min(PAUSE_S_MAX, request.pause_s * 2**failures) if failures else request.pause_s)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second watch from the same directory; the system lets go where a process dies."""
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Error(
                "watch-running",
                "another watch is at work in the output folder",
                hint="stop it first, or name another --out",
                where=str(out),
            ) from error
        yield


class _Watch:
    """The windows of one store."""

    def __init__(self, request: WatchRequest, door: Door, store: Store) -> None:
        self._request, self._door, self._store = request, door, store
        self._out = request.follow.out
        self._state = load_state(self._out / STATE, key_ident(request.run.key))
        self._tries: dict[int, int] = {}

    def sweep(self) -> None:
        """Remove what a run left that was killed before it was published."""
        for path in (self._out / RUNS).glob(".*.partial-*"):
            shutil.rmtree(path, ignore_errors=True)

    def finish_telling(self) -> None:
        """Write the events that a crash kept from being written, and tell them."""
        if not self._state.told:
            return
        told = self._state.told
        append(self._out / EVENTS, told)
        self._state = replace(self._state, told=())
        save_state(self._out / STATE, self._state)
        self._door.tell(told)

    def run_due(self) -> None:
        """Run the windows that are due, the earliest first."""
        for end_us in self._due():
            if self._door.stopping():
                return
            try:
                self._window(end_us)
            except Error as error:
                self._door.report(error)
                self._tries[end_us] = self._tries.get(end_us, 0) + 1
                if self._tries[end_us] < RUN_TRIES_MAX:
                    return
                self._door.progress.note(f"the window until {_name(end_us)} was passed over")
                self._state = replace(self._state, until_us=end_us)
                save_state(self._out / STATE, self._state)

    def _due(self) -> list[int]:
        """Return the ends of the windows that are due.

        The log's time is that of its newest call, and never later than the clock: one call with a wrong time would
        otherwise close every window up to it.
        """
        request, parts = self._request, self._store.refresh().parts
        if not parts:
            return []
        log_us = min(max(part.last_us for part in parts), int(self._door.now_s() * 1e6))
        last = (log_us - request.lateness_us) // request.every_us * request.every_us
        first_call = min(part.first_us for part in parts)
        if self._state.until_us >= 0:
            first = self._state.until_us // request.every_us * request.every_us + request.every_us
        elif request.replay or not request.overlapping():
            first = first_call // request.every_us * request.every_us + request.every_us
        else:
            first = last
        ends = [end for end in range(first, last + 1, request.every_us) if end > first_call]
        if request.overlapping() and not request.replay and len(ends) > 1:
            self._door.progress.note(f"{len(ends) - 1} windows were passed over: the newest holds most of their calls")
            ends = ends[-1:]
        return ends

    def _window(self, end_us: int) -> None:
        request = self._request
        window_us = (end_us - request.window_us, end_us)
        run_dir = self._out / RUNS / _name(end_us)
        ran = bool(overlapping(self._store.manifest.parts, *window_us)) and self._ran(run_dir, window_us)
        found = found_in(run_dir, request.run.key) if ran else []
        self._state, events = advance(self._state, window_us, run_dir.name, found, request.quiet_us)
        if ran or events:
            # Of windows without a call nothing needs to be remembered: there may be thousands in a gap of the log.
            save_state(self._out / STATE, self._state)
            self.finish_telling()
            self._drop_old_runs()

    def _ran(self, run_dir: Path, window_us: tuple[int, int]) -> bool:
        """Run detection on a window, unless its stream went on with it before a crash; False where it holds no call."""
        online = self._request.run.online
        stream = load_stream(online) if online else None
        if stream is not None and stream.until_us >= window_us[0] and (run_dir / "run.json").is_file():
            return True
        try:
            self._detect(run_dir, window_us[1])
        except Error as error:
            if error.ident != "no-calls-in-window":
                raise
            return False
        return True

    def _detect(self, run_dir: Path, end_us: int) -> None:
        request = self._request
        asked = replace(
            request.run, events=(), store=request.follow.store, window=Window(request.window_us, end_us),
            out=run_dir, force=True,
        )  # fmt: skip
        if run_dir.exists() and not (run_dir / "run.json").is_file():
            shutil.rmtree(run_dir)
        detect(asked, self._door.progress, self._door.observer())

    def _drop_old_runs(self) -> None:
        runs = sorted(path for path in (self._out / RUNS).iterdir() if _NAME.fullmatch(path.name))
        for path in runs[: max(0, len(runs) - self._request.runs_kept)]:
            shutil.rmtree(path)


_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")


def _name(end_us: int) -> str:
    """Return the name of a window's run: its end, so that names sort by time."""
    return datetime.fromtimestamp(end_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H%M%SZ")
