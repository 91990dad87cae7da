from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.kernels.bits import bit_sums
from stillwatch.signals import population_homogeneity as signal
from stillwatch.signals.contract import Mark, Panel
from tests.naive import population_homogeneity as twin
from tests.signals.panels import panel

WORDS, BITS_OF_A_CALL = 64, 6

pools = st.dictionaries(
    st.integers(0, 11), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=10), min_size=2, max_size=8
)


@settings(max_examples=40)
@given(pools)
def test_sums_of_topic_bits_and_their_correlation_are_those_of_the_slow_twin(topics: dict[int, list[int]]) -> None:
    names = sorted(topics)
    account = np.concatenate([np.full(len(topics[name]), at) for at, name in enumerate(names)])
    topic = np.array([call for name in names for call in topics[name]], dtype=np.uint64)
    sums, sizes = bit_sums(topic, account, len(names)), np.bincount(account).astype(float)
    expected = twin.bit_sums(topics)
    assert sums.tolist() == [expected[name] for name in names]
    assert sizes.tolist() == [len(topics[name]) for name in names]
    fold = np.array(names) % 3
    found = signal.intraclass(sums, sizes, fold)
    assert found == pytest.approx(twin.intraclass(topics, {name: name % 3 for name in names}), rel=1e-6, abs=1e-9)


def pool(accounts: int, calls: int, concentration: float, seed: int) -> Panel:
    """Accounts draw the words of their calls; the smaller the concentration, the more each has its own."""
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.full(WORDS, concentration), size=accounts)
    account = np.repeat(np.arange(accounts), calls)
    topic = [
        sum(1 << int(word) for word in set(rng.choice(WORDS, BITS_OF_A_CALL, p=taste[who]).tolist())) for who in account
    ]
    return panel(account, topic=np.array(topic, dtype=np.uint64))


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.score is not None
    return mark


def test_shards_of_one_queue_are_alike_and_customers_are_not() -> None:
    shards = concluded(pool(80, 20, 1e6, seed=1))
    customers = concluded(pool(80, 20, 0.3, seed=1))
    assert shards.score > 0.5
    assert shards.evidence
    assert customers.score < 0.4
    assert customers.counter_evidence
    assert customers.score < shards.score


def test_an_accounts_own_preamble_does_not_make_it_differ() -> None:
    plain = pool(40, 20, 1e6, seed=2)
    own = np.uint64(1) << (plain.calls.account % 64).astype(np.uint64)
    with_preambles = panel(plain.calls.account, topic=plain.calls.topic | own)
    assert concluded(with_preambles).score == pytest.approx(concluded(plain).score, abs=0.1)


def test_few_calls_give_less_certainty_and_not_more_suspicion() -> None:
    assert concluded(pool(10, 3, 1e6, seed=3)).score < concluded(pool(120, 40, 1e6, seed=3)).score


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel(np.repeat(np.arange(20), 3)))
    assert isinstance(said, Skipped)
    assert "topic" in said.reason


def test_accounts_that_all_send_one_text_cannot_be_told_apart_by_topic() -> None:
    said = signal.conclude(panel(np.repeat(np.arange(12), 4), topic=np.full(48, 0b1011, dtype=np.uint64)))
    assert isinstance(said, Skipped)
    assert "about the same" in said.reason
