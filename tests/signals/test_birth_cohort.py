from __future__ import annotations

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
    log_p, width, inside, start = signal.scan(known, population)
    assert log_p >= twin.scan(known.tolist(), population.tolist()) - 1e-9
    if log_p < 0:
        assert inside == ((known >= start) & (known < start + width)).sum()


@pytest.mark.parametrize("burst", [5, 12])
def test_a_burst_is_as_unlikely_as_in_the_slow_twin(burst: int) -> None:
    known = np.sort(np.concatenate([over_a_year(15, 1), START_US + np.arange(burst) * 60_000_000]))
    population = np.sort(np.concatenate([known, over_a_year(200, 2)]))
    found = signal.scan(known, population)[0]
    assert found == pytest.approx(twin.scan(known.tolist(), population.tolist()), rel=1e-6)


def test_accounts_made_in_one_afternoon_are_a_cohort() -> None:
    made = START_US - 40 * 24 * HOUR_US + np.arange(30) * 120_000_000
    mark = concluded(family(np.concatenate([made, over_a_year(10, 1)]), over_a_year(1_000, 2)))
    assert mark.log_e > np.log(1000)
    assert "30 of 40 accounts signed up within 1 h" in mark.evidence[0].statement


def test_accounts_made_when_everybody_signs_up_are_none() -> None:
    launch = START_US + np.random.default_rng(3).integers(0, 24 * HOUR_US, 1_040)
    mark = concluded(family(launch[:40], launch[40:]))
    assert mark.log_e < 0
    assert mark.counter_evidence


def test_unknown_sign_ups_are_left_out() -> None:
    mark = concluded(family(np.concatenate([over_a_year(20, 1), np.full(5, -1)]), over_a_year(500, 2)))
    assert "of 20 accounts" not in "".join(said.statement for said in mark.evidence)
    assert mark.log_e_without is not None
    assert len(mark.log_e_without) == 25


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel(np.arange(30)))
    assert isinstance(said, Skipped)
    assert "--accounts" in said.reason
