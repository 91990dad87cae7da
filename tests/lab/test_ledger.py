"""The published campaigns: their figures at full size, their habits in the worlds that are cut from them."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.lab.campaigns.ledger import LEDGER, Entry
from stillwatch.lab.lives import NEW_MODEL
from stillwatch.lab.roster import DAY_US, PATHS
from stillwatch.lab.scenario import DEVELOPMENT, HELD_OUT, SCENARIOS, START_US, scenario_named
from stillwatch.lab.traffic import HOUR_US
from stillwatch.lab.words.language import language
from tests.lab.held_out import played, small

each_entry = pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry.campaign.name)


@each_entry
def test_at_full_size_a_campaign_has_its_published_accounts_exchanges_and_days(entry: Entry) -> None:
    full = scenario_named(entry.campaign.name).at()
    campaign, published = full.campaigns[0], entry.published
    exchanges = campaign.accounts * campaign.calls_each
    assert abs(exchanges / published.exchanges - 1.0) < 1e-6
    assert published.accounts in (0, campaign.accounts)
    assert published.days in (0, full.hours // 24)
    assert published.accounts or "accounts" in published.assumed


@pytest.mark.parametrize(
    ("name", "a_day"),
    [("ledger-c6", 25.6), ("ledger-c8", 46.0), ("ledger-c8b", 5.6), ("ledger-c10", 733.0), ("ledger-c11", 13.3),
     ("ledger-c13", 2.0)],
)  # fmt: skip
def test_an_accounts_day_is_the_published_one_at_any_size(name: str, a_day: float) -> None:
    for scenario in (scenario_named(name), scenario_named(name).at(1.0), scenario_named(name).at(0.02, 1)):
        campaign = scenario.campaigns[0]
        assert abs(campaign.calls_each / campaign.days / a_day - 1.0) < 0.03


@pytest.mark.parametrize("name", HELD_OUT)
def test_a_held_out_world_is_as_large_as_its_scenario_says(name: str) -> None:
    scenario = scenario_named(name)
    assert 100_000 <= scenario.calls <= 400_000
    mine = played(name)
    campaign = scenario.campaigns[0]
    planned = campaign.accounts * campaign.calls_each
    assert len(mine.actor.roster) == campaign.accounts
    assert len(np.unique(mine.actor.roster["key"])) == campaign.accounts
    worked = len(mine.work) if "reseller" not in name else len(mine.calls)
    assert abs(worked / planned - 1.0) < 0.1


def test_what_is_reported_is_never_what_something_was_chosen_by() -> None:
    assert set(DEVELOPMENT) | set(HELD_OUT) == set(SCENARIOS)
    assert not set(DEVELOPMENT) & set(HELD_OUT)
    assert len([name for name in HELD_OUT if name.startswith("evasion-")]) == 10


def test_c2_calls_at_the_same_moments_and_pays_with_few_cards() -> None:
    mine = played("ledger-c2")
    within = (mine.hours * 2.0) % 1.0
    assert np.mean(within < 0.1) > 0.95
    assert len(np.unique(mine.actor.roster["payment"])) <= 8


def test_c3_comes_over_every_path_with_accounts_of_every_plan() -> None:
    roster = played("ledger-c3").actor.roster
    assert len(np.unique(roster["path"])) == len(PATHS)
    assert len(np.unique(roster["plan"])) >= 5


def test_c4_sends_half_of_its_calls_to_the_new_model_within_a_day() -> None:
    mine = played("ledger-c4")
    after = mine.hours >= scenario_named("ledger-c4").release_hour + 24.0
    new = np.array([profile.model == NEW_MODEL for profile in mine.ground.profiles])[mine.work["profile"]]
    assert not new[mine.hours < scenario_named("ledger-c4").release_hour].any()
    assert abs(new[after].mean() - 0.5) < 0.03


def test_honest_accounts_try_the_new_model_as_well() -> None:
    day = small(scenario_named("ledger-c4"))
    campaign = pa.array(list(day.told))
    honest = day.events.filter(pc.invert(pc.is_in(day.events["event_id"], value_set=campaign)))
    share = Counter(honest["request_model"].to_pylist())[NEW_MODEL] / len(honest)
    assert 0.03 < share < 0.4


def test_c7_loses_its_first_pool_and_the_second_works_within_the_hour() -> None:
    mine = played("ledger-c7")
    roster, work = mine.actor.roster, mine.work
    first, second = np.flatnonzero(roster["banned"]), np.flatnonzero(~roster["banned"])
    assert abs(len(first) / len(roster) - 5_000 / 8_500) < 0.03
    ban = roster["closed"][first]
    assert (roster["created"][second] < ban.min()).all()
    taken = work["time"][np.isin(work["account"], second)]
    assert ban.min() < taken.min() < ban.min() + HOUR_US
    late = work[np.isin(work["account"], first) & (work["time"] >= roster["closed"][work["account"]])]
    assert set(late["status"].tolist()) == {403}
    done = set(work["item"][(work["status"] == 200) & np.isin(work["account"], second)].tolist())
    assert np.mean([item in done for item in late["item"].tolist()]) > 0.9


def test_c7_puts_one_segment_into_every_request() -> None:
    day = small(scenario_named("ledger-c7"))
    texts = day.events.filter(pc.is_in(day.events["event_id"], value_set=pa.array(list(day.told))))["input_text"]
    shingles = Counter(text[at : at + 60] for text in texts.to_pylist() for at in range(len(text) - 60))
    assert shingles.most_common(1)[0][1] >= len(texts)


def test_c8_brings_blocks_to_accounts_that_were_not_issued_them() -> None:
    mine = played("ledger-c8")
    brought = mine.work[mine.work["block"] > 0]
    assert abs(len(brought) / len(mine.work) - 0.25) < 0.05
    reasons = {index for index, profile in enumerate(mine.ground.profiles) if profile.reasoning_level}
    assert not reasons & set(brought["profile"].tolist())


def test_c8b_serves_thousands_of_people_under_another_name() -> None:
    mine = played("ledger-c8b")
    assert len(np.unique(mine.work["author"])) > 3_000
    assert set(mine.work["system"].tolist()) == {language().symbol("brand_0")}


def test_c9_shows_many_peoples_workspaces_on_each_account() -> None:
    mine = played("ledger-c9")
    people = defaultdict(set)
    for account, author in zip(mine.work["account"].tolist(), mine.work["author"].tolist(), strict=True):
        people[account].add(author)
    assert np.median([len(each) for each in people.values()]) > 20


def test_c10_cleans_chains_of_thought_in_a_quarter_of_its_calls() -> None:
    work = played("ledger-c10").work
    assert abs(np.mean(work["form"] == language().symbol("hv_scrub")) - 0.23) < 0.02


def test_c13_makes_about_two_requests_an_account_and_day() -> None:
    mine = played("ledger-c13")
    good = mine.work[mine.work["status"] == 200]
    assert 3.6 < np.bincount(good["account"]).mean() < 4.1
    assert np.mean(mine.work["block"] > 0) > 0.85


def test_c14_uses_accounts_with_a_history_from_elsewhere_and_over_all_channels() -> None:
    mine = played("ledger-c14")
    roster = mine.actor.roster
    assert np.median(START_US - roster["created"]) > 60 * DAY_US
    before = mine.calls[mine.calls["time"] < mine.work["time"].min()]
    assert len(before) > 100
    assert not before["address"].any()
    assert mine.work["address"].all()
    assert len(np.unique(mine.work["path"])) == 5
