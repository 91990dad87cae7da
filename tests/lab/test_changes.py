"""Accounts that come and go, and the day a new model is out; tolerances stand beside their figures."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.lab.scenario import START_US, Scenario
from stillwatch.lab.traffic import HOUR_US
from stillwatch.lab.world import simulate
from tests.lab.worlds import Day, read

CALLS = 60_000
DAY_US = 24 * HOUR_US


@cache
def week(release_hour: float = 0.0) -> Day:
    return read(simulate(Scenario("week", "", CALLS, (), hours=24 * 7, release_hour=release_hour), 4, CALLS))


def test_a_week_has_the_calls_that_were_asked_for_spread_over_all_its_days() -> None:
    time = week().events["time"].cast(pa.int64()).to_numpy()
    assert abs(len(time) / CALLS - 1.0) < 0.15  # the heaviest tenants of a small world weigh much
    daily = np.bincount((time - START_US) // DAY_US, minlength=7)
    assert len(daily) == 7
    assert daily.min() > 0.5 * daily.mean()


def test_a_week_repeats_its_daily_curve() -> None:
    events = week().events.filter(pa.array(week().group == "consumer"))
    hour = (events["time"].cast(pa.int64()).to_numpy() - START_US) // HOUR_US
    curve = np.bincount(hour, minlength=168).reshape(7, 24)
    # Three days against three: some 25 bursty sessions an hour and day are too few for one.
    assert np.corrcoef(curve[1:4].sum(axis=0), curve[4:7].sum(axis=0))[0, 1] > 0.5


def test_some_accounts_are_made_during_the_week_and_never_call_before() -> None:
    accounts, events = week().world.accounts(), week().events
    made = dict(zip(*(accounts[c].to_pylist() for c in ("account_id", "created_at")), strict=True))
    closed = dict(zip(*(accounts[c].to_pylist() for c in ("account_id", "closed_at")), strict=True))
    for account, time in zip(*(events[c].to_pylist() for c in ("account_id", "time")), strict=True):
        assert made[account] <= time
        assert closed[account] is None or time < closed[account] + timedelta(hours=1)  # a banned one is told 403
    begin = pc.min(events["time"]).as_py()
    born = np.mean([time > begin for time in made.values()])
    assert 0.1 < born < 0.35
    left = [time for time in closed.values() if time]
    assert 0.005 < len(left) / len(closed) < 0.1


def test_most_honest_accounts_that_close_were_closed_by_their_users() -> None:
    reasons = week().world.accounts()["closed_reason"].drop_null().to_pylist()
    assert set(reasons) == {"user", "banned"}
    assert reasons.count("user") > reasons.count("banned")


def test_new_accounts_are_shorter_lived_than_old_ones() -> None:
    day = week()
    accounts = day.world.accounts()
    made = dict(zip(*(accounts[c].to_pylist() for c in ("account_id", "created_at")), strict=True))
    begin = pc.min(day.events["time"]).as_py()
    last = defaultdict(int)
    for account, time in zip(*(day.events[c].to_pylist() for c in ("account_id", "time")), strict=True):
        last[account] = max(last[account], (time - begin).days)
    fresh = [(begin - made[a]).days < 3 and made[a] < begin for a in last]
    old = [(begin - made[a]).days >= 3 for a in last]
    days = np.array(list(last.values()))
    assert (days[fresh] >= 5).mean() < 0.8 * (days[old] >= 5).mean()


def on_new_model(day: Day) -> np.ndarray:
    time = day.events["time"].cast(pa.int64()).to_numpy()
    moved = pc.equal(day.events["request_model"], "aurora-5").to_numpy(zero_copy_only=False)
    index = (time - START_US) // DAY_US
    return np.array([moved[index == number].mean() for number in range(7)])


def test_a_new_model_is_tried_by_many_at_once_and_then_less() -> None:
    share = on_new_model(week(34.0))
    assert share[0] == 0.0
    assert share[2] > 0.1
    assert share[5:].mean() < 0.75 * share[2]
    assert share[6] > 0.02


def test_without_a_release_nobody_calls_a_new_model() -> None:
    assert not on_new_model(week()).any()


def test_a_conversation_stays_on_its_model_but_for_those_that_the_release_met() -> None:
    events = week(34.0).events
    models = defaultdict(set)
    for session, model in zip(*(events[c].to_pylist() for c in ("session_id", "request_model")), strict=True):
        if session:
            models[session].add(model)
    assert np.mean([len(each) > 1 for each in models.values()]) < 0.01


@pytest.mark.parametrize("release_hour", [0.0, 10.0])
def test_the_same_seed_gives_the_same_days(release_hour: float) -> None:
    scenario = Scenario("days", "", 3_000, (), hours=48, release_hour=release_hour)
    assert read(simulate(scenario, 4, 3_000)).events.equals(read(simulate(scenario, 4, 3_000)).events)
