"""Every look-alike class of the threat model, at any size, and what each shares with a campaign."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.lab.lookalikes.benchmark_day import BenchmarkDay
from stillwatch.lab.lookalikes.gallery import gallery
from stillwatch.lab.lookalikes.harness import Harness
from stillwatch.lab.lookalikes.quality_monitor import QualityMonitor
from stillwatch.lab.lookalikes.session_balancer import SessionBalancer
from stillwatch.lab.scenario import START_US, Scenario, null_world
from stillwatch.lab.traffic import HOUR_US, Actor, Ground, Records, Slot
from stillwatch.lab.world import simulate
from tests.lab.worlds import Day, read

THREAT_MODEL = {
    "harness", "classroom", "evaluation", "batch-job", "synthetic-data", "white-label", "enterprise", "university",
    "reseller", "fallback-router", "quality-monitor", "ci-review", "hackathon", "shared-key", "judge",
    "public-judge", "red-team", "unknowing-relay", "viral", "metadata-gateway", "benchmark-day",
    "authorised-distillation", "reasoning-audit", "session-balancer",
}  # fmt: skip
"""Section 4.1 of the threat model, by our names."""


@cache
def gallery_day() -> Day:
    groups = gallery(1_500)
    calls = round(sum(group.calls for group in groups) * 1.1)
    return read(simulate(Scenario("gallery", "", calls, groups), 5, calls))


def drafted(actor: Actor, hours: int = 24) -> Records:
    slots = [Slot(h, START_US + h * HOUR_US, START_US + (h + 1) * HOUR_US) for h in range(hours)]
    return np.concatenate([actor.draft(slot) for slot in slots])


def accounts_of(*groups: str) -> pa.Table:
    accounts, truth = gallery_day().world.accounts(), gallery_day().world.truth_accounts()
    return accounts.filter(pc.is_in(truth["group"], value_set=pa.array(groups)))


def distinct(table: pa.Table, column: str) -> int:
    return len(pc.unique(table[column].drop_null()))


def holders(events: pa.Table, column: str = "account_id") -> dict[str, set[str]]:
    """Return who sent each text."""
    found = defaultdict(set)
    for holder, text in zip(events[column].to_pylist(), events["input_text"].to_pylist(), strict=True):
        found[text].add(holder)
    return found


def test_every_class_of_the_threat_model_is_in_the_gallery() -> None:
    ground = Ground(0, START_US, 24)
    assert {spec.settle(ground).label for spec in gallery(500)} == THREAT_MODEL


@pytest.mark.parametrize("accounts", [1_000, 2_000, 20_000])
def test_the_gallery_is_as_large_as_asked_for(accounts: int) -> None:
    groups = gallery(accounts)
    assert abs(sum(group.accounts for group in groups) / accounts - 1.0) < 0.1
    assert len({group.name for group in groups}) == len(groups)


@pytest.mark.parametrize("hours", [6, 24, 100])
def test_every_group_makes_its_calls_within_the_window_and_after_its_accounts_were_made(hours: int) -> None:
    ground = Ground(1, START_US, hours)
    late = []
    for spec in gallery(1_000):
        actor = spec.settle(ground)
        assert len(actor.roster) == spec.accounts
        assert len(np.unique(actor.roster["key"])) == spec.accounts
        calls = drafted(actor, hours)
        assert (calls["time"] >= actor.roster["created"][calls["account"]]).all(), spec.name
        late.append((calls["time"] >= ground.at(hours)).sum() / max(len(calls), 1))
    # Only conversations that run on when the window ends, and what is sent again then.
    assert np.mean(late) < 0.02


@pytest.mark.parametrize("days", [1, 3])
def test_a_gallery_of_more_days_makes_its_calls_over_all_of_them(days: int) -> None:
    groups = gallery(1_000, days)
    made = [len(drafted(group.settle(Ground(2, START_US, 24 * days)), 24 * days)) for group in groups]
    # Heavy-tailed crowds miss their mean by more than that one by one, not all together.
    assert abs(sum(made) / sum(group.calls for group in groups) - 1.0) < 0.1


def test_honest_groups_are_honest_in_the_truth() -> None:
    truth = gallery_day().world.truth_accounts()
    assert truth["campaign"].null_count == len(truth)
    assert not gallery_day().told


def test_most_users_of_a_harness_meet_it_within_one_day_and_nobody_before() -> None:
    actor = Harness(accounts=3_000, adopting=0.8, on_day=1).settle(Ground(0, START_US, 72))
    calls = drafted(actor, 72)
    first = np.full(3_000, np.iinfo(np.int64).max)
    np.minimum.at(first, calls["account"], calls["time"])
    day = (first[first < np.iinfo(np.int64).max] - START_US) // (24 * HOUR_US)
    assert (day == 1).mean() > 0.5
    assert (day == 0).mean() < 0.25


def test_all_shops_of_a_white_label_share_the_product_but_neither_brand_nor_users() -> None:
    events = gallery_day().of("white-label-1")
    prompts = {(p[:60], p.split("Brand: ")[1][:20]) for p in events["system_prompt"].to_pylist()}
    assert len({head for head, _ in prompts}) == 1
    assert len({brand for _, brand in prompts}) > 15
    users = defaultdict(set)
    for account, user in zip(events["account_id"].to_pylist(), events["end_user_id"].to_pylist(), strict=True):
        users[user].add(account)
    assert max(len(accounts) for accounts in users.values()) == 1


def test_a_campus_is_many_owners_behind_few_addresses() -> None:
    people = accounts_of("university-1")
    assert distinct(people, "signup_ip") == 1
    assert distinct(people, "organization_id") == 0
    assert distinct(people, "payment_digest") > 20
    assert distinct(gallery_day().of("university-1"), "client_ip") <= 6


def test_what_a_router_is_refused_goes_to_another_path_within_minutes() -> None:
    events = gallery_day().of("fallback-router")
    columns = (events[c].to_pylist() for c in ("input_text", "account_id", "time", "status", "access_path"))
    sent = defaultdict(list)
    for text, account, time, status, path in zip(*columns, strict=True):
        sent[text].append((time, account, status, path))
    moved = []
    for calls in sent.values():
        calls.sort()
        refused = next((call for call in calls if call[2] == 429), None)
        other = [call for call in calls if refused and call[1] != refused[1]]
        if refused and other:
            moved.append((other[0][0] - refused[0]).total_seconds())
            assert other[0][3] != refused[3]
    assert len(moved) > 100
    assert np.median(moved) < 120
    assert np.percentile(moved, 95) < 1_200


def test_a_monitor_asks_the_same_every_hour_for_days() -> None:
    days = 3
    monitor = QualityMonitor(accounts=4, calls_each=24.0 * days * 5, owners=2)
    world = simulate(Scenario("monitor", "", 1_500, (monitor,), hours=24 * days), 0, 1_500)
    events = read(world).of("quality-monitor")
    probes = Counter(events["input_text"].to_pylist())
    assert len(probes) == 5
    assert min(probes.values()) > 0.95 * 4 * 24 * days
    hours = pc.unique(pc.floor_temporal(events["time"], unit="hour"))
    assert len(hours) == 24 * days


def test_code_review_comes_from_new_addresses_with_one_public_prompt_of_many_owners() -> None:
    events = gallery_day().of("ci-review")
    assert distinct(events, "client_ip") > 0.8 * len(events)
    assert len({prompt[:200] for prompt in events["system_prompt"].to_pylist()}) == 1
    assert distinct(accounts_of("ci-review"), "organization_id") > 50
    assert distinct(events, "user_agent") == 1


def test_a_hackathon_is_new_accounts_of_a_programme_with_one_starter_and_many_subjects() -> None:
    people, events = accounts_of("hackathon-1"), gallery_day().of("hackathon-1")
    assert pc.unique(people["programme"]).to_pylist() == ["startup"]
    created = people["created_at"].cast(pa.int64()).to_numpy()
    assert np.ptp(created) < 24 * HOUR_US
    prompts = events["system_prompt"].to_pylist()
    assert len({prompt[:70] for prompt in prompts}) == 1
    assert len(set(prompts)) > 15


def test_a_shared_key_is_one_account_with_many_addresses_programs_and_subjects() -> None:
    events = gallery_day().of("shared-key")
    by_account = [events.filter(pc.equal(events["account_id"], account)) for account in pc.unique(events["account_id"])]
    busy = [each for each in by_account if len(each) > 60]
    assert busy
    assert np.median([distinct(each, "client_ip") for each in busy]) >= 10
    assert np.median([distinct(each, "user_agent") for each in busy]) >= 6


def test_strangers_grade_with_one_published_prompt_and_items_of_their_own() -> None:
    events = gallery_day().of("public-judge")
    assert len({text[:300] for text in events["input_text"].to_pylist()}) == 1
    assert distinct(events, "account_id") > 40
    assert max(len(who) for who in holders(events).values()) == 1


def test_red_teams_are_refused_often_and_come_back_to_the_same_goals() -> None:
    events = gallery_day().of("red-team")
    good = events.filter(pc.equal(events["status"], 200))
    assert 0.35 < pc.mean(pc.cast(good["refused"], pa.float64())).as_py() < 0.55
    assert pc.unique(accounts_of("red-team")["programme"]).to_pylist() == ["security-research"]
    assert distinct(events, "input_text") > 0.5 * len(events)


def test_a_relay_of_academics_deals_work_evenly_over_a_pool_that_shares_cards() -> None:
    events, pool = gallery_day().of("unknowing-relay-1"), accounts_of("unknowing-relay-1")
    load = np.array(list(Counter(events["account_id"].to_pylist()).values()))
    assert load.std() / load.mean() < 0.4
    assert distinct(pool, "payment_digest") <= len(pool) / 12 + 1
    assert distinct(events, "user_agent") == 1
    assert len({text[:40] for text in events["input_text"].to_pylist()}) > 100  # many people's work


def test_behind_a_gateway_programs_users_and_conversations_vanish_for_all_accounts_at_once() -> None:
    events = gallery_day().of("metadata-gateway-1")
    behind = pc.greater_equal(pc.hour(events["time"]), 13)
    after, before = events.filter(behind), events.filter(pc.invert(behind))
    assert distinct(before, "account_id") > 5
    assert distinct(after, "account_id") > 5
    for column in ("user_agent", "end_user_id", "session_id"):
        assert after[column].null_count == len(after)
        assert before[column].null_count < len(before)
    assert distinct(after, "client_ip") == 1


def test_nobody_benchmarks_a_model_before_it_is_out_and_strangers_run_the_same_items() -> None:
    actor = BenchmarkDay(accounts=500, at_hour=9.0).settle(Ground(0, START_US, 24))
    assert drafted(actor)["time"].min() >= START_US + 9 * HOUR_US
    events = gallery_day().of("benchmark-day")
    assert pc.mean(pc.cast(pc.equal(events["request_model"], "aurora-5"), pa.float64())).as_py() > 0.75
    shared = [len(accounts) > 1 for accounts in holders(events).values()]
    assert np.mean(shared) > 0.2  # 75 strangers, three sets of 500 items


def test_a_licensed_student_is_one_known_owner_that_asks_for_reasoning_evenly_over_its_accounts() -> None:
    events, accounts = gallery_day().of("authorised-distillation-1"), accounts_of("authorised-distillation-1")
    assert len(accounts) >= 40
    assert distinct(accounts, "organization_id") == 1
    assert pc.unique(accounts["verification"]).to_pylist() == ["identity"]
    load = np.array(list(Counter(events["account_id"].to_pylist()).values()))
    assert load.std() / load.mean() < 0.1
    asked = pc.match_substring_regex(pc.utf8_lower(events["input_text"]), "reasoning|think")
    assert pc.all(asked).as_py()


def test_a_synthetic_data_job_never_asks_for_one_item_twice() -> None:
    events = gallery_day().of("synthetic-data-1")
    good = events.filter(pc.equal(events["status"], 200))
    assert distinct(good, "input_text") > 0.97 * len(good)
    assert distinct(events, "organization_id") == 1


def test_a_nightly_job_runs_each_night_of_a_longer_window() -> None:
    batch = next(group for group in gallery(1_000, 3.0) if group.name == "batch-job-1")
    time = drafted(batch.settle(Ground(0, START_US, 72)), 72)["time"]
    assert set(((time - START_US) // HOUR_US).tolist()) <= {h + 24 * d for d in range(3) for h in range(1, 5)}
    nights = np.bincount((time - START_US) // (24 * HOUR_US))
    assert all(abs(a / b - 1.0) < 0.2 for a, b in pairwise(nights))


@pytest.mark.parametrize("gateway", [False, True])
def test_a_balanced_session_presents_reasoning_that_another_account_was_issued(gateway: bool) -> None:
    group = SessionBalancer(accounts=8, calls_each=60.0, gateway=gateway)
    day = read(simulate(Scenario("balanced", "", 5_000, (group,)), 3, 5_000))
    events = day.of("session-balancer")
    columns = (events[name].to_pylist() for name in ("account_id", "issued_blocks", "presented_blocks"))
    rows = list(zip(*columns, strict=True))
    issuer = {block: account for account, issued, _ in rows for block in issued or ()}
    brought = [(account, issuer[b]) for account, _, blocks in rows for b in blocks or () if b in issuer]
    assert len(brought) > 100
    assert sum(account != issued for account, issued in brought) > 0.6 * len(brought)
    accounts, truth = day.world.accounts(), day.world.truth_accounts()
    owners = accounts.filter(pc.equal(truth["class"], "session-balancer"))["organization_id"]
    assert (owners.null_count, distinct(pa.table({"o": owners}), "o")) == ((8, 0) if gateway else (0, 1))


def test_small_honest_worlds_differ_in_their_classes_and_hours_and_hide_nobody() -> None:
    worlds = [null_world(seed) for seed in range(40)]
    assert {world.hours for world in worlds} == {12, 24, 48}
    names = [frozenset(group.name for group in world.lookalikes) for world in worlds]
    assert len(set(names)) == 40
    assert all(sum(group.accounts for group in world.lookalikes) >= 130 for world in worlds)
    assert not any(world.campaigns for world in worlds)
    assert null_world(3) == null_world(3)
