"""Worlds of many days: who is away, who is banned, and what a scaled world keeps."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.campaigns.evasions import RotatingPool
from stillwatch.lab.roster import DAY_US
from stillwatch.lab.scenario import START_US, Scenario, around
from stillwatch.lab.traffic import HOUR_US
from stillwatch.lab.world import simulate
from tests.lab.worlds import read

WEEK = around(RotatingPool(accounts=40, days=7, rate=10.0).plan(), "a week")


def test_a_week_has_about_as_many_calls_as_asked_for() -> None:
    world = simulate(WEEK, 3, 60_000)
    drawn = sum(len(calls) for _, calls in world._slots())
    # The heaviest tenant has up to 16 % of its tier, and may be away on most of seven days.
    assert abs(drawn / 60_000 - 1.0) < 0.1


def test_a_median_account_has_a_third_or_more_of_its_week_on_one_day() -> None:
    day = read(simulate(WEEK, 3, 30_000))
    consumers = day.of("consumer")
    date = (consumers["time"].cast(pa.int64()).to_numpy() - START_US) // DAY_US
    accounts = np.unique(consumers["account_id"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    load = np.zeros((accounts.max() + 1, 7))
    np.add.at(load, (accounts, date), 1)
    busy = load[load.sum(axis=1) >= 10]
    assert 0.3 < np.median(busy.max(axis=1) / busy.sum(axis=1)) < 0.8


def test_companies_rest_at_the_weekend() -> None:
    day = read(simulate(Scenario("test", "", 200_000, (), hours=168), 4, 40_000))
    company = day.of("developer")
    date = (company["time"].cast(pa.int64()).to_numpy() - START_US) // DAY_US
    accounts = [len(pc.unique(company["account_id"].filter(pa.array(date == d)))) for d in range(7)]
    assert np.mean(accounts[4:6]) < 0.8 * np.mean(accounts[:4] + accounts[6:])


def test_a_banned_account_is_told_403_for_an_hour_and_then_silent() -> None:
    day = read(simulate(WEEK, 3, 30_000))
    accounts = day.world.accounts()
    banned = accounts.filter(pc.equal(accounts["closed_reason"], "banned"))
    assert len(banned) > 10
    closed = dict(zip(banned["account_id"].to_pylist(), banned["closed_at"].cast(pa.int64()).to_pylist(), strict=True))
    late = 0
    columns = (day.events["account_id"], day.events["time"].cast(pa.int64()), day.events["status"])
    for account, time, status in zip(*(column.to_pylist() for column in columns), strict=True):
        if account in closed and time >= closed[account]:
            assert status == 403
            assert time < closed[account] + HOUR_US
            late += 1
    assert late > 0


def test_nobody_calls_before_the_account_was_made() -> None:
    day = read(simulate(WEEK, 3, 20_000))
    made = dict(zip(*(day.world.accounts()[c].to_pylist() for c in ("account_id", "created_at")), strict=True))
    for account, time in zip(*(day.events[c].to_pylist() for c in ("account_id", "time")), strict=True):
        assert made[account] <= time


def test_a_week_is_the_same_however_its_batches_are_cut() -> None:
    world = simulate(WEEK, 1, 8_000)
    digests = []
    for rows in (53, 100_000):
        world.batch_rows = rows
        sink = hashlib.sha256()
        for row in read(world).events.select(["event_id", "input_text", "presented_blocks"]).to_pylist():
            sink.update(repr(row).encode())
        digests.append(sink.hexdigest())
    assert digests[0] == digests[1]
