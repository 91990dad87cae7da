from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.errors import Error
from stillwatch.store.closing import close_days
from stillwatch.store.manifest import DAY_US, HOUR_US
from stillwatch.store.store import Store
from stillwatch.store.upkeep import Checked, check, contents, give_up, orphans, prune, sweep
from tests.scenes.scene import write_lines
from tests.store.calls import KEY, flip_a_byte, fold_events, fold_files, held, hours_of_day, ids, opened, written

DAYS = (1, 2, 3, 4)
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.open(str(tmp_path / "store"), KEY, create=True)
    for day in DAYS:
        fold_events(made, hours_of_day(day), tmp_path)
    return made


def checked(store: Store) -> Checked:
    return check(store, lambda rows, size_bytes: None)


def days(*numbers: int) -> dict[str, int]:
    return ids([each for day in numbers for each in hours_of_day(day)])


def test_pruning_removes_what_is_older_and_its_files(store: Store) -> None:
    gone = prune(store, 2 * DAY_US)
    # Two days before the end of the fourth day's third hour all hours of the second day are over.
    assert held(store) == days(3, 4)
    assert (gone.rows, gone.parts) == (120, 6)
    assert len(store.place.names("parts")) == 2 * len(store.manifest.parts) == 12
    assert checked(store).faults == ()


def test_a_closed_day_that_pruning_cuts_keeps_its_later_hours(store: Store) -> None:
    close_days(store, ["2026-03-02", "2026-03-03"], str)
    prune(store, 26 * HOUR_US)
    rest = [each for each in hours_of_day(3) if each["time"] >= "2026-03-03T01"]
    assert held(store) == ids(rest) | days(4)
    assert "2026-03-03" in store.manifest.closed_days()
    assert checked(store).faults == ()


def test_what_was_pruned_does_not_come_back(store: Store, tmp_path: Path) -> None:
    prune(store, 2 * DAY_US)
    log = write_lines(tmp_path / "again.jsonl", [each for day in DAYS for each in hours_of_day(day)])
    outcome = fold_files(tmp_path / "store", log, folder=tmp_path)
    assert (outcome.events_count, outcome.too_old_count) == (120, 120)
    assert set(held(opened(tmp_path / "store"))) == set(days(3, 4))


def test_pruning_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    prune(store, 2 * DAY_US)
    before = written(tmp_path / "store")
    assert prune(store, 2 * DAY_US).rows == 0
    assert written(tmp_path / "store") == before


def test_an_empty_store_has_nothing_to_prune(tmp_path: Path) -> None:
    with pytest.raises(Error) as refused:
        prune(Store.open(str(tmp_path / "store"), KEY, create=True), DAY_US)
    assert refused.value.ident == "no-calls-in-window"


def test_a_whole_store_has_no_fault(store: Store) -> None:
    found = checked(store)
    assert (found.faults, found.orphans, found.rows, found.files) == ((), (), 240, 24)


@pytest.mark.parametrize("ending", [".traces.parquet", ".names.parquet"])
@pytest.mark.parametrize("at", [0, 200, -1])
def test_a_flipped_byte_is_found_and_named(ending: str, at: int, store: Store, tmp_path: Path) -> None:
    name = store.manifest.parts[3].name + ending
    flip_a_byte(tmp_path / "store" / name, at)
    (fault,) = checked(store).faults
    assert (fault.file, fault.reason) == (name, "has other bytes than were written")


def test_a_file_that_is_gone_or_cut_is_found(store: Store, tmp_path: Path) -> None:
    first, second = (tmp_path / "store" / f"{part.name}.names.parquet" for part in store.manifest.parts[:2])
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    assert [fault.reason.split()[0] for fault in checked(store).faults] == ["is", "has"]


def test_a_broken_manifest_is_found_and_an_older_one_counts_meanwhile(store: Store, tmp_path: Path) -> None:
    newest = tmp_path / "store" / "manifests" / f"{store.manifest.number:08d}.json"
    flip_a_byte(newest)
    found = checked(opened(tmp_path / "store"))
    assert [fault.reason for fault in found.faults] == ["is not whole"]
    assert found.number == store.manifest.number - 1


def test_a_repair_gives_up_what_is_damaged_and_the_log_brings_it_back(tmp_path: Path) -> None:
    logs = [write_lines(tmp_path / f"day-{day}.jsonl", hours_of_day(day)) for day in (1, 2)]
    for log in logs:
        fold_files(tmp_path / "store", log, folder=tmp_path)
    store = opened(tmp_path / "store")
    flip_a_byte(tmp_path / "store" / f"{store.manifest.parts[0].name}.traces.parquet")
    assert give_up(store, checked(store).faults) == 1
    assert checked(store).faults == ()
    assert sum(held(store).values()) == 100
    for log in logs:
        fold_files(tmp_path / "store", log, folder=tmp_path)
    again = opened(tmp_path / "store")
    close_days(again, ["2026-03-01", "2026-03-02"], str)
    assert held(again) == days(1, 2)


def test_files_that_nothing_names_are_told_and_swept_when_they_are_old_enough(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    left = ["manifests/.unfinished-9-00000009.json", "parts/2026-03-01/.unfinished-9-x", "parts/2026-03-01/07-orphan"]
    before = written(folder)
    for name in left:
        (folder / name).write_bytes(b"left by a crash")
    found = checked(store)
    assert (found.faults, sorted(found.orphans)) == ((), sorted(left))
    assert sweep(store, datetime.now(UTC)) == []
    assert sorted(orphans(store)) == sorted(left)
    assert sorted(sweep(store, datetime.now(UTC) + timedelta(days=2))) == sorted(left)
    assert written(folder) == before


def test_a_sweep_leaves_what_counts_alone(store: Store, tmp_path: Path) -> None:
    before = written(tmp_path / "store")
    assert sweep(store, FAR_FUTURE) == []
    assert written(tmp_path / "store") == before


def test_a_store_says_what_it_holds(store: Store) -> None:
    close_days(store, ["2026-03-01"], str)
    said = contents(store, columns=True)
    assert [(day["day"], day["closed"], day["calls"]) for day in said["days"]] == [
        ("2026-03-01", True, 60), ("2026-03-02", False, 60), ("2026-03-03", False, 60), ("2026-03-04", False, 60),
    ]  # fmt: skip
    assert said["calls"] == 240
    assert said["columns"]["event_key"] >= 8
