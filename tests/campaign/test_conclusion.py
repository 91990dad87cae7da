"""Rejected families become campaigns of the accounts that take part in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaign.claims import Claims
from stillwatch.campaign.conclusion import NO_DRAFT, Judged, conclude
from stillwatch.campaign.fusion import Axes, Verdict
from stillwatch.campaign.judgement import Judgement
from stillwatch.campaign.membership import Members
from stillwatch.signals.contract import Pool

REJECTED = Judgement("extraction-campaign", "both hold", "a grant")


def pool(name: str, accounts: np.ndarray) -> Pool:
    count = len(accounts)
    return Pool(
        name,
        accounts,
        np.zeros(count, dtype=np.uint64),
        np.full(count, 10),
        np.full(count, 9),
        np.zeros(count, dtype=bool),
    )


def judged(pools: list[Pool], parts: list[np.ndarray]) -> Judged:
    verdicts = [Verdict(50.0, np.full(len(each.accounts), 50.0), 0.001, 0.01, rejected=True) for each in pools]
    return Judged(
        tested=[(at, each, []) for at, each in enumerate(pools)],
        marks=[[] for _ in pools],
        axes=[Axes(50.0, np.full(len(each.accounts), 50.0), 0.001, 0.9) for each in pools],
        verdicts=verdicts,
        members=[Members(np.ones(len(each.accounts)), part) for each, part in zip(pools, parts, strict=True)],
        judgements=[REJECTED for _ in pools],
        rejected=list(range(len(pools))),
        eligible=frozenset(range(len(pools))),
    )


def claimed(*families: tuple[int, np.ndarray]) -> Claims:
    family = np.concatenate([np.full(9 * len(accounts), at) for at, accounts in families])
    return Claims.of(family, np.concatenate([np.repeat(accounts, 9) for _, accounts in families]))


def test_two_pools_of_strangers_are_two_campaigns() -> None:
    first, second = np.arange(10, 30, dtype=np.uint64), np.arange(50, 70, dtype=np.uint64)
    concluded = conclude(
        judged([pool("f-1", first), pool("f-2", second)], [np.ones(20, dtype=bool)] * 2),
        claimed((0, first), (1, second)),
        seed=0,
    )
    assert [draft.named.sum() for draft in concluded.campaigns] == [20, 20]
    assert set(concluded.draft_of_claim.tolist()) == {0, 1}


def test_a_family_that_keeps_nobody_who_takes_part_is_no_campaign() -> None:
    """All of its part-takers' calls carry more of another family; those that it keeps are passers-by's."""
    first, second = np.arange(10, 30, dtype=np.uint64), np.arange(50, 70, dtype=np.uint64)
    parts = [np.ones(20, dtype=bool), np.zeros(20, dtype=bool)]
    concluded = conclude(
        judged([pool("f-1", first), pool("f-2", second)], parts), claimed((0, first), (1, second)), seed=0
    )
    (only,) = concluded.campaigns
    assert only.group_ids == ("f-1",)
    of_second = concluded.draft_of_claim[concluded.claims.family == 1]
    assert set(of_second.tolist()) == {NO_DRAFT}


@pytest.mark.parametrize(("by_facts", "named"), [(True, 0), (False, 20)])
def test_whom_only_facts_tie_is_not_named_for_a_third_of_what_he_sends(by_facts: bool, named: int) -> None:
    """A relay's pool holds few cards, and this is one of the many things that pass through it."""
    accounts = np.arange(10, 30, dtype=np.uint64)
    found = judged([replace(pool("f-1", accounts), account_calls=np.full(20, 27))], [np.ones(20, dtype=bool)])
    found.members[0] = replace(found.members[0], by_facts=by_facts)
    concluded = conclude(found, claimed((0, accounts)), seed=0)
    assert sum(draft.named.sum() for draft in concluded.campaigns) == named
    ((_, group),) = concluded.groups
    assert group.outcome == ("extraction-campaign" if named else "undecided")
