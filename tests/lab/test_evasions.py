"""Each evasion shows the habit that defines it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.campaigns.evasions import LowAndSlow
from stillwatch.lab.lives import NEW_MODEL
from stillwatch.lab.roster import DAY_US, account_table
from stillwatch.lab.scenario import START_US, around, scenario_named
from stillwatch.lab.traffic import HOUR_US, Planned, block_key
from stillwatch.lab.words.language import language
from tests.lab.held_out import Played, played, small
from tests.lab.worlds import Day


def told(day: Day) -> pa.Table:
    return day.events.filter(pc.is_in(day.events["event_id"], value_set=pa.array(list(day.told))))


def good(mine: Played) -> np.ndarray:
    return mine.work[mine.work["status"] == 200]


def test_no_account_of_the_slow_swarm_makes_more_than_five_calls_a_day() -> None:
    calls = good(played("evasion-1-low-and-slow"))
    day = (calls["time"] - START_US) // DAY_US
    # What a full second account of one day is: a call sent again after midnight.
    load = np.unique(np.stack([calls["account"], day]), axis=1, return_counts=True)[1]
    assert np.mean(load > 5) < 1e-3
    assert load.max() <= 6


def test_a_diluted_reseller_carries_a_twentieth_of_the_campaign_on_most_accounts() -> None:
    mine = played("evasion-2-reseller-dilution")
    assert abs(mine.calls["organised"].mean() - 0.05) < 0.01
    assert len(np.unique(mine.work["account"])) > 0.8 * len(mine.actor.roster)
    assert len(np.unique(mine.calls["author"])) > 4_000


def test_an_organic_relay_has_no_prompt_of_its_own() -> None:
    mine = played("evasion-3-organic-relay")
    assert len(np.unique(mine.work["author"])) > 1_000
    load = np.bincount(mine.work["account"]) / 2.0
    assert 5.0 < np.median(load) < 50.0


def test_a_paraphrased_request_shares_only_the_form_of_the_answer() -> None:
    swarm = replace(LowAndSlow(accounts=300, form="rc_task"), name="paraphrase")
    texts = told(small(around(swarm.plan(), "test")))["input_text"].to_pylist()
    heads = {text[:25] for text in texts}
    assert len(heads) > 0.5 * len(texts)
    schema = next(part for part in ("trail", "derivation", "thread", "unfolding", "passage", "itinerary", "ladder",
                                    "argument_path") if all(part in text for text in texts))  # fmt: skip
    assert schema


def test_a_rotating_pool_replaces_each_banned_account_within_the_hour() -> None:
    mine = played("evasion-5-rotation")
    roster, work = mine.actor.roster, good(mine)
    banned = np.flatnonzero(roster["banned"])
    assert len(banned) > 0.5 * len(roster)
    begin = np.full(len(roster), np.iinfo(np.int64).max)
    np.minimum.at(begin, work["account"], work["time"])
    started = np.sort(begin[(begin > START_US + 3 * HOUR_US) & (begin < np.iinfo(np.int64).max)])
    bans = np.sort(roster["closed"][banned])
    followed = np.searchsorted(started, bans + 3 * HOUR_US) > np.searchsorted(started, bans)
    assert followed.mean() > 0.95
    assert (roster["created"] < begin).all()
    accounts = account_table(roster)
    assert accounts["closed_reason"].to_pylist().count("banned") == len(banned)


def test_the_truth_says_which_accounts_came_first_and_which_took_over() -> None:
    mine = played("evasion-5-rotation")
    plan = next(part for part in mine.actor.parts if isinstance(part, Planned))
    assert plan.generation is not None
    begin = np.full(len(plan.generation), np.iinfo(np.int64).max)
    np.minimum.at(begin, mine.work["account"], mine.work["time"])
    first, working = plan.generation == 1, begin < np.iinfo(np.int64).max
    assert abs(first[working].sum() - 120) < 30
    assert np.median(begin[first & working]) < START_US + DAY_US
    assert begin[plan.generation == 3].min() > begin[first & working].min() + DAY_US
    assert plan.generation.max() >= 3


def test_a_standby_has_honest_use_before_it_takes_a_seat() -> None:
    mine = played("evasion-5-rotation")
    begin = np.full(len(mine.actor.roster), np.iinfo(np.int64).max)
    np.minimum.at(begin, mine.work["account"], mine.work["time"])
    late = begin > START_US + 4 * DAY_US
    cover = mine.calls[~mine.calls["organised"]]
    warm = np.unique(cover["account"][cover["time"] < begin[cover["account"]]])
    assert np.isin(np.flatnonzero(late), warm).mean() > 0.8


def test_one_family_comes_over_four_paths_and_leaves_a_blocked_one_within_minutes() -> None:
    mine = played("evasion-6-pathway-sharding")
    roster, work = mine.actor.roster, mine.work
    assert len(np.unique(roster["path"][work["account"]])) == 4
    assert len(np.unique(work["author"])) == 1
    ban = roster["closed"][roster["banned"]]
    late = work[work["time"] > ban.max() + HOUR_US]
    assert 0 not in set(roster["path"][late["account"]].tolist())
    told_wait = work[work["status"] == 429]
    when = defaultdict(list)
    for item, account, time in zip(work["item"].tolist(), work["account"].tolist(), work["time"].tolist(), strict=True):
        when[item].append((account, time))
    moved = [
        any(a != account and 0 < t - time < 6 * 60e6 for a, t in when[item])
        for item, account, time in zip(*(told_wait[c].tolist() for c in ("item", "account", "time")), strict=True)
    ]
    assert np.mean(moved) > 0.5


def test_a_programmes_cover_grows_keeps_office_hours_and_rests_at_weekends() -> None:
    mine = played("evasion-7-programme-cover")
    day = (mine.hours // 24).astype(int)
    hour = mine.hours % 24
    assert not np.isin(day % 7, (4, 5)).any()
    assert np.mean((hour >= 8.0) & (hour < 19.0)) > 0.99
    assert np.mean(day == 20) > 6 * np.mean(day == 0)
    accounts = account_table(mine.actor.roster)
    assert pc.unique(accounts["programme"]).to_pylist() == ["education"]
    addresses = defaultdict(set)
    for owner, ip in zip(*(accounts[c].to_pylist() for c in ("organization_id", "signup_ip")), strict=True):
        addresses[owner].add(ip)
    assert all(len(each) == 1 for each in addresses.values())


def test_attribute_clean_accounts_share_nothing_but_their_prompt() -> None:
    mine = played("evasion-8-attribute-clean")
    for column in ("payment", "email", "phone", "signup_ip"):
        values = mine.actor.roster[column]
        assert np.unique(values[values > 0], return_counts=True)[1].max() <= 2
    assert len(np.unique(mine.work["author"])) == 1
    assert len(np.unique(mine.actor.roster["agent"])) > 10


def test_replayed_blocks_were_issued_days_before_to_other_accounts() -> None:
    mine = played("evasion-9-reasoning-replay")
    work = mine.work
    issued = {}
    gathered = work[work["form"] == language().symbol("hv_puzzle")]
    keys = block_key(gathered["session"], gathered["turn"])
    for key, account, time in zip(keys.tolist(), gathered["account"].tolist(), gathered["time"].tolist(), strict=True):
        issued.setdefault(key, (account, time))
    brought = work[work["block"] > 0]
    assert len(brought) > 5_000
    sources = [issued[key] for key in brought["block"].tolist()]
    assert all(a != b for (a, _), b in zip(sources, brought["account"].tolist(), strict=True))
    lag = [(t - s) / DAY_US for (_, s), t in zip(sources, brought["time"].tolist(), strict=True)]
    assert min(lag) > 1.7
    assert np.bincount(good(mine)["account"]).max() <= 3


def test_foreign_blocks_stand_in_the_log_with_the_account_that_presents_them() -> None:
    day = small(scenario_named("evasion-9-reasoning-replay"), 12_000)
    issuer, foreign = {}, defaultdict(int)
    rows = zip(*(day.events[c].to_pylist() for c in ("account_id", "issued_blocks", "presented_blocks")), strict=True)
    for account, issues, presents in rows:
        for block in issues or ():
            issuer[block] = account
        for block in presents or ():
            foreign[issuer.get(block, "nobody") != account, block in issuer] += 1
    assert foreign[True, True] > 400
    assert foreign[False, True] > 100  # honest conversations present their own


def test_an_active_learner_asks_nothing_twice_but_its_probes_and_moves_to_the_new_model() -> None:
    mine = played("evasion-10-active-learning")
    probes = mine.work["form"] == language().symbol("hv_probe")
    assert 0.01 < probes.mean() < 0.03
    items = good(mine)[good(mine)["form"] != language().symbol("hv_probe")]["item"]
    assert len(np.unique(items)) == len(items)
    cover = 1.0 - mine.calls["organised"].mean()
    assert 0.4 < cover < 0.6
    new = np.array([profile.model == NEW_MODEL for profile in mine.ground.profiles])[mine.work["profile"]]
    assert new[mine.hours > 73].mean() > 0.5
