from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import adoption as signal
from stillwatch.signals.contract import Mark, Panel, Population
from tests.naive import adoption as twin
from tests.signals.panels import HOUR_US, START_US, panel

OLD, NEW = 1, 2
FIRST = START_US // HOUR_US
NOBODY = np.zeros(0, dtype=np.int64)


def population_of(everybody: np.ndarray, used: np.ndarray) -> Population:
    tested = np.arange(len(everybody)) % 2 == 0
    models = np.arange(1, len(used) + 1).astype(np.uint64)
    return Population(500, NOBODY, HOUR_US, FIRST, everybody, tested, models, used)


def released(own_share: float, others_share: float, hours: int = 48, arrival: int = 20) -> Panel:
    """A family of ten calls an hour amid two hundred; a model arrives, and shares of both move to it."""
    rng = np.random.default_rng(8)
    hour = np.repeat(np.arange(hours), 10)
    moved = (hour >= arrival) & (rng.random(len(hour)) < own_share)
    others = np.where(np.arange(hours) >= arrival, rng.binomial(200, others_share, hours), 0)
    new = others + np.bincount(hour[moved], minlength=hours)
    everybody = np.full(hours, 210)
    return panel(
        np.arange(len(hour)) % 12, time_us=(hour + FIRST) * HOUR_US, tested=hour % 2 == 0,
        model=np.where(moved, NEW, OLD), population=population_of(everybody, np.stack([everybody - new, new])),
    )  # fmt: skip


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    return mark


counts = st.lists(st.lists(st.integers(0, 9), min_size=12, max_size=12), min_size=1, max_size=4)


@settings(max_examples=60)
@given(counts, st.integers(0, 11))
def test_new_models_are_those_of_the_slow_twin(drawn: list[list[int]], absent: int) -> None:
    used = np.array(drawn)
    used[-1, :absent] = 0
    everybody = used.sum(axis=0) + 1
    found = signal.new_models(population_of(everybody, used))
    assert found == twin.new_models(everybody.tolist(), used.tolist())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30), st.integers(0, 90), st.integers(0, 60))
def test_shares_are_those_of_the_slow_twin(calls: list[tuple[bool, bool]], everybody: int, moved: int) -> None:
    within = np.array([inside for inside, _ in calls], dtype=bool)
    gone = np.array([inside and went for inside, went in calls], dtype=bool)
    found = signal.counted(within, gone, everybody, moved)
    assert (found.share, found.others_share) == pytest.approx(twin.move(calls, everybody, moved))


def test_a_family_that_moves_at_once_is_ahead_and_gets_little_for_it() -> None:
    mark = concluded(released(0.9, 0.1))
    assert mark.log_e is None
    assert mark.score is not None
    assert 0.1 < mark.score <= signal.SCORE_MAX
    assert "within a day of its arrival" in mark.evidence[0].statement


@pytest.mark.parametrize(("own", "others"), [(0.3, 0.3), (0.05, 0.4), (0.9, 0.9)])
def test_a_family_that_moves_like_everybody_is_no_evidence(own: float, others: float) -> None:
    mark = concluded(released(own, others))
    assert mark.score == pytest.approx(0.0, abs=0.01)
    assert not mark.evidence or mark.score > 0


def test_a_model_that_was_always_rare_is_not_new() -> None:
    everybody = np.full(48, 200)
    rare = np.zeros(48, dtype=np.int64)
    rare[20:] = np.arange(28) % 10 == 0
    found = panel(np.arange(40) % 8, population=population_of(everybody, np.stack([everybody - rare, rare])))
    said = signal.conclude(found)
    assert isinstance(said, Skipped)
    assert "no model appears" in said.reason


def test_it_says_why_it_cannot_run() -> None:
    few = released(0.9, 0.1, hours=24, arrival=22)
    said = signal.conclude(few)
    assert isinstance(said, Skipped)
    assert "fewer than 30" in said.reason
