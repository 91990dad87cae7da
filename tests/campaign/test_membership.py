from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.campaign.fusion import Verdict
from stillwatch.campaign.membership import is_led_by_facts, is_sliced, membership
from stillwatch.signals.contract import Mark, Pool
from tests.signals.panels import panel


def pool(counts: list[int], all_calls: list[int] | None = None) -> Pool:
    account = np.repeat(np.arange(len(counts)), counts)
    return panel(account, accounts_count=len(counts), account_calls=all_calls).pool()


def verdict(without: list[float], whole: float = 50.0) -> Verdict:
    return Verdict(whole, np.array(without, dtype=float), 0.001, 0.01, rejected=True)


def linked(*on: int, count: int = 10) -> Mark:
    flags = np.zeros(count, dtype=bool)
    flags[list(on)] = True
    return Mark("shared-infrastructure", "infrastructure", 3.0, (), linked=flags)


def test_accounts_that_work_like_the_pool_are_named() -> None:
    named = membership(pool([10] * 10), [], verdict([50.0] * 10)).part
    assert named.all()


def test_a_passer_by_with_one_call_is_not_named_unless_a_rare_link_ties_it() -> None:
    found = pool([10] * 9 + [1])
    assert not membership(found, [], verdict([50.0] * 10)).part[9]
    assert membership(found, [linked(9)], verdict([50.0] * 10)).part[9]


def test_a_customer_who_uses_the_prompt_now_and_then_is_not_named() -> None:
    found = pool([20] * 9 + [3], [20] * 9 + [400])
    assert not membership(found, [], verdict([50.0] * 10)).part[9]


def test_an_account_that_makes_the_finding_alone_is_not_named() -> None:
    named = membership(pool([10] * 10), [], verdict([50.0] * 9 + [1.0])).part
    assert named.tolist() == [True] * 9 + [False]


def test_who_is_linked_fits_best_and_who_is_typical_next() -> None:
    fit = membership(pool([10] * 9 + [900], [10] * 10), [linked(0)], verdict([50.0] * 10)).fit
    assert fit[0] == 1.0
    assert (fit[1:9] == 0.95).all()
    assert fit[9] < 1.0


def test_a_verdict_without_an_account_is_asked_for_each_account() -> None:
    base = verdict([50.0] * 10)
    weaker = replace(base, log_e_without=np.full(10, 2.0))
    assert not membership(pool([10] * 10), [], weaker).part.any()


def test_where_only_shared_values_speak_nobody_without_one_is_named() -> None:
    tied = np.array([True] * 6 + [False] * 4)
    shared = Mark("shared-infrastructure", "infrastructure", 60.0, (), linked=tied, tied=tied)
    dealt = Mark("pool-dispatch", "dispatch", 30.0, ())
    silent = Mark("pool-dispatch", "dispatch", -0.7, ())
    by_facts = membership(pool([10] * 10), [shared, silent], verdict([50.0] * 10))
    collective = membership(pool([10] * 10), [shared, dealt], verdict([50.0] * 10))
    assert by_facts.part.tolist() == tied.tolist()
    assert by_facts.by_facts
    assert collective.part.all()
    assert not collective.by_facts


def test_a_hint_of_dispatch_does_not_name_whoever_shares_nothing_beside_a_card() -> None:
    tied = np.array([True] * 6 + [False] * 4)
    shared = Mark("shared-infrastructure", "infrastructure", 60.0, (), linked=tied, tied=tied)
    others = [Mark(ident, "dispatch", -0.7, ()) for ident in ("queue-sharding", "temporal-synchrony", "failover")]
    hint = Mark("pool-dispatch", "dispatch", float(np.log(30)), ())
    assert membership(pool([10] * 10), [shared, hint, *others], verdict([50.0] * 10)).part.tolist() == tied.tolist()


def test_a_card_names_nobody_for_a_campaign_that_is_the_smaller_part_of_what_the_account_sends() -> None:
    claimed, sent = np.array([10.0, 5.0, 4.0, 4.0]), np.full(4, 10.0)
    assert is_led_by_facts(claimed, sent, np.array([True, True, True, False])).tolist() == [False, False, True, False]


def test_a_card_names_nobody_for_a_campaign_that_is_the_smaller_part_of_what_its_accounts_send_together() -> None:
    claimed, sent = np.array([7.0, 3.0, 2.0, 9.0]), np.array([12.0, 6.0, 12.0, 9.0])
    assert is_led_by_facts(claimed, sent, np.array([True, True, True, False])).tolist() == [True, True, True, False]


def test_an_account_that_carries_the_campaign_beside_other_work_is_sliced_and_not_named() -> None:
    share = np.array([1.0, 0.4, 0.4, 0.2])
    assert is_sliced(share, np.array([True, False, True, False])).tolist() == [False, False, True, True]
