"""A call goes to the rejected family it carries most of, an account to the one that most of its calls are in."""

from __future__ import annotations

import numpy as np

from stillwatch.campaign.claims import Claims


def claims(*rows: tuple[int, int, int]) -> Claims:
    """Make claims of (family, account, calls)."""
    family = np.concatenate([np.full(calls, family) for family, _, calls in rows])
    account = np.concatenate([np.full(calls, account, dtype=np.uint64) for _, account, calls in rows])
    order = np.random.default_rng(1).permutation(len(family))
    return Claims.of(family[order], account[order])


FIRST = [(1, account, 9) for account in range(10, 22)]
SECOND = [(2, account, 9) for account in range(30, 42)]
COMMON = [(3, account, 2) for account in (10, 11, 12, 30, 31)]


def test_wording_that_two_campaigns_share_joins_them_no_more() -> None:
    made = claims(*FIRST, *SECOND, *COMMON)
    homes = made.homes([1, 2, 3])
    assert homes == {1: 1, 2: 2, 3: 1}, "most of its accounts are in the first"
    drafts = made.drafts(homes, {1: 0, 2: 1})
    told = {(int(f), int(a)): int(d) for f, a, d in zip(made.family, made.account, drafts, strict=True)}
    assert told[3, 10] == 0
    assert told[3, 30] == 1, "a call of the common wording follows its account"


def test_a_second_template_of_the_same_accounts_is_a_part_of_the_campaign() -> None:
    made = claims(*FIRST, *[(2, account, 4) for account in range(10, 22)])
    assert made.homes([1, 2]) == {1: 1, 2: 1}


def test_a_family_with_accounts_of_its_own_stands() -> None:
    made = claims(*FIRST, *SECOND, *COMMON, *[(3, account, 2) for account in range(50, 60)])
    assert made.homes([1, 2, 3]) == {1: 1, 2: 2, 3: 3}


def test_a_small_family_that_nobody_else_claims_still_stands() -> None:
    made = claims(*FIRST, *[(5, account, 2) for account in range(50, 54)])
    assert made.homes([1, 5]) == {1: 1, 5: 5}


def test_nothing_rejected_makes_no_claims() -> None:
    empty = Claims.of(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64))
    assert empty.homes([]) == {}
    assert len(empty.drafts({}, {})) == 0
