"""A campaign that words its template anew for each small part of its pool is one hypothesis; strangers are not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from stillwatch.campaign.kin import BUCKET_FAMILIES_MAX, LINKS_MAX, kindred, links
from stillwatch.campaign.likeness import (
    EXCHANGEABLE_P_MIN,
    HELD_MAX,
    ITEMS_MAX,
    LINK_OWNERS_MAX,
    TOPICS_MAX,
    Likeness,
    alike,
    common_share,
    energy_distance,
    exchange_p,
    picked_sums,
    topic_bits,
)
from tests.campaign.test_pools import pool
from tests.naive import kin as twin
from tests.signals.panels import panel, shared_values

Holding = tuple[int, int, int]

WORDS_A_CALL = 12


def calls_about(rng: np.random.Generator, words: np.ndarray, count: int) -> np.ndarray:
    """Draw calls of some words each, every word a bucket of 64."""
    drawn = rng.choice(words, (count, WORDS_A_CALL)).astype(np.uint64)
    return np.bitwise_or.reduce(np.uint64(1) << drawn, axis=1)


def subject(rng: np.random.Generator, words: int) -> np.ndarray:
    return rng.integers(0, 64, words)


def likeness(
    topics: np.ndarray | None = None, items: list[int] | None = None, held: list[Holding] | None = None,
    template: int = 0, name: str = "f-1", owners: int = 12,
) -> Likeness:  # fmt: skip
    rows = sorted(held or [])
    value, holder, degree = (np.array([row[at] for row in rows], dtype=np.int64) for at in range(3))
    none = np.zeros(0, np.uint64)
    return Likeness(
        name, owners, none if topics is None else topics, template, np.array(sorted(items or []), dtype=np.uint64),
        none, value.astype(np.uint64), holder.astype(np.uint64), degree,
    )  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=12), st.data())
def test_the_energy_distance_is_that_of_all_pairs_of_calls(topics: list[int], data: st.DataObject) -> None:
    taken = data.draw(st.integers(1, len(topics) - 1))
    template = data.draw(st.integers(0, 255))
    bits = [bit for bit in range(64) if not template >> bit & 1]
    shown = topic_bits(np.array(topics, dtype=np.uint64), template)
    found = energy_distance(shown[None, :taken].sum(axis=1, dtype=np.float64), taken, shown)
    assert found[0] == pytest.approx(twin.energy_distance(topics[:taken], topics[taken:], bits))


@settings(max_examples=60)
@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_common_items_are_those_of_the_whole_sets(first: set[int], second: set[int]) -> None:
    found = common_share(*(np.array(sorted(of), dtype=np.uint64) for of in (first, second)))
    assert found == pytest.approx(twin.common_share(first, second))


def test_picked_bits_are_added_up_as_by_hand() -> None:
    rng = np.random.default_rng(1)
    drawn, bits = rng.random((9, 40)), rng.integers(0, 2, (40, 7)).astype(np.float32)
    by_hand = [[bits[np.argsort(row)[:15], bit].sum() for bit in range(7)] for row in drawn]
    assert picked_sums(drawn, 15, bits).tolist() == by_hand


def test_common_items_of_large_families_are_estimated_from_their_smallest_hashes() -> None:
    rng = np.random.default_rng(3)
    stock = rng.permutation(np.unique(rng.integers(0, 2**63, 40_000)))
    first, second = stock[:30_000], np.concatenate([stock[24_000:30_000], stock[30_000:36_000]])
    kept = [np.sort(of)[:ITEMS_MAX].astype(np.uint64) for of in (first, second)]
    assert common_share(*kept) == pytest.approx(0.5, abs=0.12)


def test_parts_of_one_list_pass_for_one_population_but_for_the_stated_share() -> None:
    """Four hundred pairs: a rate of 0.02 stays below 0.041 with three standard errors."""
    lost = 0
    for seed in range(400):
        rng = np.random.default_rng([seed, 5])
        words = subject(rng, 400)
        parts = [likeness(calls_about(rng, words, 110), name=name) for name in ("f-1", "f-2")]
        p_value = exchange_p(*parts, seed=0)
        assert p_value is not None
        lost += p_value <= EXCHANGEABLE_P_MIN
    assert lost / 400 <= EXCHANGEABLE_P_MIN + 3 * np.sqrt(0.02 * 0.98 / 400)


@pytest.mark.parametrize("story", ["another subject", "everybody has a subject"])
def test_other_subjects_are_told_apart(story: str) -> None:
    """Ninety-five of a hundred pairs, with 110 calls of a dozen accounts each."""
    apart = 0
    for seed in range(100):
        rng = np.random.default_rng([seed, 6])
        drawn = []
        for _ in range(2):
            if story == "another subject":
                drawn.append(calls_about(rng, subject(rng, 400), 110))
            else:
                drawn.append(np.concatenate([calls_about(rng, subject(rng, 25), 10) for _ in range(11)]))
        p_value = exchange_p(likeness(drawn[0]), likeness(drawn[1], name="f-2"), seed=0)
        apart += p_value is not None and p_value <= EXCHANGEABLE_P_MIN
    assert apart >= 95


def test_wording_of_the_template_is_not_compared_and_two_long_ones_leave_nothing_to() -> None:
    rng = np.random.default_rng(8)
    words = subject(rng, 400)
    first, second = 0xFFFF, 0xFFFF << 16
    parts = [
        likeness(calls_about(rng, words, 200) | np.uint64(set_by), template=set_by, name=name)
        for set_by, name in ((first, "f-1"), (second, "f-2"))
    ]
    assert alike(*parts, seed=0)
    long = likeness(parts[1].topics | np.uint64(2**64 - 2**16), template=2**64 - 2**16, name="f-3")
    assert exchange_p(parts[0], long, seed=0) is None


def test_the_order_of_two_families_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    first = likeness(calls_about(rng, subject(rng, 90), 200))
    second = likeness(calls_about(rng, subject(rng, 90), 100), name="f-2")
    assert exchange_p(first, second, seed=4) == exchange_p(second, first, seed=4)


def test_families_that_ask_the_same_are_no_parts_of_one_list() -> None:
    rng = np.random.default_rng(10)
    topics, items = calls_about(rng, subject(rng, 400), 200), rng.integers(1, 2**62, 300).tolist()
    assert alike(likeness(topics, items[:150]), likeness(topics[::-1], items[150:], name="f-2"), seed=0)
    assert not alike(likeness(topics, items[:150]), likeness(topics[::-1], items[140:], name="f-2"), seed=0)


def test_two_names_of_the_same_calls_are_no_parts_of_one_list() -> None:
    """A harness and a template inside it name items by the text and by the fill: nothing in common but the calls."""
    rng = np.random.default_rng(11)
    account = np.repeat(np.arange(20), 20)
    drawn = panel(
        account, tested=rng.random(400) < 0.4, item=rng.integers(1, 2**60, 400),
        topic=calls_about(rng, subject(rng, 400), 400),
    )  # fmt: skip
    other = replace(drawn, group_id="f-2", calls=replace(drawn.calls, item=drawn.calls.item + np.uint64(1)))
    assert not alike(Likeness.of(drawn), Likeness.of(other), seed=0)
    apart = replace(other, accounts=other.accounts + np.uint64(1))
    assert alike(Likeness.of(drawn), Likeness.of(apart), seed=0)


holdings = st.sets(st.tuples(st.integers(1, 9), st.integers(1, 15)), max_size=8)
drawn_families = st.lists(st.tuples(holdings, st.sets(st.integers(1, 40), min_size=1, max_size=12)), max_size=6)


@settings(max_examples=150)
@given(drawn_families, st.sampled_from([30, 3_000, 100_000]), st.integers(2, 12))
def test_families_are_linked_as_by_the_slow_twin(
    drawn: list[tuple[set[tuple[int, int]], set[int]]], owners_count: int, degree: int
) -> None:
    held = [{(value, who, degree + value) for value, who in of} for of, _ in drawn]
    accounts = [of for _, of in drawn]
    found, _ = links(
        [likeness(held=list(rows), owners=len(of)) for rows, of in zip(held, accounts, strict=True)],
        [pool(list(of)) for of in accounts],
        owners_count,
    )
    pairs = {(int(a), int(b)) for a, b in zip(*found.nonzero(), strict=True)}
    assert pairs == twin.links(held, accounts, owners_count, BUCKET_FAMILIES_MAX)


def test_a_value_that_everybodys_families_hold_links_none_and_is_told() -> None:
    count = BUCKET_FAMILIES_MAX + 1
    found, saturated = links(
        [likeness(held=[(7, at, 32)]) for at in range(count)], [pool([1_000 + at]) for at in range(count)], 10**6
    )
    assert found.nnz == 0
    assert saturated == {"kin_bucket_families_max": count}


def test_of_too_many_links_the_surest_are_kept() -> None:
    count = 120
    held: list[list[Holding]] = [[(1, 10_000 + at, 16)] if at < 64 else [] for at in range(count)]
    for at in range(64, 84):
        held[at] = [(value, 10_000 + at, 20) for value in range(2, 9)]
    accounts = [[1, 2, 3, 4, 100 + at] for at in range(count)]
    families = [likeness(held=rows) for rows in held]
    pools = [pool(of, name=f"f-{at:03d}") for at, of in enumerate(accounts)]
    found, saturated = links(families, pools, 10**6)
    assert saturated == {"kin_links_max": count * (count - 1) // 2}
    assert found.nnz == 2 * LINKS_MAX
    surest = found[64:84, 64:84]
    assert surest.nnz == 20 * 19, "who shares seven rare cards comes before who shares one, or accounts"


@settings(max_examples=100)
@given(st.integers(0, 7), st.data())
def test_families_are_gathered_as_by_the_slow_twin(count: int, data: st.DataObject) -> None:
    pairs = list(combinations(range(count), 2))
    linked = {pair for pair in pairs if data.draw(st.booleans())}
    like = {pair for pair in pairs if data.draw(st.booleans())}
    calls = [data.draw(st.integers(1, 3)) for _ in range(count)]
    table = np.zeros((count, count))
    for a, b in linked:
        table[a, b] = table[b, a] = 1
    pools = [pool([100 + at], calls[at], f"f-{at}") for at in range(count)]

    def is_alike(a: int, b: int) -> bool:
        return (min(a, b), max(a, b)) in like

    groups, saturated = kindred(pools, sparse.csr_matrix(table), is_alike)
    both_ways = linked | {(b, a) for a, b in linked}
    names = [each.group_id for each in pools]
    assert groups == twin.kindred(calls, names, both_ways, is_alike)
    assert saturated == {}


def test_a_likeness_is_small_and_reads_the_discovery_blocks_alone() -> None:
    rng = np.random.default_rng(12)
    calls, accounts = 6_000, 900
    tested = rng.random(calls) < 0.5
    account = np.concatenate([np.arange(accounts), rng.integers(0, accounts, calls - accounts)])
    held = shared_values("payment", [[at, at + 1] for at in range(accounts - 1)], [2] * (accounts - 1))
    crowd = shared_values("address", [list(range(40))], [LINK_OWNERS_MAX + 1])
    drawn = panel(
        account, tested=tested, item=rng.integers(1, 2**62, calls), topic=calls_about(rng, subject(rng, 99), calls) | 1,
        shared=(held, crowd),
    )  # fmt: skip
    kept = Likeness.of(drawn)
    assert len(kept.topics) == TOPICS_MAX
    assert len(kept.items) == ITEMS_MAX
    assert HELD_MAX - 2 <= len(kept.value) <= HELD_MAX
    assert kept.degree.max() == 2
    assert kept.template & 1
    assert set(kept.topics.tolist()) <= set(drawn.calls.topic[~drawn.calls.tested].tolist())
