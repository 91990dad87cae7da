from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.errors import Error
from stillwatch.event import ACCOUNT_SCHEMA, EVENT_REQUIRED, EVENT_SCHEMA
from stillwatch.lab.scenario import DEVELOPMENT, SCENARIOS, START_US, scenario_named
from stillwatch.lab.traffic import Ground
from tests.lab.worlds import demo_day, read, small_world


def digest(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue().to_pybytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert digest(read(small_world()).events) == digest(read(small_world()).events)
    assert digest(small_world().accounts()) == digest(small_world().accounts())


def test_another_seed_gives_another_world() -> None:
    one, other = read(small_world(1)).events, read(small_world(2)).events
    assert not set(one["event_id"].to_pylist()) & set(other["event_id"].to_pylist())
    assert not set(one["account_id"].to_pylist()) & set(other["account_id"].to_pylist())


@pytest.mark.parametrize("rows", [1, 97, 100_000])
def test_the_size_of_the_batches_changes_nothing(rows: int) -> None:
    world = small_world(calls=1_500)
    whole = read(world)
    world.batch_rows = rows
    cut = read(world)
    assert cut.events.combine_chunks().equals(whole.events.combine_chunks())
    assert cut.told == whole.told


def test_reading_a_world_twice_gives_the_same_log() -> None:
    world = small_world(calls=2_000)
    assert read(world).events.equals(read(world).events)


def test_events_are_canonical_in_order_of_time_and_unique() -> None:
    events = demo_day().events
    assert events.schema.equals(EVENT_SCHEMA)
    time = events["time"].cast(pa.int64()).to_numpy()
    assert (np.diff(time) >= 0).all()
    assert len(pc.unique(events["event_id"])) == len(events)
    for name in EVENT_REQUIRED:
        assert events[name].null_count == 0


def test_events_lie_within_the_day_and_after_their_accounts_were_made() -> None:
    day = demo_day()
    first = day.events["time"].cast(pa.int64())[0].as_py()
    last = day.events["time"].cast(pa.int64())[-1].as_py()
    assert day.world.ground.start_us <= first
    assert last < day.world.ground.start_us + 24 * 3_600_000_000
    made = dict(zip(*(day.world.accounts()[c].to_pylist() for c in ("account_id", "created_at")), strict=True))
    for account, time in zip(*(day.events[c].to_pylist() for c in ("account_id", "time")), strict=True):
        assert made[account] <= time


def test_accounts_are_canonical_and_every_caller_is_among_them() -> None:
    day = demo_day()
    accounts = day.world.accounts()
    assert accounts.schema.equals(ACCOUNT_SCHEMA)
    known = set(accounts["account_id"].to_pylist())
    assert len(known) == len(accounts)
    assert set(day.events["account_id"].to_pylist()) <= known


def test_the_truth_names_every_account_once_and_the_calls_of_campaigns_only() -> None:
    day = demo_day()
    truth = day.world.truth_accounts()
    assert truth["account_id"].to_pylist() == day.world.accounts()["account_id"].to_pylist()
    campaign_of = dict(zip(truth["account_id"].to_pylist(), truth["campaign"].to_pylist(), strict=True))
    assert {name for name in campaign_of.values() if name} == {"pool", "clean-pool"}
    caller = dict(zip(*(day.events[c].to_pylist() for c in ("event_id", "account_id")), strict=True))
    assert all(campaign_of[caller[event]] == campaign for event, campaign in day.told.items())
    working = {caller[event] for event in day.told}
    assert working == {account for account, campaign in campaign_of.items() if campaign}


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_a_world_has_about_as_many_calls_as_asked_for(name: str) -> None:
    calls = 120_000
    world = small_world(3, calls, name)
    drawn = sum(len(calls) for _, calls in world._slots())
    # The heaviest tenant has up to 16 % of its tier: 5 % is twice the standard deviation over seeds.
    assert abs(drawn / calls - 1.0) < 0.08


def test_the_quiet_world_has_no_campaign() -> None:
    day = read(small_world(scenario="quiet", calls=3_000))
    assert not day.told
    assert set(day.world.truth_accounts()["campaign"].to_pylist()) == {None}


def test_the_bench_is_about_three_per_cent_campaign_calls_at_any_size() -> None:
    for calls in (2_000_000, 8_000_000, 20_000_000):
        specs = SCENARIOS["bench"].cast(calls)
        campaigns = {spec.name for spec in SCENARIOS["bench"].campaigns}
        share = sum(s.calls for s in specs if s.name.rstrip("-0123456789") in campaigns) / calls
        assert 0.025 < share < 0.035


@pytest.mark.parametrize("calls", [1_000, 33_333, 2_000_000, 3_456_789])
def test_every_group_settles_at_any_size(calls: int) -> None:
    ground = Ground(0, START_US, 24)
    for spec in SCENARIOS["bench"].cast(calls):
        actor = spec.settle(ground)
        assert len(actor.roster) == spec.accounts
        assert len(np.unique(actor.roster["key"])) == spec.accounts


def test_a_larger_bench_has_more_campaigns_and_each_its_own_prompt() -> None:
    specs = SCENARIOS["bench"].cast(8_000_000)
    swarms = [spec for spec in specs if spec.name.startswith("swarm")]
    assert [(swarm.name, swarm.accounts) for swarm in swarms] == [("swarm-1", 8_000), ("swarm-2", 8_000)]


def test_a_finer_cut_of_the_day_keeps_events_apart() -> None:
    world = replace(small_world(calls=3_000), calls=24 * 900_000)
    events = read(world).events
    assert len(pc.unique(events["event_id"])) == len(events)
    assert (np.diff(events["time"].cast(pa.int64()).to_numpy()) >= 0).all()


def test_an_unknown_scenario_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(Error, match="no scenario") as caught:
        scenario_named("Demo")
    assert caught.value.ident == "unknown-scenario"
    assert "demo" in caught.value.hint


def test_a_handful_of_calls_is_refused() -> None:
    with pytest.raises(Error) as caught:
        small_world(calls=100)
    assert caught.value.ident == "calls-too-few"
