"""Closing a day: its hours become one sorted whole without what hardly matters; and merging an hour's parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.errors import Error
from stillwatch.kernels.second_account import MANY, enter, keep_entered, note_accounts
from stillwatch.store.calls import CALLS_SCHEMA, hours_of, once, ordered, shingles_of, with_shingles
from stillwatch.store.manifest import HOUR_US, Change, Part, day_of, day_start_us, manifest_moved
from stillwatch.store.parts import PART_ROWS_MAX, filled_of, of_accounts, one_table, read_calls, write_part
from stillwatch.store.store import Store

OPEN_HOURS = 48
"""Hours before the newest that stay open: logs of another region or of a queue come a day late, hardly two."""

HOUR_PARTS_MAX = 16
"""Parts of one open hour; more are merged. A stream that commits each ten seconds reads an hour again some twenty
times, and a window stays under a few thousand files."""

LATE_PARTS_MAX = 24
"""Parts that came after a day was closed and lie beside it; with more the day is closed again by itself."""

SLOTS_MAX = 1 << 24
"""Shingles counted in one go: 200 MB."""

SLOTS_FULL = 0.6
"""Beyond it probing gets slow."""

BUCKET_BITS = 12
_EVERY = (0, 2**64 - 1)

Told = Callable[[str], None]


def days_due(store: Store) -> list[str]:
    """List the days that are to be closed by themselves: OPEN_HOURS before the newest hour, and not closed yet."""
    manifest = store.manifest
    if manifest.newest_hour is None:
        return []
    limit = day_of((manifest.newest_hour - OPEN_HOURS) * HOUR_US)
    closed = manifest.closed_days()
    late: defaultdict[str, int] = defaultdict(int)
    for part in manifest.parts:
        if part.day < limit and not part.closed:
            late[part.day] += 1
    return sorted(day for day, count in late.items() if day not in closed or count > LATE_PARTS_MAX)


def close_days(store: Store, days: Sequence[str], told: Told) -> int:
    """Close days, each in a commit of its own; return how many. A day without anything new is left alone.

    Raises:  Error store-moved where another writer changed the day meanwhile; what `Store.commit` raises.
    """
    closed = 0
    for day in days:
        parts = [part for part in store.manifest.parts if part.day == day]
        if any(not part.closed for part in parts):
            told(f"closing {day}: {sum(part.rows for part in parts)} calls in {len(parts)} parts")
            _replace(store, parts, _closed_parts)
            closed += 1
    return closed


def days_before(store: Store, day: str) -> list[str]:
    """List the days before a day that hold anything. Raises:  Error bad-day."""
    try:
        day_start_us(day)
    except ValueError as error:
        raise Error("bad-day", "expected a day such as 2026-03-02", where=day[:40]) from error
    return sorted({part.day for part in store.manifest.parts if part.day < day})


def merge_hours(store: Store) -> None:
    """Merge the parts of each open hour that has more than HOUR_PARTS_MAX; nothing is lost.

    Where another writer does the same, or closes the day, it is left to that one. Raises:  what `Store.commit` raises.
    """
    by_hour: defaultdict[int, list[Part]] = defaultdict(list)
    closed = store.manifest.closed_days()
    for part in store.manifest.parts:
        if part.day not in closed:
            by_hour[part.hour].append(part)
    for parts in by_hour.values():
        small = [part for part in parts if part.rows < PART_ROWS_MAX // 2]
        if len(small) > HOUR_PARTS_MAX:
            with left_to_others():
                _replace(store, small, _merged_parts)


def filtered_parts(store: Store, part: Part, before_us: int) -> list[Part]:
    """Write a part again without its calls before `before_us`. Raises:  Error store-moved, part-damaged."""
    try:
        every = read_calls(store.place, part, CALLS_SCHEMA.names)
        calls = one_table([batch.filter(pa.array(batch["time_us"].to_numpy() >= before_us)) for batch in every])
        return [_write(store, calls, filled_of(store.place, part), part.closed)] if len(calls) else []
    except FileNotFoundError as error:
        raise manifest_moved() from error


@contextmanager
def left_to_others() -> Iterator[None]:
    """Pass over what another writer has changed meanwhile: it was only to tidy up."""
    try:
        yield
    except Error as error:
        if error.ident != "store-moved":
            raise


def _replace(store: Store, parts: list[Part], make: Callable[[Store, list[Part]], list[Part]]) -> None:
    try:
        made = make(store, parts)
    except FileNotFoundError as error:
        raise manifest_moved() from error
    gone = frozenset(part.name for part in parts) - {part.name for part in made}
    store.commit(Change(add=tuple(made), remove=gone))
    store.discard(file for part in parts if part.name in gone for file in part.files)


def _merged_parts(store: Store, parts: list[Part]) -> list[Part]:
    filled = _filled(store, parts)
    held: list[pa.RecordBatch] = []
    made = []
    for part in parts:
        if sum(batch.num_rows for batch in held) + part.rows > PART_ROWS_MAX:
            made.append(_write(store, ordered(one_table(held)), filled, closed=False))
            held = []
        held += read_calls(store.place, part, CALLS_SCHEMA.names)
    return [*made, _write(store, ordered(one_table(held)), filled, closed=False)]


def _closed_parts(store: Store, parts: list[Part]) -> list[Part]:
    kept = shared_in_day(store, parts)
    filled = _filled(store, parts)
    made = []
    for share in _shares(store, parts):
        calls = once(ordered(one_table(list(_rows_of(store, parts, share)))))
        calls = with_shingles(calls, keep_entered(shingles_of(calls), kept))
        made += [
            _write(store, calls.slice(at, PART_ROWS_MAX), filled, closed=True)
            for at in range(0, len(calls), PART_ROWS_MAX)
        ]
    return made


def _write(store: Store, calls: pa.Table, filled: set[str], closed: bool) -> Part:
    return write_part(store.place, calls, filled, store.manifest.number + 1, closed)


def _filled(store: Store, parts: list[Part]) -> set[str]:
    return set().union(*(filled_of(store.place, part) for part in parts))


def shared_in_day(store: Store, parts: Sequence[Part]) -> np.ndarray:
    """Return the shingles that at least two accounts used, as the table that `keep_entered` looks them up in."""
    rows = sum(part.rows for part in parts)
    slots = min(SLOTS_MAX, 1 << (2 * rows * trace.SHINGLES).bit_length())
    divided = 1
    while (found := _counted(store, parts, slots, divided)) is None:
        divided *= 2
    table = np.zeros(1 << (2 * len(found) + 1).bit_length(), dtype=np.uint32)
    enter(found, table)
    return table


def _counted(store: Store, parts: Sequence[Part], slots: int, divided: int) -> np.ndarray | None:
    """Count one share of the values after the other; None where one does not fit."""
    found = []
    for share in range(divided):
        shingle = np.zeros(slots, dtype=np.uint32)
        account = np.zeros(slots, dtype=np.uint64)
        taken = 0
        for part in parts:
            for batch in read_calls(store.place, part, ["account_key", "shingles"]):
                fresh = note_accounts(
                    shingles_of(batch), batch["account_key"].to_numpy(), share, divided, shingle, account
                )
                taken += fresh
                if fresh < 0 or taken > SLOTS_FULL * slots:
                    return None
        found.append(shingle[account == MANY])
    return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class Share:
    """The calls of accounts `first` to `last` in some hours of a day."""

    first: int
    last: int
    hours: tuple[int, int]


def _shares(store: Store, parts: Sequence[Part]) -> Iterator[Share]:
    """Cut a day into shares of at most PART_ROWS_MAX calls: by account, and by hour where one account has too many.

    An hour in which one bucket of accounts alone has more is not cut further: it stays as many calls as it is.
    """
    counts = np.zeros((1 << BUCKET_BITS, 24), dtype=np.int64)
    width = 64 - BUCKET_BITS
    for part in parts:
        for batch in read_calls(store.place, part, ["account_key", "time_us"]):
            bucket = (batch["account_key"].to_numpy() >> np.uint64(width)).astype(np.int64)
            np.add.at(counts, (bucket, hours_of(batch) % 24), 1)
    for first, last, hours in _cuts(counts, PART_ROWS_MAX):
        yield Share(first << width, ((last + 1) << width) - 1, hours)


def _cuts(counts: np.ndarray, rows_max: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Yield (first bucket, last bucket, hours) that together hold every counted call once."""
    totals = counts.sum(axis=1)
    first, held = 0, 0
    for bucket, rows in enumerate([*totals.tolist(), rows_max]):
        if held and held + rows > rows_max:
            if held <= rows_max:
                yield first, bucket - 1, (0, 24)
            else:
                for hours in _runs(counts[bucket - 1].tolist(), rows_max):
                    yield bucket - 1, bucket - 1, hours
            held = 0
        if not held:
            first = bucket
        held += rows


def _runs(rows_of_hour: list[int], rows_max: int) -> Iterator[tuple[int, int]]:
    start, held = 0, 0
    for hour, rows in enumerate(rows_of_hour):
        if held and held + rows > rows_max:
            yield start, hour
            start, held = hour, 0
        held += rows
    if held:
        yield start, 24


def _rows_of(store: Store, parts: Sequence[Part], share: Share) -> Iterator[pa.RecordBatch]:
    for part in parts:
        for batch in read_calls(store.place, part, CALLS_SCHEMA.names, (share.first, share.last)):
            mine = of_accounts(batch, share.first, share.last)
            if share.hours != (0, 24):
                hour = hours_of(mine) % 24
                mine = mine.filter(pa.array((hour >= share.hours[0]) & (hour < share.hours[1])))
            if mine.num_rows:
                yield mine
