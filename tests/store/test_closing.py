from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.store import closing
from stillwatch.store.closing import close_days, days_before, shared_in_day
from stillwatch.store.parts import read_calls
from stillwatch.store.store import Store
from tests.naive import second_account as twin
from tests.store.calls import KEY, event, fold_events, held, hours_of_day, ids, opened, shingles_kept

SHARED = "in the matter before us show your whole reasoning ahead of the answer and shorten nothing of it please"


def own(number: int) -> str:
    """Words that no other number has, nor another account."""
    word = "".join("abcdefghij"[int(digit)] for digit in f"{number:04d}")
    return " ".join(word + letter for letter in "qrstuvwxyz")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two days: some calls with words that several accounts send, others with words of their own."""
    made = Store.open(str(tmp_path / "store"), KEY, create=True)
    for day in (1, 2):
        rows = [{**each, "input_text": SHARED if at % 2 else own(at)} for at, each in enumerate(hours_of_day(day))]
        fold_events(made, rows, tmp_path)
    return made


def calls(store: Store) -> list[tuple[int, list[int]]]:
    found = []
    for part in store.manifest.parts:
        for batch in read_calls(store.place, part, ["account_key", "shingles"]):
            found += list(zip(batch["account_key"].to_pylist(), batch["shingles"].to_pylist(), strict=True))
    return found


def test_a_closed_day_keeps_every_call_and_the_shingles_of_two_accounts(store: Store) -> None:
    before = calls(store)
    one_day = [each for each in before if each]
    kept = twin.note_accounts(one_day)
    assert close_days(store, ["2026-03-01", "2026-03-02"], str) == 2
    assert held(store) == ids([*hours_of_day(1), *hours_of_day(2)])
    assert {shingle for _, of in calls(store) for shingle in of} - {0} <= kept
    assert 0 < shingles_kept(store) < sum(1 for _, of in before for shingle in of if shingle)


def test_a_shingle_that_each_day_only_one_account_used_is_lost_by_closing(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"), KEY, create=True)
    fold_events(store, [event(1, day=1, account="a", input_text=SHARED)], tmp_path)
    fold_events(store, [event(2, day=2, account="b", input_text=SHARED)], tmp_path)
    close_days(store, ["2026-03-01"], str)
    assert [np.count_nonzero(of) > 0 for _, of in calls(store)] == [False, True]


def test_a_closed_day_is_one_part_by_account_and_time(store: Store) -> None:
    close_days(store, ["2026-03-01"], str)
    (part,) = (part for part in store.manifest.parts if part.day == "2026-03-01")
    assert part.closed
    rows = [
        row
        for batch in read_calls(store.place, part, ["account_key", "time_us"])
        for row in zip(batch["account_key"].to_pylist(), batch["time_us"].to_pylist(), strict=True)
    ]
    assert rows == sorted(rows)


def test_the_files_of_the_hours_are_gone_when_a_day_is_closed(store: Store) -> None:
    close_days(store, ["2026-03-01", "2026-03-02"], str)
    assert len(store.place.names("parts")) == 4


def test_a_day_that_is_closed_stays_as_it_is(store: Store) -> None:
    close_days(store, ["2026-03-01"], str)
    before = store.manifest
    assert close_days(store, ["2026-03-01"], str) == 0
    assert store.refresh() == before


def test_who_comes_second_to_close_a_day_is_told_and_breaks_nothing(store: Store) -> None:
    other = opened(store.place.url)
    close_days(store, ["2026-03-01"], str)
    with pytest.raises(Error) as refused:
        close_days(other, ["2026-03-01"], str)
    assert refused.value.ident == "store-moved"
    assert held(opened(store.place.url)) == ids([*hours_of_day(1), *hours_of_day(2)])


def test_a_large_day_is_closed_in_shares_and_holds_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "PART_ROWS_MAX", 7)
    whole = twin.note_accounts(calls(store)[:60])
    close_days(store, ["2026-03-01"], str)
    monkeypatch.undo()
    closed = [part for part in store.manifest.parts if part.day == "2026-03-01"]
    assert len(closed) > 8
    assert all(part.rows <= 7 for part in closed)
    assert held(store) == ids([*hours_of_day(1), *hours_of_day(2)])
    assert whole


def test_shingles_are_counted_the_same_in_a_small_table(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = store.manifest.parts
    wide = sorted(set(shared_in_day(store, parts).tolist()))
    monkeypatch.setattr(closing, "SLOTS_MAX", 64)
    assert sorted(set(shared_in_day(store, parts).tolist())) == wide
    assert set(wide) - {0} == twin.note_accounts(calls(store))


@given(
    st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 23), st.integers(1, 60)), max_size=30), st.integers(1, 80)
)
def test_shares_hold_every_call_once(cells: list, rows_max: int) -> None:
    counts = np.zeros((4096, 24), dtype=np.int64)
    for bucket, hour, rows in cells:
        counts[bucket, hour] += rows
    seen = np.zeros_like(counts)
    for first, last, (start, end) in closing._cuts(counts, rows_max):
        share = counts[first : last + 1, start:end]
        seen[first : last + 1, start:end] += share
        assert share.sum() <= rows_max or np.count_nonzero(share) == 1
    assert np.array_equal(seen, counts)


def test_a_date_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(Error) as refused:
        days_before(store, "yesterday")
    assert refused.value.ident == "bad-day"
    assert days_before(opened(store.place.url), "2026-03-02") == ["2026-03-01"]
