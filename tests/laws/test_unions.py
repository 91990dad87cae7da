"""What is promised of families that are put together: nothing that chose them makes their evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaign.kin import kindred, links
from stillwatch.campaign.likeness import Likeness, alike
from stillwatch.campaign.screening import CALLS_EACH_MIN, SPREAD_MAX
from stillwatch.campaign.unions import unite
from stillwatch.signals.contract import Panel, Population
from tests.signals.panels import HOUR_US, START_US, keys, panel, shared_values

WORLDS = 60
STANDARD_ERRORS = 3
REMARKABLE = 100.0
FAMILIES, ACCOUNTS, OWNERS = 6, 12, 3_000
FILLED = frozenset({"time", "created_at", "status"})


def colleagues(rng: np.random.Generator, cv: float) -> list[Panel]:
    """Draw honest families about one subject: people who share an office between families signed up within the hour.

    Rates are gamma with the given spread, and only families whose discovery counts are as even as screening asks for
    are kept, as a run keeps them.
    """
    offices = START_US - rng.integers(1, 300 * 24, ACCOUNTS) * HOUR_US
    created = np.sort(START_US - rng.integers(1, 365 * 24, OWNERS) * HOUR_US)
    population = Population(OWNERS, created, HOUR_US, 0, np.zeros(0, np.int64), np.zeros(0, bool))
    words = rng.integers(0, 64, 300)
    found: list[Panel] = []
    while len(found) < FAMILIES:
        counts = 1 + rng.poisson(rng.gamma(1 / cv**2, cv**2 * 20, ACCOUNTS))
        account = np.repeat(np.arange(ACCOUNTS), counts)
        tested = rng.random(len(account)) < 0.5
        if not evenly(np.bincount(account[~tested], minlength=ACCOUNTS)):
            continue
        bits = np.uint64(1) << rng.choice(words, (len(account), 12)).astype(np.uint64)
        drawn = panel(
            account, tested=tested, item=rng.integers(1, 2**60, len(account)), topic=np.bitwise_or.reduce(bits, axis=1),
            created_us=offices + rng.integers(0, HOUR_US // 2, ACCOUNTS), population=population,
            shared=(shared_values("address", [[at] for at in range(ACCOUNTS)], [FAMILIES] * ACCOUNTS),),
        )  # fmt: skip
        number = len(found)
        found.append(
            replace(drawn, group_id=f"f-{number:03d}", accounts=keys(ACCOUNTS, int(rng.integers(1, 2**31)) + number))
        )
    return found


def evenly(counts: np.ndarray) -> bool:
    mean = counts.mean()
    return bool(mean >= CALLS_EACH_MIN and counts.var() - mean <= SPREAD_MAX * mean**2)


@pytest.mark.parametrize("cv", [0.5, 1.0])
def test_colleagues_who_ask_about_one_subject_are_put_together_and_are_no_evidence(cv: float) -> None:
    """An e-value's mean is at most 1, and it reaches 100 once in a hundred; each allows for three standard errors."""
    e_values, united = [], 0
    for seed in range(WORLDS):
        panels = colleagues(np.random.default_rng([seed, 21]), cv)
        likenesses, pools = [Likeness.of(each) for each in panels], [each.pool() for each in panels]
        linked, _ = links(likenesses, pools, OWNERS)
        groups, _ = kindred(pools, linked, lambda a, b, of=likenesses: alike(of[a], of[b], 0))
        for group in groups:
            union = unite(group, [panels[at] for at in group], FILLED)
            e_values.append(np.exp(union.log_es).mean())
            united += len(group)
    assert united >= 0.8 * WORLDS * FAMILIES, "a law about families that are not put together says nothing"
    e = np.array(e_values)
    assert e.mean() <= 1 + STANDARD_ERRORS * e.std() / np.sqrt(len(e))
    allowed = 1 / REMARKABLE + STANDARD_ERRORS * np.sqrt(0.01 * 0.99 / len(e))
    assert (e >= REMARKABLE).mean() <= allowed
