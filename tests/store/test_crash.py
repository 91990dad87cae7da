"""A writer that dies at any operation leaves a store as it was before or after, and its work can be repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from stillwatch.engines.ingest import fold_in
from stillwatch.pseudonym import UNKEYED
from stillwatch.store.closing import close_days
from stillwatch.store.store import Store
from stillwatch.store.upkeep import check, prune, sweep
from tests.house.repository import ROOT
from tests.scenes.scene import write_lines
from tests.store import crash_child
from tests.store.calls import KEY, fold_events, fold_files, held, hours_of_day, ids, opened

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
BEFORE = [*hours_of_day(1, hours=2), *hours_of_day(2, hours=1)]
AFTER = {
    "ingest": [*BEFORE, *hours_of_day(5, hours=1)],
    "close": BEFORE,
    "prune": hours_of_day(2, hours=1),
}


def whole(store: Store) -> None:
    assert check(store, lambda rows, size_bytes: None).faults == ()


@pytest.mark.parametrize("action", AFTER)
def test_a_writer_that_is_killed_at_any_operation_leaves_a_store_as_before_or_after(
    action: str, tmp_path: Path
) -> None:
    base, copies = tmp_path / "base", tmp_path / "copies"
    fold_files(base, write_lines(tmp_path / "old.jsonl", BEFORE), folder=tmp_path, close=False)
    log = write_lines(tmp_path / "new.jsonl", hours_of_day(5, hours=1))
    command = [sys.executable, "-m", "tests.store.crash_child", action, str(base), str(copies), str(log)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    survivors = sorted(copies.iterdir())
    assert len(survivors) > 8
    seen = set()
    for copy in survivors:
        store = opened(copy)
        found = held(store)
        assert found in (ids(BEFORE), ids(AFTER[action])), copy.name
        seen.add(len(found))
        whole(store)
        crash_child.act(action, copy, log)
        store.refresh()
        assert held(store) == ids(AFTER[action])
        sweep(store, FAR_FUTURE)
        whole(store)
        assert len(store.place.names("parts")) == 2 * len(store.manifest.parts)
    assert seen == {len(BEFORE), len(AFTER[action])}


class FailingError(OSError):
    """What the storage of these tests fails with."""


class Failing(MemoryFileSystem):
    """Storage whose n-th change fails, before it happens or after, as a network does."""

    protocol = "failing"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    left: int | None = None
    after = False

    def _fail(self) -> bool:
        if Failing.left is None:
            return False
        Failing.left -= 1
        return Failing.left == 0

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        failing = self._fail()
        if failing and not Failing.after:
            raise FailingError
        super().pipe_file(path, value, mode=mode, **kwargs)
        if failing:
            raise FailingError

    def rm_file(self, path: str) -> None:
        failing = self._fail()
        if failing and not Failing.after:
            raise FailingError
        super().rm_file(path)
        if failing:
            raise FailingError


@pytest.fixture
def failing() -> Iterator[type[Failing]]:
    fsspec.register_implementation("failing", Failing, clobber=True)
    Failing.store.clear()
    yield Failing
    Failing.left = None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("action", AFTER)
def test_storage_that_fails_at_any_change_leaves_a_store_as_before_or_after(
    action: str, after: bool, failing: type[Failing], tmp_path: Path
) -> None:
    def act(store: Store) -> None:
        if action == "ingest":
            if "late" not in store.manifest.sources:
                fold_events(store, hours_of_day(5, hours=1), tmp_path, sources={"late": "late"})
        elif action == "close":
            close_days(store, ["2026-03-01", "2026-03-02"], str)
        else:
            prune(store, crash_child.KEPT_US)

    failing.after = after
    for left in range(1, 40):
        failing.store.clear()
        failing.left = None
        store = Store.open("failing://store", KEY, create=True)
        fold_events(store, BEFORE, tmp_path)
        failing.left = left
        with suppress(FailingError):
            act(store)
        done = failing.left > 0
        failing.left = None
        again = Store.open("failing://store", KEY)
        assert held(again) in (ids(BEFORE), ids(AFTER[action]))
        whole(again)
        act(again)
        assert held(again) == ids(AFTER[action])
        whole(again)
        if done:
            break
    assert done
    assert left > 3


def test_two_writers_at_once_both_get_their_calls_in(tmp_path: Path) -> None:
    logs = [write_lines(tmp_path / f"{n}.jsonl", hours_of_day(1)[n::6]) for n in range(6)]
    code = (
        "import sys; from pathlib import Path; from tests.store.calls import fold_files\n"
        "for log in sys.argv[2:]: fold_files(sys.argv[1], log, folder=Path(log).parent)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "store"), *map(str, logs[n::2])], env=environment)
        for n in range(2)
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    store = opened(tmp_path / "store")
    assert held(store) == ids(hours_of_day(1))
    assert len(store.manifest.sources) == 6
    whole(store)


def test_a_fold_of_nothing_makes_no_manifest(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"), KEY, create=True)
    assert fold_in(store, [], UNKEYED) == 0
    assert store.refresh().number == 1
