"""The published habits of campaigns, present in the worlds that hide them."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.lab.campaigns.clean_pool import CleanPool
from stillwatch.lab.campaigns.compact import Compact
from stillwatch.lab.campaigns.injected import Injected
from stillwatch.lab.campaigns.pool import Pool
from stillwatch.lab.campaigns.swarm import Swarm
from stillwatch.lab.roster import DAY_US, account_table
from stillwatch.lab.scenario import START_US, Scenario, Spec
from stillwatch.lab.traffic import CALL, HOUR_US, Actor, Ground, Records, Slot
from stillwatch.lab.world import simulate
from tests.lab.worlds import Day, demo_day, read


def drafted(actor: Actor) -> Records:
    slots = [Slot(h, START_US + h * HOUR_US, START_US + (h + 1) * HOUR_US) for h in range(24)]
    calls = np.concatenate([actor.draft(slot) for slot in slots])
    assert calls.dtype == CALL
    return calls[calls["organised"]]


@cache
def settled(spec: Spec) -> tuple[Actor, Records]:
    actor = spec.settle(Ground(3, START_US, 24))
    return actor, drafted(actor)


def work(day: Day, campaign: str) -> pa.Table:
    mine = [event for event, name in day.told.items() if name == campaign]
    return day.events.filter(pc.is_in(day.events["event_id"], value_set=pa.array(mine)))


def gini(counts: np.ndarray) -> float:
    ordered = np.sort(counts)
    rank = np.arange(1, len(ordered) + 1)
    return float(2 * (rank * ordered).sum() / (len(ordered) * ordered.sum()) - (len(ordered) + 1) / len(ordered))


def test_the_pool_shares_a_dozen_cards_few_blocks_and_days_of_sign_ups() -> None:
    actor, _ = settled(Pool())
    accounts = account_table(actor.roster)
    assert len(accounts) == 240
    assert len(pc.unique(accounts["payment_digest"])) <= 14
    assert len({ip.rsplit(".", 1)[0] for ip in accounts["signup_ip"].to_pylist()}) <= 6
    created = actor.roster["created"]
    assert (created.max() - created.min()) < 4.1 * DAY_US


def test_the_pool_sends_each_item_to_several_accounts_and_none_twice_to_one() -> None:
    _, calls = settled(Pool())
    calls = calls[calls["status"] == 200]
    holders: dict[int, list[int]] = defaultdict(list)
    for item, account in zip(calls["item"].tolist(), calls["account"].tolist(), strict=True):
        holders[item].append(account)
    assert 3.5 < np.mean([len(each) for each in holders.values()]) <= 4.1
    repeated = sum(len(each) != len(set(each)) for each in holders.values())
    assert repeated / len(holders) < 0.05  # only where a round ends within an item


def test_a_pool_is_loaded_far_more_evenly_than_honest_callers() -> None:
    _, calls = settled(Pool())
    load = np.bincount(calls["account"])
    assert abs(np.median(load) - 40) <= 2
    assert gini(load) < 0.05
    day = demo_day()
    developers = np.array(list(Counter(day.of("developer")["account_id"].to_pylist()).values()))
    assert gini(developers) > 0.5


def test_the_pool_has_one_prompt_with_reasoning_written_out_long_answers_and_evenings() -> None:
    events = work(demo_day(), "pool")
    heads = Counter(text[:150] for text in events["input_text"].to_pylist())
    assert len(heads) == 1
    assert pc.unique(events["max_tokens"]).to_pylist() == [8_192]
    assert pc.unique(events["temperature"]).to_pylist() == [0.7]
    hour = pc.hour(events["time"]).to_numpy()
    assert (hour >= 19).mean() > 0.15
    honest = demo_day().of("company")["output_tokens"].to_numpy()
    assert np.median(events["output_tokens"].to_numpy()) > 5 * np.median(honest)


@pytest.mark.parametrize("column", ["payment", "email", "phone", "signup_ip", "key"])
def test_accounts_of_the_clean_pool_share_no_attribute(column: str) -> None:
    actor, _ = settled(CleanPool())
    values = actor.roster[column]
    assert np.unique(values[values > 0], return_counts=True)[1].max() == 1


def test_accounts_of_the_clean_pool_signed_up_like_anybody() -> None:
    actor, _ = settled(CleanPool())
    age = (START_US - actor.roster["created"]) / DAY_US
    assert np.percentile(age, 90) - np.percentile(age, 10) > 250
    assert np.unique(age.astype(int), return_counts=True)[1].max() < 40


def test_the_clean_pool_passes_its_queue_without_repeats_and_again_on_another_model() -> None:
    _, calls = settled(CleanPool())
    passes = [calls[calls["profile"] == number] for number in np.unique(calls["profile"])]
    assert len(passes) == 2
    first, second = sorted(passes, key=len, reverse=True)
    for each in (first, second):
        assert len(np.unique(each["item"])) > 0.97 * len(each)  # what repeats is a call sent again
    assert set(second["item"].tolist()) <= set(first["item"].tolist())
    assert abs(len(second) / len(first) - 0.6) < 0.05


def test_each_account_of_the_clean_pool_has_a_preamble_of_its_own_and_some_cover() -> None:
    day = demo_day()
    events = work(day, "clean-pool")
    heads: dict[str, set[str]] = defaultdict(set)
    for account, text in zip(*(events[c].to_pylist() for c in ("account_id", "input_text")), strict=True):
        heads[account].add(text[:60])
    assert all(len(each) == 1 for each in heads.values())
    assert len({head for each in heads.values() for head in each}) > 290
    cover = 1.0 - len(events) / len(day.of("clean-pool"))
    assert 0.10 < cover < 0.20


def test_the_swarm_makes_two_to_five_calls_an_account() -> None:
    actor, calls = settled(Swarm(accounts=1_000))
    load = np.bincount(calls[calls["status"] == 200]["account"], minlength=len(actor.roster))
    assert np.percentile(load, 1) >= 1
    assert np.percentile(load, 99) <= 5
    assert 3.3 < load.mean() < 3.6


def test_the_compact_campaign_makes_hundreds_of_calls_an_account_a_quarter_for_cleaning() -> None:
    _, calls = settled(Compact())
    assert 300 < np.median(np.bincount(calls["account"])) < 420
    forms = np.sort(np.unique(calls["form"], return_counts=True)[1]) / len(calls)
    assert abs(forms[0] - 0.23) < 0.02


def test_the_injected_segment_stands_in_every_request_of_varied_work() -> None:
    quiet = Scenario("test", "", 60_000, (), (Injected(accounts=100),))
    day = read(simulate(quiet, 1, 60_000))
    texts = work(day, "injected")["input_text"].to_pylist()
    start = texts[0].index("IMPORTANT")
    segment = texts[0][start : start + 120]
    assert all(segment in text for text in texts)
    assert len({text.replace(segment, "")[:40] for text in texts}) > 0.3 * len(texts)


def test_two_campaigns_of_one_world_do_not_share_a_prompt() -> None:
    wordings = {
        work(read(simulate(Scenario("test", "", 20_000, (), (Pool(name, accounts=10),)), 1, 20_000)), name)[
            "input_text"
        ][0].as_py()[:250]
        for name in ("a", "b", "c")
    }
    assert len(wordings) == 3
