from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import birth_cohort as signal
from stillwatch.signals.contract import Mark, Panel, Population
from tests.naive import birth_cohort as twin
from tests.signals.panels import HOUR_US, START_US, panel

NOTHING = np.zeros(0, dtype=np.int64)


def family(created: np.ndarray, others: np.ndarray) -> Panel:
    everybody = np.sort(np.concatenate([created[created >= 0], others]))
    population = Population(len(everybody), everybody, HOUR_US, 0, NOTHING, NOTHING.astype(bool))
    return panel(np.arange(len(created)), created_us=created, population=population)


def over_a_year(count: int, seed: int) -> np.ndarray:
    hours = np.random.default_rng(seed).uniform(0, 365 * 24, count)
    return START_US - (hours * HOUR_US).astype(np.int64)


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    return mark


hours = st.lists(st.integers(0, 600), max_size=40)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 600), min_size=8, max_size=14), hours)
def test_the_fullest_window_is_at_least_as_likely_as_the_slow_twins_least_likely(
    own: list[int], others: list[int]
) -> None:
    known = np.sort(np.array(own)) * HOUR_US
    population = np.sort(np.array(own + others)) * HOUR_US
    found = signal.scan(known, population)
    assert found.log_p >= twin.scan(known.tolist(), population.tolist()) - 1e-9
    if found.log_p < 0:
        assert found.inside == ((known >= found.start_us) & (known < found.start_us + found.width_us)).sum()


@pytest.mark.parametrize("burst", [5, 12])
def test_a_burst_is_as_unlikely_as_in_the_slow_twin(burst: int) -> None:
    known = np.sort(np.concatenate([over_a_year(15, 1), START_US + np.arange(burst) * 60_000_000]))
    population = np.sort(np.concatenate([known, over_a_year(200, 2)]))
    found = signal.scan(known, population)
    assert found.log_p == pytest.approx(twin.scan(known.tolist(), population.tolist()), rel=1e-6)


@pytest.mark.parametrize("chance", [0.01, 0.3])
@pytest.mark.parametrize("outside", [0, 7])
def test_bystanders_are_counted_as_the_slow_twin_counts_them(outside: int, chance: float) -> None:
    assert signal.bystanders(outside, chance) == pytest.approx(twin.bystanders(outside, chance), rel=1e-6)


def test_accounts_made_in_one_afternoon_are_a_cohort() -> None:
    made = START_US - 40 * 24 * HOUR_US + np.arange(30) * 120_000_000
    mark = concluded(family(np.concatenate([made, over_a_year(10, 1)]), over_a_year(1_000, 2)))
    assert mark.log_e > np.log(1000)
    assert "30 of 40 owners signed up within 1 h" in mark.evidence[0].statement


def test_an_enterprise_that_opens_its_seats_in_one_hour_signed_up_once() -> None:
    seats = START_US - 40 * 24 * HOUR_US + np.arange(30) * 60_000_000
    strangers, others = over_a_year(40, 1), over_a_year(1_000, 2)
    found = family(np.concatenate([seats, strangers]), others)
    assert concluded(found).log_e > np.log(1_000)
    assert concluded(replace(found, organizations=np.repeat([9, 0], [30, 40]).astype(np.uint64))).log_e < 0


def test_whom_a_programme_let_in_on_one_day_is_no_cohort_and_says_nothing_of_others() -> None:
    morning = START_US - 20 * HOUR_US + np.random.default_rng(5).integers(0, 4 * HOUR_US, 40)
    found = family(np.concatenate([morning, over_a_year(20, 1)]), over_a_year(2_000, 7))
    assert concluded(found).log_e > np.log(1_000)
    let_in = replace(found, facts=replace(found.facts, programme=np.repeat([2, 0], [40, 20])))
    assert concluded(let_in).log_e < 0
    nobody_else = replace(found, facts=replace(found.facts, programme=np.repeat([2, 0], [53, 7])))
    said = signal.conclude(nobody_else)
    assert isinstance(said, Skipped)
    assert "programmes" in said.reason


def test_a_date_ties_nobody_where_honest_accounts_are_to_be_expected_among_those_who_share_it() -> None:
    week = START_US - 20 * 24 * HOUR_US + np.random.default_rng(8).integers(0, 6 * 24 * HOUR_US, 30)
    alone = concluded(family(week, over_a_year(4_000, 2)))
    mixed = concluded(family(np.concatenate([week, over_a_year(12, 1)]), over_a_year(4_000, 2)))
    assert min(alone.log_e, mixed.log_e) > np.log(1_000)
    assert alone.tied is not None
    assert mixed.tied is not None
    assert alone.tied.all()
    assert not mixed.tied.any()


def test_accounts_made_when_everybody_signs_up_are_none() -> None:
    launch = START_US + np.random.default_rng(3).integers(0, 24 * HOUR_US, 1_040)
    mark = concluded(family(launch[:40], launch[40:]))
    assert mark.log_e < 0
    assert mark.counter_evidence


def test_unknown_sign_ups_are_left_out() -> None:
    mark = concluded(family(np.concatenate([over_a_year(20, 1), np.full(5, -1)]), over_a_year(500, 2)))
    assert "of 25 owners" not in "".join(said.statement for said in mark.evidence)
    assert mark.log_e_without is not None
    assert len(mark.log_e_without) == 25


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel(np.arange(30)))
    assert isinstance(said, Skipped)
    assert "--accounts" in said.reason
