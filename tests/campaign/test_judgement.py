from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stillwatch.campaign.fusion import Verdict
from stillwatch.campaign.judgement import judge, judge_untested, set_aside
from stillwatch.finding import Outcome
from stillwatch.signals.contract import Mark, Pool
from tests.signals.panels import panel


def pool(account: np.ndarray, **columns: Any) -> Pool:
    return panel(account, **columns).pool()


def overlap(share: float) -> Mark:
    return Mark("queue-sharding", "content", 0.0, (), figures={"overlap": share})


def test_accounts_of_few_owners_are_their_owners_business() -> None:
    said = set_aside(pool(np.arange(80), organizations=[3] * 75 + [4] * 5), [])
    assert said is not None
    assert said.outcome == "common-control"
    assert "80 accounts belong to 2 organisation(s)" in said.reason


def test_a_family_that_is_mostly_one_organisations_is_that_organisations() -> None:
    said = set_aside(pool(np.arange(40), organizations=[3] * 30 + [0] * 10), [])
    assert said is not None
    assert said.outcome == "common-control"


def test_what_everybody_repeats_is_a_common_task() -> None:
    said = set_aside(pool(np.arange(40)), [overlap(0.8)])
    assert said is not None
    assert said.outcome == "common-task"


def test_strangers_with_items_of_their_own_are_a_hypothesis() -> None:
    assert set_aside(pool(np.arange(40)), [overlap(0.03)]) is None


@pytest.mark.parametrize(
    ("log_e", "p", "rejected", "outcome"),
    [
        (50.0, 0.001, True, "extraction-campaign"),
        (50.0, 0.6, False, "common-control"),
        (1.0, 0.6, False, "shared-template"),
        (50.0, 0.02, False, "undecided"),
        (5.0, 0.6, False, "undecided"),
    ],
)
def test_an_outcome_says_why_and_what_would_turn_it(log_e: float, p: float, rejected: bool, outcome: Outcome) -> None:
    said = judge(Verdict(log_e, np.zeros(1), p, 0.01 if rejected else 1.0, rejected), 0.05)
    assert said.outcome == outcome
    assert said.reason
    assert said.would_change


@pytest.mark.parametrize(
    ("owners", "items", "intent", "outcome"),
    [
        (2, 500, 0.0, "common-control"),
        (90, 5, 0.0, "common-task"),
        (90, 500, 0.02, "shared-template"),
        (90, 30, 0.9, "undecided"),
    ],
)
def test_a_family_that_was_not_tested_has_an_outcome_too(
    owners: int, items: int, intent: float, outcome: Outcome
) -> None:
    assert judge_untested(owners, items, 100, intent).outcome == outcome
