"""Parts of one hand are judged together; who got among them by mistake is not named with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.claims import Claims
from stillwatch.campaign.conclusion import Conclusion, Judged, Tested, conclude, judge_all
from stillwatch.campaign.unions import SETS_MAX, Union, join, unite
from stillwatch.signals import extraction_intent, pool_dispatch, population_homogeneity, template_reuse
from stillwatch.signals.contract import Panel
from stillwatch.trace import PHRASE_CLASSES
from tests.signals.panels import START_US, keys, panel, shared_values

FDR = 0.05
FILLED = frozenset({"time", "created_at", "input_text"})
ASKS = 1 << PHRASE_CLASSES.index("reasoning-verbatim")
CALIBRATION = Calibration("test", "made up", tuple([0.0] * 900 + [at / 200 for at in range(100)]))
PARTS, ACCOUNTS = 16, 12


def part(number: int, counts: Sequence[int] | np.ndarray) -> Panel:
    """Draw one wording's family: accounts of its own, so many calls each, all of them about anything."""
    rng = np.random.default_rng([number, 3])
    account = np.repeat(np.arange(len(counts)), counts)
    count = len(account)
    drawn = panel(
        account, accounts_count=len(counts), tested=rng.random(count) < 0.5, item=rng.integers(1, 2**60, count),
        topic=rng.integers(1, 2**62, count) & rng.integers(1, 2**62, count), phrases=np.full(count, ASKS),
        time_us=START_US + rng.permutation(count) * 1_000_000,
    )  # fmt: skip
    return replace(drawn, group_id=f"f-{number:012d}", accounts=keys(len(counts), 1_000 + number))


def dealt_out(number: int, accounts: int = ACCOUNTS) -> Panel:
    return part(number, np.random.default_rng([number, 4]).poisson(20, accounts))


def strangers(number: int, accounts: int = ACCOUNTS) -> Panel:
    """As unequal as published client rates are, but capped (lognormal, sigma 1.8)."""
    rng = np.random.default_rng([number, 5])
    return part(number, 3 + rng.poisson(np.minimum(rng.lognormal(0, 1.8, accounts), 15) * 8))


def marked(panels: Sequence[Panel]) -> list[Tested]:
    signals = (template_reuse, pool_dispatch, population_homogeneity, extraction_intent)
    return [(at, each.pool(), [signal.conclude(each) for signal in signals]) for at, each in enumerate(panels)]


def judged(panels: Sequence[Panel], together: bool = True) -> Judged:
    def kin(tested: Sequence[Tested], leads: Sequence[int]) -> list[Union]:
        assert sorted(leads) == list(range(len(panels)))
        return [unite(leads, [panels[at] for at in leads], FILLED)]

    return judge_all(marked(panels), CALIBRATION, FDR, unite=kin if together else None)


def concluded(of: Judged, panels: Sequence[Panel]) -> Conclusion:
    rejected = of.rejected_families
    calls = [panels[at].pool().calls for at in rejected]
    families = np.concatenate([np.full(each.sum(), at) for at, each in zip(rejected, calls, strict=True)])
    accounts = np.concatenate([np.repeat(panels[at].accounts, each) for at, each in zip(rejected, calls, strict=True)])
    return conclude(of, Claims.of(families, accounts), seed=0)


def test_a_dozen_accounts_prove_nothing_and_all_parts_together_are_one_campaign() -> None:
    panels = [dealt_out(at) for at in range(PARTS)]
    assert judged(panels, together=False).rejected == []
    found = concluded(judged(panels), panels)
    (only,) = found.campaigns
    assert only.named.sum() == PARTS * ACCOUNTS
    assert len(found.scores) == 1, "all parts are one hypothesis"
    assert "16 families of different wording" in only.counter_evidence[0].statement
    assert any("192 accounts" in said.statement for said in only.evidence)


def test_an_honest_family_that_got_among_the_parts_is_not_named_with_them() -> None:
    panels = [*(dealt_out(at) for at in range(PARTS)), strangers(PARTS)]
    of = judged(panels)
    assert sorted(of.rejected) == list(range(PARTS))
    (only,) = concluded(of, panels).campaigns
    assert not np.isin(panels[PARTS].accounts, only.accounts).any()


def test_more_parts_than_sets_are_one_campaign_all_the_same() -> None:
    panels = [dealt_out(at, accounts=8) for at in range(SETS_MAX + 8)]
    of = judged(panels)
    (union,) = of.unions
    assert len(union.log_es) == 1 + SETS_MAX
    (only,) = concluded(of, panels).campaigns
    assert only.named.sum() == 8 * len(panels)


def test_a_part_that_stands_by_itself_takes_no_other_with_it() -> None:
    panels = [dealt_out(0, accounts=120), *(strangers(at) for at in range(1, 8))]
    assert judged(panels, together=False).rejected == [0]
    assert judged(panels).rejected == [0]


def test_the_evidence_of_the_whole_is_the_average_of_the_unions_and_the_parts_own() -> None:
    panels = [dealt_out(at) for at in range(PARTS)]
    alone, of = judged(panels, together=False), judged(panels)
    (union,) = of.unions
    e_values = np.exp([*union.log_es, *(axes.log_e_coordination for axes in alone.axes)])
    assert of.axes[union.places[0]].log_e_coordination == pytest.approx(np.log(e_values.mean()))
    assert of.axes[union.places[0]].score == max(axes.score for axes in alone.axes)


def test_a_joined_panel_has_every_account_once_and_hides_what_chose_it() -> None:
    card = shared_values("payment", [[0, 1]], [5])
    first, second = (
        replace(dealt_out(at, accounts=8), shared=(card,), created_us=np.arange(8) + 100 * at) for at in range(2)
    )
    second = replace(second, accounts=np.sort(np.append(second.accounts[1:], first.accounts[7])))
    joined, ties = join([first, second])
    assert ties == 1
    assert joined.accounts.tolist() == sorted({*first.accounts.tolist(), *second.accounts.tolist()})
    assert len(joined.calls.account) == len(first.calls.account) + len(second.calls.account)
    ours = joined.accounts[joined.calls.account] == first.accounts[7]
    assert ours.sum() == sum((each.accounts[each.calls.account] == first.accounts[7]).sum() for each in (first, second))
    holders = np.concatenate([each.accounts[:2] for each in (first, second)])
    assert (joined.created_us[np.isin(joined.accounts, holders)] == -1).all()
    assert (joined.created_us[~np.isin(joined.accounts, holders)] >= 0).all()
    assert joined.shared == ()
    order = np.lexsort((joined.calls.time_us, joined.calls.account))
    assert (order == np.arange(len(order))).all()


def test_a_value_of_one_family_or_of_one_account_in_both_ties_nothing() -> None:
    own = shared_values("payment", [[0, 1]], [5])
    first, second = replace(dealt_out(0), shared=(own,)), dealt_out(1)
    assert join([first, second])[1] == 0
    alone = shared_values("payment", [[0]], [5])
    first, second = (replace(each, accounts=keys(ACCOUNTS), shared=(alone,)) for each in (first, second))
    assert join([first, second])[1] == 0
