from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import queue_sharding as signal
from stillwatch.signals.contract import Ints, Mark, Panel
from tests.naive import queue_sharding as twin
from tests.signals.panels import START_US, panel


def dealt(samples: int, items: int, accounts: int, seed: int = 1) -> Panel:
    """Deal a queue with so many samples of each item to whichever account is next."""
    queue = np.random.default_rng(seed).permutation(np.tile(np.arange(1, items + 1), samples))
    return panel(np.arange(len(queue)) % accounts, item=queue)


asked = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 40)), min_size=30, max_size=150)


def counted(pairs: list[tuple[int, int]]) -> tuple[Ints, Ints]:
    distinct = np.array(sorted(set(pairs)))
    per_item = np.unique(distinct[:, 1], return_counts=True)[1]
    return per_item, np.bincount(distinct[:, 0])


@settings(max_examples=50)
@given(asked)
def test_the_overlap_is_that_of_the_slow_twin(pairs: list[tuple[int, int]]) -> None:
    assert signal.item_overlap(*counted(pairs)) == pytest.approx(twin.item_overlap(pairs))


@settings(max_examples=15)
@given(asked)
def test_the_equality_of_passes_is_that_of_the_slow_twin(pairs: list[tuple[int, int]]) -> None:
    per_item, per_account = counted(pairs)
    log_p, ratio = signal._multi_pass(per_item, per_account)
    expected_log_p, expected_ratio = twin.multi_pass(pairs)
    assert ratio == pytest.approx(expected_ratio, rel=1e-3)
    assert log_p == pytest.approx(expected_log_p, rel=2e-3, abs=2e-3)


runs = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60), st.integers(1, 2)), min_size=1, max_size=250)


@settings(max_examples=50)
@given(runs, st.floats(10, 500))
def test_the_martingale_is_that_of_the_slow_twin(calls: list[tuple[int, int, int]], stock: float) -> None:
    owner, item, model = (np.array(column) for column in zip(*calls, strict=True))
    chance, hit = signal._walk(item.astype(np.uint64), model, owner, stock)
    _, expected, met = twin.martingale(calls, stock)
    assert chance.sum() == pytest.approx(expected)
    assert hit.sum() == met


@settings(max_examples=50)
@given(runs)
def test_the_stock_is_that_of_the_slow_twin(calls: list[tuple[int, int, int]]) -> None:
    owner, item, model = (np.array(column) for column in zip(*calls, strict=True))
    found = signal._stock_size(item.astype(np.uint64), model - 1, owner, np.ones(len(calls), dtype=bool))
    assert found == (pytest.approx(expected) if (expected := twin.stock_size(calls)) is not None else None)


def rerun(seed: int, sharded: bool) -> Panel:
    """Two models, the first half of the time for discovery; each model gets most of a stock of 3,000 items."""
    rng = np.random.default_rng(seed)
    accounts, stock = 60, 3_000
    account, item, model = [], [], []
    for number in (1, 2):
        if sharded:
            queue = rng.permutation(stock)[:2_400]
            account.append(np.arange(len(queue)) % accounts)
        else:
            queue = np.concatenate([rng.choice(stock, 40, replace=False) for _ in range(accounts)])
            account.append(np.repeat(np.arange(accounts), 40))
        item.append(queue + 1)
        model.append(np.full(len(queue), number))
    calls = len(np.concatenate(item))
    time = START_US + rng.permutation(calls) * 1_000_000
    return panel(
        np.concatenate(account), item=np.concatenate(item), model=np.concatenate(model), time_us=time,
        tested=rng.random(calls) < 0.5,
    )  # fmt: skip


def test_a_queue_dealt_out_again_on_another_model_is_seen_by_the_collisions_that_do_not_happen() -> None:
    mark = signal.conclude(rerun(3, sharded=True))
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    assert mark.log_e > np.log(1000)
    assert any("met on the same item 0 times" in said.statement for said in mark.evidence)


def test_accounts_that_choose_for_themselves_meet_as_often_as_chance_has_it() -> None:
    found = rerun(3, sharded=False)
    log_e, expected, seen = signal._collisions(found, found.owners()[0])
    assert log_e < 0
    assert 0.7 * expected < seen < 1.6 * expected


def test_the_end_of_the_martingale_is_that_of_the_slow_twin() -> None:
    found = rerun(4, sharded=True)
    calls = found.calls
    order = np.argsort(calls.time_us, kind="stable")
    columns = [calls.account, calls.item, calls.model]
    first = [tuple(int(column[at]) for column in columns) for at in order if not calls.tested[at]]
    then = [tuple(int(column[at]) for column in columns) for at in order if calls.tested[at]]
    stock = twin.stock_size(first)
    assert stock is not None
    log_e, expected, met = twin.martingale(then, stock)
    found_log_e, found_expected, found_met = signal._collisions(found, found.owners()[0])
    assert found_log_e == pytest.approx(min(log_e, 700.0))
    assert (found_expected, found_met) == (pytest.approx(expected), met)


@pytest.mark.parametrize("samples", [2, 4])
def test_a_queue_with_a_fixed_number_of_samples_is_seen_by_its_equal_passes(samples: int) -> None:
    mark = signal.conclude(dealt(samples, items=400, accounts=40))
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    assert mark.log_e > np.log(1e6)
    assert mark.figures["overlap"] < 0.15


def test_a_class_repeats_its_items_and_that_speaks_against_a_queue() -> None:
    items = np.arange(1, 31)
    account = np.repeat(np.arange(40), len(items))
    mark = signal.conclude(panel(account, item=np.tile(items, 40)))
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    assert mark.log_e < 0
    assert mark.figures["overlap"] == pytest.approx(1.0)
    assert mark.counter_evidence


def test_what_one_organisation_asks_twice_is_asked_once() -> None:
    split = dealt(2, items=100, accounts=8)
    owned = panel(split.calls.account, item=split.calls.item, organizations=[3] * 8)
    mark = signal.conclude(owned)
    assert isinstance(mark, Mark)
    assert mark.figures["overlap"] == 0.0
    assert not mark.evidence


def test_it_says_why_it_cannot_run() -> None:
    for found, reason in (
        (panel([0, 1, 2]), "carries no prompts"),
        (panel([0, 1, 2], item=[1, 2, 3]), "fewer than 24 different items"),
    ):
        said = signal.conclude(found)
        assert isinstance(said, Skipped)
        assert reason in said.reason
