"""What each look-alike shares with a campaign, and that it is as large as said."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.lab.scenario import SCENARIOS
from tests.lab.worlds import demo_day


def accounts_of(group: str) -> pa.Table:
    world = demo_day().world
    truth = world.truth_accounts()
    mine = truth.filter(pc.equal(truth["group"], group))["account_id"]
    accounts = world.accounts()
    return accounts.filter(pc.is_in(accounts["account_id"], value_set=mine.combine_chunks()))


def distinct(table: pa.Table, column: str) -> int:
    return len(pc.unique(table[column].drop_null()))


@pytest.mark.parametrize("spec", SCENARIOS["demo"].lookalikes, ids=lambda spec: spec.name)
def test_a_group_is_as_large_as_its_scenario_says(spec: object) -> None:
    name, accounts, calls = (getattr(spec, knob) for knob in ("name", "accounts", "calls"))
    assert len(accounts_of(name)) == accounts
    assert abs(len(demo_day().of(name)) / calls - 1.0) < 0.25  # the harness: few heavy users


def test_every_look_alike_is_honest_in_the_truth() -> None:
    truth = demo_day().world.truth_accounts()
    campaign = truth.filter(pc.equal(truth["class"], "campaign"))
    assert campaign["campaign"].null_count == 0
    others = truth.filter(pc.not_equal(truth["class"], "campaign"))
    assert others["campaign"].null_count == len(others)


def test_harness_users_are_strangers_with_one_prefix_and_their_own_work() -> None:
    events = demo_day().of("harness")
    prompts = events["system_prompt"].to_pylist()
    assert len({prompt[:400] for prompt in prompts}) == 1
    assert len(set(prompts)) > 200
    assert distinct(accounts_of("harness"), "payment_digest") > 450
    assert distinct(accounts_of("harness"), "signup_ip") > 500


def test_a_class_is_new_behind_one_address_and_asks_the_same_things_within_an_hour() -> None:
    events, accounts = demo_day().of("classroom"), accounts_of("classroom")
    assert distinct(accounts, "signup_ip") == 1
    assert distinct(events, "client_ip") == 1
    span = pc.max(events["time"]).as_py() - pc.min(events["time"]).as_py()
    assert span.total_seconds() < 3_700
    pasted = defaultdict(set)
    for account, text in zip(*(events[c].to_pylist() for c in ("account_id", "input_text")), strict=True):
        if text.startswith("Assignment"):
            pasted[text[:80]].add(account)
    assert max(len(pupils) for pupils in pasted.values()) > 30


def test_evaluations_repeat_the_same_items_over_organisations() -> None:
    events = demo_day().of("evaluation")
    assert distinct(events, "organization_id") == 4
    holders = defaultdict(set)
    columns = ("organization_id", "account_id", "input_text")
    for owner, account, text in zip(*(events[c].to_pylist() for c in columns), strict=True):
        holders[text].add((owner, account))
    assert np.mean([len(each) > 1 for each in holders.values()]) > 0.3


def test_an_enterprise_is_one_owner_behind_one_address() -> None:
    accounts = accounts_of("enterprise")
    assert distinct(accounts, "organization_id") == distinct(accounts, "signup_ip") == 1
    assert distinct(accounts, "email_domain") == 1


def test_a_reseller_has_thousands_of_end_users() -> None:
    events = demo_day().of("reseller")
    assert distinct(events, "account_id") == 1
    assert distinct(events, "end_user_id") > 800
    assert accounts_of("reseller")["is_reseller"].to_pylist() == [True]


def test_the_nightly_batch_works_through_a_list_without_repeats_before_morning() -> None:
    events = demo_day().of("nightly-batch")
    good = events.filter(pc.equal(events["status"], 200))
    assert distinct(good, "input_text") > 0.99 * len(good)
    assert pc.max(pc.hour(events["time"])).as_py() <= 4
    assert distinct(events, "organization_id") == 1


def test_a_viral_prompt_is_copied_by_hundreds_of_strangers() -> None:
    events = demo_day().of("viral")
    copied = events.filter(pc.starts_with(events["input_text"], "Based on everything"))
    assert distinct(copied, "account_id") > 150


def test_the_judge_is_one_owner_that_asks_two_models_about_each_reply() -> None:
    events = demo_day().of("judge-pipeline")
    good = events.filter(pc.equal(events["status"], 200))
    models = defaultdict(set)
    for text, model in zip(*(good[c].to_pylist() for c in ("input_text", "request_model")), strict=True):
        models[text].add(model)
    assert np.mean([len(each) == 2 for each in models.values()]) > 0.9
