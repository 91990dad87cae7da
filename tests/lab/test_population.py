"""The honest population against the published figures; each tolerance stands beside its figure."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.lab import population
from stillwatch.lab.habits import HABIT
from stillwatch.lab.roster import ACCOUNT, BUSINESS, CONSUMER, DEVELOPER, Style, enrol
from stillwatch.lab.scenario import START_US
from stillwatch.lab.streams import mix, stream
from stillwatch.lab.traffic import HOUR_US, Crowd, Ground, Slot, arrivals, turn_counts
from tests.lab.worlds import demo_day

CONSUMERS, DEVELOPERS, COMPANIES = range(3)


@cache
def crowd(tier: int, calls: int = 2_000_000) -> Crowd:
    settled, _ = population._settle_tier(population.TIERS[tier], Ground(7, START_US, 24), calls)
    return settled


@cache
def starts(tier: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every session start of a day, sorted by account and time."""
    of, drawn = crowd(tier), []
    for hour in range(24):
        slot = Slot(hour, START_US + hour * HOUR_US, START_US + (hour + 1) * HOUR_US)
        drawn.append(arrivals(of.habit, slot, of.ground, of.ground.rng("test", hour)))
    who = np.concatenate([pair[0] for pair in drawn])
    time = np.concatenate([pair[1] for pair in drawn])
    order = np.lexsort((time, who))
    return who[order], time[order]


def gap_variation(tier: int) -> np.ndarray:
    who, time = starts(tier)
    found = []
    for account in np.flatnonzero(np.bincount(who) >= 100):
        gaps = np.diff(time[slice(*np.searchsorted(who, [account, account + 1]))])
        found.append(gaps.std() / gaps.mean())
    return np.array(found)


def test_company_rates_have_the_published_tail() -> None:
    of = crowd(COMPANIES)
    rate = of.habit["rate"] * np.array([kind.calls_each for kind in of.kinds])[of.kind]
    # ServeGen: sigma 2.15; some 8,000 accounts estimate it within 0.04, the cap takes a little off.
    assert abs(np.log(rate).std() - 2.15) < 0.1
    assert rate.max() / rate.sum() < 0.17  # the largest client of one vendor has 16 %


def test_gaps_between_calls_are_as_uneven_as_published() -> None:
    variation = gap_variation(COMPANIES)
    # ServeGen over 14 days: p25 1.45, median 2.46, p75 6.5, p95 15.6. One day shows less of the tail.
    assert 1.2 < np.percentile(variation, 25) < 2.2
    assert 2.0 < np.median(variation) < 3.8
    assert 4.0 < np.percentile(variation, 75) < 7.5
    assert np.percentile(variation, 95) > 8.0


def test_honest_clients_are_hardly_ever_too_regular() -> None:
    # Measured on benign production clients: 0 to 1 % have a gap variation below 0.8.
    assert (gap_variation(COMPANIES) < 0.8).mean() < 0.01


def test_active_hours_spread_as_published() -> None:
    hours = crowd(COMPANIES).habit["hours"]
    assert abs(np.median(hours) - 6.2) < 0.5
    assert np.percentile(hours, 5) < 2.0
    assert np.percentile(hours, 95) > 22.0


@pytest.mark.parametrize(("tier", "most"), [(CONSUMERS, 4.9), (DEVELOPERS, 2.2), (COMPANIES, 3.0)])
def test_the_daily_curve_rises_and_falls_within_the_published_range(tier: int, most: float) -> None:
    _, time = starts(tier)
    hourly = np.bincount((time - START_US) // HOUR_US, minlength=24)
    # Peak over trough: 1.4 to 2.2 for tenants and 4.9 for reasoning; a few heavy tenants add noise.
    assert 1.1 < hourly.max() / hourly.min() < most


def test_conversations_have_the_published_lengths() -> None:
    turns = turn_counts(stream(0, "turns"), 200_000, 2.52)
    assert abs(turns.mean() - 2.52) < 0.05  # WildChat: 2.52 turns
    assert abs((turns > 10).mean() - 0.037) < 0.005  # WildChat: 3.7 % over ten


def test_output_lengths_of_plain_api_calls_follow_the_published_quantiles() -> None:
    day = demo_day()
    plain = np.isin(day.group, ["company", "developer"])
    events = day.events.filter(pa.array(plain))
    keep = pc.and_(pc.is_null(events["tool_names"]), pc.is_null(events["reasoning_level"]))
    events = events.filter(pc.and_(keep, pc.equal(events["status"], 200)))
    tokens = events.filter(pc.invert(events["refused"]))["output_tokens"].to_numpy()
    # ServeGen m-large: p50 51, p95 548; caps of 256 tokens cut the tail of some callers.
    assert 45 < np.median(tokens) < 57
    assert 400 < np.percentile(tokens, 95) < 600


def test_a_third_to_a_half_of_api_accounts_have_one_private_template() -> None:
    for tier in (DEVELOPERS, COMPANIES):
        of = crowd(tier)
        own = [kind.own and kind.templates == 1 and not kind.end_users for kind in of.kinds]
        assert 0.3 < np.array(own)[of.kind].mean() < 0.55


def test_strangers_share_system_prompts_of_platforms_harnesses_and_quickstarts() -> None:
    day = demo_day()
    users: dict[str, set[str]] = defaultdict(set)
    for account, prompt in zip(*(day.events[c].to_pylist() for c in ("account_id", "system_prompt")), strict=True):
        users[(prompt or "")[:50]].add(account)
    sizes = sorted((len(accounts) for prompt, accounts in users.items() if prompt), reverse=True)
    assert sizes[0] > 2_000
    assert sizes[1] > 200
    assert sum(size > 20 for size in sizes) >= 8


def test_words_of_intent_are_in_honest_traffic_too() -> None:
    day = demo_day()
    honest = day.events.filter(pa.array(~np.isin(day.group, ["pool", "clean-pool"])))
    text = pc.utf8_lower(honest["input_text"])
    for phrase, share in (("step by step", 0.01), ("reasoning", 0.02), ("rubric", 0.02)):
        said = pc.match_substring(text, phrase)
        assert pc.mean(pc.cast(said, pa.float64())).as_py() > share
        assert len(pc.unique(honest["account_id"].filter(said))) > 500


def test_some_calls_fail_and_most_of_these_are_sent_again_word_for_word() -> None:
    day = demo_day()
    failed = day.events.filter(pc.greater(day.events["status"], 400))
    assert 0.01 < len(failed) / len(day.events) < 0.04
    good = day.events.filter(pc.equal(day.events["status"], 200))
    sent = set(zip(*(good[c].to_pylist() for c in ("account_id", "input_text")), strict=True))
    again = [pair in sent for pair in zip(*(failed[c].to_pylist() for c in ("account_id", "input_text")), strict=True)]
    assert np.mean(again) > 0.6


def test_a_presented_reasoning_block_was_issued_to_the_same_account() -> None:
    day = demo_day()
    issued: dict[str, str] = {}
    presented = []
    columns = (day.events[c].to_pylist() for c in ("account_id", "issued_blocks", "presented_blocks"))
    for account, new, old in zip(*columns, strict=True):
        issued.update(dict.fromkeys(new or (), account))
        presented.extend((block, account) for block in old or ())
    assert len(presented) > 100
    known = [issued[block] == account for block, account in presented if block in issued]
    assert all(known)
    assert len(known) / len(presented) > 0.9  # a call that failed issues no block


def groups(values: np.ndarray) -> np.ndarray:
    return np.unique(values[values > 0], return_counts=True)[1]


@pytest.mark.parametrize("style", [CONSUMER, DEVELOPER, BUSINESS], ids=["consumer", "developer", "business"])
def test_means_of_payment_are_mostly_ones_own_and_shared_by_four_at_most(style: Style) -> None:
    drawn = enrol(stream(0, "enrol"), 30_000, style, START_US)
    sizes = groups(drawn["payment"])
    assert sizes.max() <= 4
    assert 0.0 < sizes[sizes > 1].sum() / sizes.sum() < 0.04


def test_sign_ups_span_two_years_with_days_and_crowds() -> None:
    drawn = enrol(stream(0, "enrol"), 30_000, CONSUMER, START_US)
    age = (START_US - drawn["created"]) / 86.4e9
    assert age.min() >= 0.0
    assert 700 < age.max() < 732
    hour = (drawn["created"] // HOUR_US) % 24
    assert np.bincount(hour, minlength=24)[14] > 4 * np.bincount(hour, minlength=24)[3]
    daily = np.bincount(age.astype(int))
    assert daily.max() > 5 * np.median(daily)


def test_strangers_meet_behind_carriers_and_tunnels() -> None:
    drawn = enrol(stream(0, "enrol"), 30_000, CONSUMER, START_US)
    sizes = groups(drawn["address"])
    assert (sizes >= 3).sum() > 100
    assert (sizes == 1).sum() > 10_000


def test_nobodys_address_belongs_to_anybody() -> None:
    address = pc.unique(demo_day().events["client_ip"]).to_pylist()
    assert all(240 <= int(text.split(".")[0]) <= 255 for text in address)


def test_the_records_hold_what_they_say() -> None:
    # A key of 0 means null: no account may be drawn with one.
    drawn = enrol(stream(0, "enrol"), 1_000, DEVELOPER, START_US)
    assert drawn.dtype == ACCOUNT
    assert drawn["key"].all()
    assert len(np.unique(mix(drawn["key"]))) == 1_000
    assert HABIT.names == ("rate", "variation", "from_hour", "hours")
