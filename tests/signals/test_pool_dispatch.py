from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import pool_dispatch as signal
from stillwatch.signals.contract import Mark, Panel, Population
from tests.naive import pool_dispatch as twin
from tests.signals.panels import HOUR_US, START_US, panel


def of_counts(counts: list[int] | np.ndarray) -> Panel:
    return panel(np.repeat(np.arange(len(counts)), counts), accounts_count=len(counts))


def of_blocks(family: np.ndarray, others: np.ndarray, tested: np.ndarray, accounts: int = 40) -> Panel:
    block = np.repeat(np.arange(len(family)), family)
    account = np.random.default_rng(9).choice(accounts, len(block))
    first = START_US // HOUR_US
    nobody = np.zeros(0, dtype=np.int64)
    population = Population(1000, nobody, HOUR_US, first, family + others, tested)
    return panel(
        account, accounts_count=accounts, time_us=(block + first) * HOUR_US, tested=tested[block], population=population
    )


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    return mark


@settings(max_examples=12)
@given(st.lists(st.integers(1, 12), min_size=8, max_size=20))
def test_the_spread_is_that_of_the_slow_twin(counts: list[int]) -> None:
    log_p, without, ratio, _ = signal._spread(np.array(counts))
    expected, expected_without, expected_ratio = twin.spread(counts)
    assert ratio == pytest.approx(expected_ratio, rel=1e-3)
    assert log_p == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert without.tolist() == pytest.approx(expected_without, rel=2e-3, abs=2e-3)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40), st.booleans()), min_size=20, max_size=60).filter(
        lambda blocks: any(family for family, _, _ in blocks)
    )
)
def test_the_pace_is_that_of_the_slow_twin(blocks: list[tuple[int, int, bool]]) -> None:
    family, others, tested = (np.array(column) for column in zip(*blocks, strict=True))
    expected = twin.pace(family.tolist(), (family + others).tolist(), tested.tolist())
    log_p, _ = signal._pace(of_blocks(family, others, tested))
    assert log_p == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=60))
def test_an_accounts_day_is_that_of_the_slow_twin(calls: list[tuple[int, int]]) -> None:
    account, day = (np.array(column) for column in zip(*calls, strict=True))
    found = panel(account, accounts_count=6, time_us=(START_US // signal.DAY_US + day) * signal.DAY_US)
    assert signal.day_counts(found).tolist() == twin.day_counts(calls, found.accounts.tolist())


def test_accounts_that_follow_one_another_are_as_busy_alike_on_their_days() -> None:
    """A pool of forty, each for one to eight days: their totals differ as customers' do."""
    rng = np.random.default_rng(4)
    life = rng.integers(1, 9, 40)
    account = np.concatenate([np.repeat(who, 24 * days) for who, days in enumerate(life)])
    hour = np.concatenate([np.arange(24 * days) for days in life])
    first = START_US // signal.DAY_US * 24
    nobody = np.zeros(0, dtype=np.int64)
    everybody = Population(500, nobody, HOUR_US, first, np.full(8 * 24, 900), np.ones(8 * 24, dtype=bool))
    alike = concluded(panel(account, time_us=(first + hour) * HOUR_US, population=everybody))
    assert any("on one of its days" in said.statement for said in alike.evidence)
    assert alike.log_e is not None
    assert alike.log_e > np.log(1000)


def test_least_loaded_dispatch_is_seen_and_customers_are_not() -> None:
    rng = np.random.default_rng(2)
    equal = concluded(of_counts(rng.integers(9, 12, 60)))
    customers = concluded(of_counts(1 + rng.poisson(rng.lognormal(1.5, 1.8, 60))))
    assert equal.log_e is not None
    assert customers.log_e is not None
    assert equal.log_e > np.log(1000)
    assert equal.evidence
    assert customers.log_e < 0
    assert customers.counter_evidence


def test_random_dispatch_over_a_pool_is_seen_as_well() -> None:
    mark = concluded(of_counts(np.random.default_rng(3).poisson(20, 200)))
    assert mark.log_e is not None
    assert mark.log_e > np.log(1000)


def test_a_pool_at_a_constant_total_is_too_steady() -> None:
    rng = np.random.default_rng(4)
    others = rng.poisson(300, 80)
    tested = np.arange(80) % 2 == 0
    steady = concluded(of_blocks(np.full(80, 50), others, tested))
    assert any("block to block" in said.statement for said in steady.evidence)
    loose = concluded(of_blocks(rng.poisson(50, 80), others, tested))
    assert not any("block to block" in said.statement for said in loose.evidence)


def test_a_family_that_is_most_of_a_log_does_not_follow_itself() -> None:
    rng = np.random.default_rng(5)
    day = 60 + 40 * np.sin(np.arange(160) / 24 * 2 * np.pi)
    found = of_blocks(rng.poisson(0.9 * day), rng.poisson(0.1 * day), np.arange(160) % 2 == 0)
    assert signal._pace(found)[0] == 0.0


def test_a_single_account_that_carries_the_finding_takes_it_along() -> None:
    mark = concluded(of_counts([5] * 7 + [6]))
    assert mark.log_e_without is not None
    assert mark.log_e_without.shape == (8,)
    assert (mark.log_e_without[:7] <= mark.log_e + 1e-9).all()


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(of_counts([3] * 5))
    assert isinstance(said, Skipped)
    assert "fewer than 8 accounts" in said.reason
