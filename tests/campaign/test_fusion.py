"""Evidence of several signals comes together on one axis: none convicts alone, and the average stays an e-value."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaign.fusion import coordination
from stillwatch.finding import Family
from stillwatch.signals.contract import Floats, Mark


def mark(ident: str, log_e: float, left: Floats | None = None, family: Family = "dispatch") -> Mark:
    return Mark(ident, family, log_e, (), log_e_without=left)


def replay(log_e: float) -> Mark:
    return mark("reasoning-replay", log_e, family="provenance")


def test_replayed_blocks_alone_show_no_one_hand() -> None:
    log_e, without = coordination([replay(700.0), mark("pool-dispatch", 1.0), mark("birth-cohort", -0.7)], 4)
    assert log_e < np.log(20)
    assert (without < np.log(20)).all()


def test_replayed_blocks_count_where_another_signal_seconds_them() -> None:
    log_e, _ = coordination([replay(700.0), mark("pool-dispatch", 4.6), mark("birth-cohort", -0.7)], 4)
    assert log_e == pytest.approx(700.0 - np.log(3))


def test_an_account_that_makes_the_second_signal_leaves_the_blocks_without_one() -> None:
    left = np.array([4.6, 4.6, 0.1])
    _, without = coordination([replay(700.0), mark("pool-dispatch", 4.6, left)], 3)
    assert (without[:2] > 600).all()
    assert without[2] < np.log(20)


def test_a_family_without_a_coordination_signal_shows_nothing() -> None:
    log_e, without = coordination([replay(700.0)], 2)
    assert log_e == -np.inf
    assert (without == -np.inf).all()


def test_the_average_is_never_more_than_with_the_blocks_counted() -> None:
    rng = np.random.default_rng(3)
    for own, others in zip(rng.normal(0, 5, 200), rng.normal(0, 5, (200, 3)), strict=True):
        marks = [mark(name, float(e)) for name, e in zip(("queue-sharding", "pool-dispatch", "failover"), others,
                                                         strict=True)]  # fmt: skip
        log_e, _ = coordination([*marks, replay(float(own))], 1)
        assert log_e <= np.logaddexp.reduce([own, *others]) - np.log(4) + 1e-12
