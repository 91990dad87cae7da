from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.signals.contract import LOG_E_MAX, log_e_from_log_p
from tests.naive.chance import calibrated
from tests.signals.panels import keys, panel


@pytest.mark.parametrize("p", [1.0, 0.7, 0.3, 0.05, 1e-3])
def test_a_p_value_becomes_the_e_value_of_the_slow_twin(p: float) -> None:
    assert math.exp(log_e_from_log_p(math.log(p))) == pytest.approx(calibrated(p), rel=2e-3)


@given(st.floats(-5000, 0), st.floats(-5000, 0))
def test_a_smaller_p_value_never_speaks_less(first: float, second: float) -> None:
    lower, higher = sorted((first, second))
    assert LOG_E_MAX >= log_e_from_log_p(lower) >= log_e_from_log_p(higher) - 1e-6


def test_the_mean_e_value_of_uniform_p_values_is_one() -> None:
    # The calibrator's mass sits near 0: a grid that is even in log p sees it.
    log_p = np.linspace(-600, 0, 400_001)
    e_times_p = np.exp([log_e_from_log_p(each) + each for each in log_p[::50]])
    assert np.trapezoid(e_times_p, log_p[::50]) == pytest.approx(1.0, abs=0.01)


def test_an_account_without_an_organisation_is_its_own_owner() -> None:
    found, count = panel([0, 1, 2, 3], organizations=[0, 9, 9, 0]).owners()
    assert count == 3
    assert found[1] == found[2]
    assert len({*found.tolist()}) == 3


def test_the_panels_of_these_tests_are_sorted_like_an_engines() -> None:
    built = panel([1, 0, 1, 0], time_us=[4, 3, 2, 1], item=[40, 30, 20, 10])
    assert built.calls.account.tolist() == [0, 0, 1, 1]
    assert built.calls.item.tolist() == [10, 30, 20, 40]
    assert (np.diff(keys(50).astype(float)) > 0).all()
