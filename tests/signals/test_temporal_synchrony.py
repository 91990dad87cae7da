from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import temporal_synchrony as signal
from stillwatch.signals.contract import Mark, Panel
from tests.laws.days import DAY_US, FIRST_US, MINUTE_US, logged, office_hours, one_burst, shifts, timers
from tests.naive import temporal_synchrony as twin
from tests.signals.panels import HOUR_US, panel

SHARES = np.full(signal.HALVES - 1, 0.25)


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    return mark


def of_minutes(minutes: list[tuple[int, int]], days: int = 1) -> Panel:
    account, minute = np.array(minutes).T
    time_us = FIRST_US + minute * MINUTE_US
    return logged(np.random.default_rng(3), account, time_us, days)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1439)), min_size=1, max_size=60))
def test_turns_are_those_of_the_slow_twin(minutes: list[tuple[int, int]]) -> None:
    found = of_minutes(minutes)
    calls: dict[int, list[tuple[int, bool]]] = {}
    for who, when, tested in zip(found.calls.account, found.calls.time_us, found.calls.tested, strict=True):
        calls.setdefault(int(who), []).append((int(when), bool(tested)))
    turns = signal.find_turns(found.calls.account, found.calls.time_us, found.calls.tested, found.population)
    assert {tuple(int(x) for x in turn) for turn in zip(*turns, strict=True)} == twin.find_turns(
        calls, FIRST_US, FIRST_US + DAY_US
    )


turns_in_hours = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(0, 3), st.integers(0, 59)), min_size=8, max_size=80
)


@settings(max_examples=40)
@given(turns_in_hours)
def test_episodes_are_those_of_the_slow_twin(drawn: list[tuple[int, int, int, int]]) -> None:
    once = {(kind, owner, hour): hour * HOUR_US + minute * MINUTE_US for kind, owner, hour, minute in drawn}
    turns = {(kind, owner, time) for (kind, owner, _), time in once.items()}
    columns = signal.Turns(*(np.array(column) for column in zip(*sorted(turns), strict=True)))
    episodes, looks = signal.find_episodes(columns, dict.fromkeys(range(3), SHARES))
    expected, expected_looks = twin.find_episodes(turns, {hour: SHARES.tolist() for hour in range(3)})
    assert looks == expected_looks
    found = sorted((each.start_us, each.kind, each.together, each.turned, each.log_p) for each in episodes)
    slow = sorted((start, kind, together, turned, log_p) for log_p, start, kind, together, turned in expected)
    assert [each[:4] for each in found] == [each[:4] for each in slow]
    assert [each[4] for each in found] == pytest.approx([each[4] for each in slow], rel=1e-6, abs=1e-9)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-50, -0.1), st.integers(0, 24 * 24 - 1)), min_size=3, max_size=12))
def test_the_three_episodes_are_separate_and_those_of_the_slow_twin(
    drawn: list[tuple[float, int]],
) -> None:
    episodes = [signal.Episode(log_p, at * signal.HALF_US, 0, 8, 8, 0.25) for log_p, at in drawn]
    picked = signal.separate(episodes)
    assert all(twin.apart(one.start_us, other.start_us) for at, one in enumerate(picked) for other in picked[at + 1 :])
    best = twin.third([(each.log_p, each.start_us, 0, 8, 8) for each in episodes])
    assert signal.third_log_p([each.log_p for each in picked], 1) == best


def test_a_pool_that_one_command_starts_and_stops_is_seen() -> None:
    mark = concluded(shifts(60, days=3, a_day=4)(np.random.default_rng(1)))
    assert mark.log_e is not None
    assert mark.log_e > np.log(1e9)
    assert "three separate occasions" in mark.evidence[0].statement
    assert mark.log_e_without is not None
    assert (mark.log_e_without < mark.log_e).any()
    assert mark.log_e_without.min() > np.log(1e6)


@pytest.mark.parametrize(
    "make",
    [office_hours(100, 3, 10), one_burst(200, 2, 1), one_burst(200, 2, 20), timers(80, 2, 1, 0), timers(80, 2, 2, 23)],
    ids=["office", "class", "viral", "on-the-hour", "odd-timer"],
)
def test_honest_habits_and_one_common_occasion_are_not(make: object) -> None:
    mark = concluded(make(np.random.default_rng(2)))  # type: ignore[operator]
    assert mark.log_e is not None
    assert mark.log_e < 0
    assert mark.counter_evidence


def test_an_outage_is_nobodys_coordination() -> None:
    found = shifts(60, days=3, a_day=4)(np.random.default_rng(1))
    pauses = found.population.block_calls.copy()
    calls = found.calls.time_us // found.population.block_us - found.population.block_first
    pauses[np.bincount(calls, minlength=len(pauses)) == 0] = 0
    mark = concluded_or_skipped(replace(found, population=replace(found.population, block_calls=pauses)))
    assert isinstance(mark, Skipped) or (mark.log_e is not None and mark.log_e < 0)


def concluded_or_skipped(found: Panel) -> Mark | Skipped:
    return signal.conclude(found)


def test_accounts_of_one_owner_count_once() -> None:
    found = shifts(60, days=3, a_day=4)(np.random.default_rng(1))
    said = signal.conclude(replace(found, organizations=np.full(60, 7, dtype=np.uint64)))
    assert isinstance(said, Skipped)


def test_it_says_why_it_cannot_run() -> None:
    short = signal.conclude(panel(np.arange(30) % 9))
    assert isinstance(short, Skipped)
    assert "shorter than half a day" in short.reason
    still = signal.conclude(of_minutes([(0, 600), (1, 700)]))
    assert isinstance(still, Skipped)
    assert "fewer than 3 tested hours" in still.reason
