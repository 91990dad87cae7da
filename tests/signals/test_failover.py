from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import failover as signal
from stillwatch.signals.contract import Mark, Panel
from tests.laws.days import FIRST_US, newcomers, refusals
from tests.naive import failover as twin
from tests.signals.panels import HOUR_US, START_US, panel


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    return mark


coins = st.lists(st.tuples(st.integers(1, 6), st.floats(0.05, 0.95)), min_size=1, max_size=5)


@settings(max_examples=60)
@given(coins, st.floats(0, 1))
def test_so_many_heads_are_bounded_as_by_the_slow_twin_and_never_below_the_exact_chance(
    drawn: list[tuple[int, float]], share: float
) -> None:
    count, chance = [n for n, _ in drawn], [q for _, q in drawn]
    seen = round(share * sum(count))
    bound = signal.log_p_so_many(seen, np.array(count), np.array(chance))
    assert bound == pytest.approx(twin.log_p_so_many(seen, count, chance), rel=1e-4, abs=1e-4)
    assert bound >= twin.exact_log_p(seen, count, chance) - 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_births_are_those_of_the_slow_twin(seed: int) -> None:
    found = newcomers(150, days=3, closures=10, taken_over=0.3)(np.random.default_rng(seed))
    owner, _ = found.owners()
    births = signal.find_births(found, owner)
    born = {}
    for who in np.unique(owner).tolist():
        times = found.calls.time_us[owner[found.calls.account] == who]
        tested = found.calls.tested[owner[found.calls.account] == who]
        born[who] = (int(times.min()), bool(tested[np.argmin(times)]))
    population = found.population
    own = np.bincount(found.calls.time_us // population.block_us - population.block_first, minlength=3 * 144)
    others = np.where(population.block_tested, population.block_calls - own, 0)
    middles = (np.arange(len(others)) + population.block_first) * population.block_us + population.block_us // 2
    ends = found.facts.closed_us[found.facts.closed_us >= 0].tolist()
    slow = twin.find_births(born, ends, list(zip(middles.tolist(), others.tolist(), strict=True)))
    assert [(set(each.followers.tolist()), each.before) for each in births] == [each[:2] for each in slow]
    assert [each.chance for each in births] == pytest.approx([each[2] for each in slow])


@pytest.mark.parametrize(("seed", "handed_on"), [(0, 0.0), (1, 0.5), (2, 0.9)])
def test_handoffs_are_those_of_the_slow_twin(seed: int, handed_on: float) -> None:
    found = refusals(20, days=1, handed_on=handed_on)(np.random.default_rng(seed))
    owner, owners = found.owners()
    calls = found.calls
    who = owner[calls.account]
    refused = np.isin(calls.status, (403, 429))
    rows = zip(who.tolist(), calls.time_us.tolist(), calls.item.tolist(), refused.tolist(), calls.tested, strict=True)
    tested = [row[:4] for row in rows if row[4]]
    askers = {item: len(set(who[calls.item == item].tolist())) for item in set(calls.item.tolist())}
    handoffs = signal.find_handoffs(found, owner, owners)
    quick = set() if handoffs is None else set(
        zip(handoffs.refused.tolist(), handoffs.other.tolist(), handoffs.after.tolist(), strict=True)
    )  # fmt: skip
    assert quick == twin.find_handoffs(tested, askers)


def test_handoffs_are_the_same_in_however_many_parts_they_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = refusals(20, days=1, handed_on=0.5)(np.random.default_rng(1))
    whole = signal.find_handoffs(found, *found.owners())
    assert whole is not None
    for most in (1, 7):
        monkeypatch.setattr(signal, "MEETINGS_MAX", most)
        parts = signal.find_handoffs(found, *found.owners())
        assert parts is not None
        assert [each.tolist() for each in parts] == [each.tolist() for each in whole]


def test_accounts_that_begin_after_each_closure_take_over() -> None:
    mark = concluded(newcomers(1_200, days=6, closures=14, taken_over=0.9)(np.random.default_rng(1)))
    assert mark.log_e is not None
    assert mark.log_e > np.log(1000)
    assert "closures or final blocks" in mark.evidence[0].statement
    assert mark.log_e_without is not None
    assert mark.log_e_without.min() < mark.log_e


def test_one_ban_amid_a_wave_of_newcomers_says_nothing() -> None:
    said = signal.conclude(newcomers(300, days=4, closures=1, taken_over=0.9)(np.random.default_rng(1)))
    assert isinstance(said, Skipped)


def test_refused_items_that_go_on_over_another_path_are_handed_on() -> None:
    found = refusals(60, days=2, handed_on=0.9)(np.random.default_rng(1))
    mark = concluded(found)
    assert mark.log_e is not None
    assert mark.log_e > np.log(1000)
    assert "over another access path" in mark.evidence[0].statement


def test_who_tries_again_by_itself_hands_nothing_on() -> None:
    # The same owner sends the refused item again; another one asks for it later as well.
    item = np.arange(1, 41)
    account = np.concatenate([item % 10, item % 10, (item + 1) % 10])
    minute = np.concatenate([item * 3, item * 3 + 1, item * 3 + 5])
    status = np.repeat([429, 200, 200], len(item))
    found = panel(account, time_us=START_US + minute * 60_000_000, item=np.tile(item, 3), status=status)
    assert signal.find_handoffs(found, *found.owners()) is None


def test_customers_who_fall_back_to_an_account_of_their_own_join_nobody() -> None:
    # Thirty customers with two accounts each and no organisation that says so.
    customer = np.repeat(np.arange(30), 4)
    item = np.arange(1, 121)
    account = np.concatenate([2 * customer, 2 * customer + 1])
    time_us = START_US + np.concatenate([item, item + 1]) * 60_000_000
    found = panel(account, time_us=time_us, item=np.tile(item, 2), status=np.repeat([429, 200], 120))
    assert signal.find_handoffs(found, *found.owners()) is None


def test_a_final_block_stands_for_a_closure_that_nobody_tells() -> None:
    found = newcomers(300, days=4, closures=8, taken_over=0.5)(np.random.default_rng(4))
    closed = found.facts.closed_us
    unknown = replace(found, facts=replace(found.facts, closed_us=np.full(len(closed), -1)))
    assert isinstance(signal.conclude(unknown), Skipped)
    assert (signal._ends(found) > FIRST_US).all()
    last = found.calls.account == 0
    status = np.where(last, 403, 200)
    blocked = replace(unknown, calls=replace(unknown.calls, status=status))
    assert signal._ends(blocked).tolist() == [found.calls.time_us[last].max()]


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel(np.arange(30), time_us=START_US + np.arange(30) * HOUR_US))
    assert isinstance(said, Skipped)
    assert "no refused item" in said.reason
