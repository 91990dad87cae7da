"""How long a campaign goes unseen: the detector runs on the log as it stood at earlier hours.

Detection is taken to last once it is there, so that the hour can be found by doubling and halving. Every hour that was
looked at is kept; where a later one misses what an earlier one found, the later counts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.lab.baselines.log import HOUR_US, Log
from stillwatch.lab.benchmark.contract import Detector
from stillwatch.lab.benchmark.worlds import Day
from stillwatch.lab.score import hidden_accounts, reported_accounts, reported_slices, who_called

ACTIVE_SHARE_MIN = 0.5
PURITY_MIN = 0.9
"""A campaign is seen when one reported campaign names half of its accounts active so far, and hardly anybody else; or,
where slices alone are reported, lists half of its calls so far and hardly any others."""

LOOKS_MAX = 6
"""Each look is a run on a part of the log; six of them come within a sixtieth of a window."""

FIRST_STEP_SHARE = 32
"""The first look is at an hour, or at this part of a long window."""

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Delay:
    """What a campaign got before it was seen. Where it never was, it got everything.

    Units:  hours of log time after its first call, rounded up to the hours of the log; `hours` is None if never seen.
    """

    campaign: str
    hours: float | None
    leaked_count: int
    leaked_share: float
    calls_count: int


@dataclass(slots=True)
class _Timeline:
    """The campaigns' calls in time, and what was seen at the hours looked at so far."""

    campaign: npt.NDArray[np.object_]
    account: npt.NDArray[np.object_]
    event: npt.NDArray[np.object_]
    time: npt.NDArray[np.int64]
    start_us: int
    hours_count: int
    seen: dict[int, frozenset[str]] = field(default_factory=dict)

    def until(self, hour: int) -> int:
        return self.start_us + hour * HOUR_US


def delays(day: Day, run_dir: Path, detector: Detector, seed: int, scratch: Path) -> list[Delay]:
    """Return the delay of each hidden campaign; `run_dir` is the run on the whole log.

    Cost:    at most `LOOKS_MAX` runs and one for each campaign, most of them on a small part of the log.
    """
    line = _timeline(day)
    hidden = hidden_accounts(who_called(day.truth))
    line.seen[line.hours_count] = _seen(line, line.hours_count, run_dir, hidden)

    def seen(hour: int) -> frozenset[str]:
        if hour not in line.seen:
            part, out = scratch / "part", scratch / "part-run"
            for folder in (part, out):
                shutil.rmtree(folder, ignore_errors=True)
            log = cut(day.log, line.until(hour), part)
            line.seen[hour] = _seen(line, hour, detector.run(log.events, log.accounts, out, seed), hidden)
        return line.seen[hour]

    found = {}
    for name in sorted(set(line.campaign.tolist())):
        began = int((line.time[line.campaign == name].min() - line.start_us) // HOUR_US)
        found[name] = _first(name, began, line, seen)
    # Hours looked at for one campaign may show another unseen again.
    return [_delay(name, _lasting(name, hour, line), line) for name, hour in found.items()]


def cut(log: Log, until_us: int, out: Path) -> Log:
    """Write the log as it stood at a time: no later event, no later account, no later closure."""
    (out / "events").mkdir(parents=True)
    for file in log.files():
        with pq.ParquetFile(file) as opened:
            first, last = _span(opened)
            target = out / "events" / file.name
            if last < until_us:
                os.link(file, target)
            elif first < until_us:
                _write_part(opened, until_us, target)
    edge = pa.scalar(until_us, pa.timestamp("us", tz="UTC")).as_py()
    encoder = msgspec.json.Encoder()
    with log.accounts.open("rb") as read, (out / "accounts.jsonl").open("wb") as write:
        for text in read:
            row = msgspec.json.decode(text)
            if _before(row.get("created_at"), edge):
                if not _before(row.get("closed_at"), edge):
                    row = {name: value for name, value in row.items() if name not in {"closed_at", "closed_reason"}}
                write.write(encoder.encode(row) + b"\n")
    return Log(out / "events", out / "accounts.jsonl")


def _span(opened: pq.ParquetFile) -> tuple[int, int]:
    times = opened.read(columns=["time"])["time"].cast(pa.int64())
    ends = pc.min_max(times).as_py()
    return ends["min"] or 0, ends["max"] or 0


def _write_part(opened: pq.ParquetFile, until_us: int, target: Path) -> None:
    with pq.ParquetWriter(target, opened.schema_arrow, compression="lz4") as writer:
        for batch in opened.iter_batches(BATCH_ROWS):
            kept = batch.filter(pc.less(batch.column("time").cast(pa.int64()), until_us))
            if kept.num_rows:
                writer.write_batch(kept)


def _before(time: str | None, edge: datetime) -> bool:
    return time is None or datetime.fromisoformat(time) < edge


def _timeline(day: Day) -> _Timeline:
    calls = pq.read_table(day.truth / "calls.parquet")
    ours, start, last = [], np.iinfo(np.int64).max, 0
    wanted = calls["event_id"].combine_chunks()
    for batch in day.log.batches(["event_id", "time", "account_id"]):
        time = batch.column("time").cast(pa.int64())
        start, last = min(start, pc.min(time).as_py()), max(last, pc.max(time).as_py())
        ours.append(batch.filter(pc.is_in(batch.column("event_id"), value_set=wanted)))
    events = pa.Table.from_batches(ours)
    campaign = calls["campaign"].take(pc.index_in(events["event_id"], value_set=wanted))
    start = start // HOUR_US * HOUR_US
    return _Timeline(
        campaign=campaign.to_numpy(),
        account=events["account_id"].to_numpy(),
        event=events["event_id"].to_numpy(),
        time=events["time"].cast(pa.int64()).to_numpy(),
        start_us=int(start),
        hours_count=int((last - start) // HOUR_US) + 1,
    )


def _seen(line: _Timeline, hour: int, run_dir: Path, hidden: Mapping[str, str]) -> frozenset[str]:
    """Return the campaigns that a run on the log up to an hour saw."""
    so_far = line.time < line.until(hour)
    named: dict[str, set[str]] = {}
    for account, ident in reported_accounts(run_dir).items():
        named.setdefault(ident, set()).add(account)
    found = set()
    slices = reported_slices(run_dir)
    for name in set(line.campaign[so_far].tolist()):
        calls = set(line.event[so_far & (line.campaign == name)].tolist())
        for events in slices.values():
            if len(events & calls) >= max(ACTIVE_SHARE_MIN * len(calls), PURITY_MIN * len(events)):
                found.add(name)
        active = set(line.account[so_far & (line.campaign == name)].tolist())
        for accounts in named.values():
            own = sum(hidden.get(account) == name for account in accounts)
            half = len(accounts & active) >= ACTIVE_SHARE_MIN * len(active)
            if half and own >= PURITY_MIN * len(accounts):
                found.add(name)
    return frozenset(found)


def _first(name: str, began: int, line: _Timeline, seen: Callable[[int], frozenset[str]]) -> int | None:
    """Return the first hour at which a campaign is seen, by doubling from its beginning and then halving.

    After `LOOKS_MAX` new looks the earliest hour at which it was seen stands: it may have been seen before.
    """
    if name not in seen(line.hours_count):
        return None
    looks_end = len(line.seen) + LOOKS_MAX
    low, step = began, max((line.hours_count - began) // FIRST_STEP_SHARE, 1)
    high = line.hours_count
    while low + step < high and len(line.seen) < looks_end:
        if name in seen(low + step):
            high = low + step
        else:
            low, step = low + step, step * 2
    while high - low > 1 and len(line.seen) < looks_end:
        middle = (low + high) // 2
        if name in seen(middle):
            high = middle
        else:
            low = middle
    seen((high + line.hours_count) // 2)  # A look at a later hour: does it last?
    return high


def _lasting(name: str, hour: int | None, line: _Timeline) -> int | None:
    """Return the hour from which every look saw the campaign."""
    if hour is None:
        return None
    misses = [at for at, campaigns in line.seen.items() if at > hour and name not in campaigns]
    later = [at for at in line.seen if at > max(misses, default=hour - 1)]
    return min(later)


def _delay(name: str, hour: int | None, line: _Timeline) -> Delay:
    times = line.time[line.campaign == name]
    if hour is None:
        return Delay(name, None, len(times), 1.0, len(times))
    until = line.until(hour)
    leaked = int((times < until).sum())
    return Delay(name, (until - int(times.min())) / HOUR_US, leaked, leaked / len(times), len(times))
