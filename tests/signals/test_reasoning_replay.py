from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch import trace
from stillwatch.finding import Skipped
from stillwatch.signals import reasoning_replay as signal
from stillwatch.signals.contract import Mark, Panel
from tests.naive import reasoning_replay as twin
from tests.signals.panels import panel

LOGGED = frozenset({"presented_blocks", "issued_blocks"})


def presenting(account: np.ndarray, issuer: np.ndarray, **more: np.ndarray) -> Panel:
    flags = np.full(len(account), trace.FLAG_PRESENTS)
    return replace(panel(account, flags=flags, issuer=issuer, **more), available=LOGGED)  # type: ignore[arg-type]


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is not None
    assert mark.score is not None
    return mark


calls = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0, 0, 101, 102, 103, 104])), min_size=1, max_size=40)


@given(calls, st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_it_counts_and_leaves_out_like_the_slow_twin(made: list[tuple[int, int]], organization: list[int]) -> None:
    account, issuer = np.array(made).T
    found = presenting(account, issuer, accounts_count=7, organizations=np.array(organization))  # type: ignore[arg-type]
    mark = signal.conclude(found)
    owner = [f"org {of}" if of else f"account {at}" for at, of in enumerate(organization)]
    rows = [(str(a), owner[a], str(i) if i else None) for a, i in made]
    presenters, replayers, issuers = twin.count_replays([(o, i) for _, o, i in rows])
    assert isinstance(mark, Mark)
    expected = signal.log_e_of(min(replayers, issuers), len(made))
    assert mark.log_e == pytest.approx(expected)
    assert mark.score == pytest.approx(signal.replay_score(signal.Replays(presenters, replayers, issuers)))
    assert mark.log_e_without is not None
    for account_left in range(7):
        left = twin.without(rows, str(account_left))
        _, replayers, issuers = twin.count_replays(left)
        log_e = signal.log_e_of(min(replayers, issuers), len(left))
        assert mark.log_e_without[account_left] == pytest.approx(log_e)


@pytest.mark.parametrize(("accidents", "calls"), [(1, 10), (3, 200), (12, 90_000), (40, 100)])
def test_so_many_accidents_are_as_unlikely_as_in_the_slow_twin(accidents: int, calls: int) -> None:
    assert signal.log_p(accidents, calls) == pytest.approx(twin.log_p(accidents, calls), rel=1e-9)


@pytest.mark.parametrize(
    ("flag", "column", "said"),
    [
        (trace.FLAG_PRESENTS, "issuer", "60 of 60 owners presented reasoning that 50 others were issued"),
        (trace.FLAG_ISSUES, "taker", "50 others presented reasoning that 60 of 60 owners were issued"),
    ],
    ids=["those-who-decode", "those-who-were-issued-it"],
)
def test_a_pool_that_decodes_the_reasoning_of_another_is_found_at_two_calls_an_account(
    flag: int, column: str, said: str
) -> None:
    account = np.repeat(np.arange(60), 2)
    made = panel(account, flags=np.full(120, flag), **{column: 1_000 + np.arange(120) % 50})  # type: ignore[arg-type]
    mark = concluded(replace(made, available=LOGGED))
    assert mark.log_e > 100
    assert mark.score == signal.SCORE_FULL
    assert said in mark.evidence[0].statement
    assert mark.linked is not None
    assert mark.linked.all()


def test_an_account_is_linked_by_what_it_presented_in_any_block_of_time() -> None:
    account = np.repeat(np.arange(60), 2)
    found = presenting(account, 1_000 + np.arange(120) % 50, tested=account % 2 == 0)
    mark = concluded(found)
    assert mark.linked is not None
    assert mark.linked.all()


def test_reasoning_that_one_owner_took_from_many_is_one_accident() -> None:
    account = np.repeat(np.arange(60), 2)
    made = panel(account, flags=np.full(120, trace.FLAG_ISSUES), taker=np.full(120, 1_000))
    mark = concluded(replace(made, available=LOGGED))
    assert mark.score < 0.02


def test_both_sides_of_one_family_weigh_as_their_mean() -> None:
    account = np.repeat(np.arange(40), 2)
    flags = np.tile([trace.FLAG_PRESENTS, trace.FLAG_ISSUES], 40)
    issuer = np.where(np.tile([True, False], 40), 2_000 + account, 0)
    both = concluded(replace(panel(account, flags=flags, issuer=issuer), available=LOGGED))
    one = concluded(presenting(np.arange(40), 2_000 + np.arange(40)))
    nothing = signal.log_e_of(0, 40)
    assert both.log_e == pytest.approx(np.logaddexp(one.log_e, nothing) - np.log(2))
    assert both.score == one.score


def test_a_transcript_that_went_round_is_one_accident() -> None:
    mark = concluded(presenting(np.arange(80), np.full(80, 1_000)))
    assert mark.score < 0.01
    assert not mark.evidence or mark.evidence[0].p_value is not None
    assert mark.log_e < np.log(100)


def test_a_key_that_moved_is_one_accident() -> None:
    account = np.repeat(np.arange(50), 4)
    mark = concluded(presenting(account, np.where(account == 7, 900 + np.arange(200), 0)))
    assert mark.score < 0.01
    assert mark.log_e < np.log(100)


def test_replay_among_much_honest_use_of_a_harness_scores_little() -> None:
    account = np.repeat(np.arange(400), 5)
    mark = concluded(presenting(account, np.where(account < 20, 2_000 + account, 0)))
    assert 0 < mark.score < 0.2
    assert mark.log_e > np.log(1_000)


def test_only_tested_calls_count() -> None:
    account = np.repeat(np.arange(40), 2)
    tested = np.tile([True, False], 40)
    mark = concluded(presenting(account, np.where(tested, 0, 3_000 + account), tested=tested))
    assert mark.score == 0
    assert mark.counter_evidence


def test_it_says_why_it_cannot_run() -> None:
    without_blocks = signal.conclude(panel(np.arange(30)))
    assert isinstance(without_blocks, Skipped)
    assert "presents" in without_blocks.reason
    unissued = replace(presenting(np.arange(30), np.zeros(30, dtype=int)), available=frozenset({"presented_blocks"}))
    said = signal.conclude(unissued)
    assert isinstance(said, Skipped)
    assert "issued" in said.reason
