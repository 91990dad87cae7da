from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import extraction_intent as signal
from stillwatch.signals.contract import Mark, Panel
from stillwatch.trace import FLAG_LOGPROBS, PHRASE_CLASSES
from tests.naive import extraction_intent as twin
from tests.signals.panels import panel

said_by_call = st.lists(st.sets(st.sampled_from(PHRASE_CLASSES)), min_size=1, max_size=30)


def bits(said: set[str]) -> int:
    return sum(1 << PHRASE_CLASSES.index(name) for name in said)


@settings(max_examples=100)
@given(said_by_call)
def test_shares_and_score_are_those_of_the_slow_twin(calls: list[set[str]]) -> None:
    shares = signal.class_shares(np.array([bits(said) for said in calls], dtype=np.uint32))
    expected = twin.class_shares(calls, PHRASE_CLASSES)
    assert shares.tolist() == pytest.approx(list(expected.values()))
    score, leading = signal.intent_score(shares)
    expected_score, expected_leading = twin.intent_score(expected, signal.CLASS_WEIGHT)
    assert score == pytest.approx(expected_score)
    assert [PHRASE_CLASSES[c] for c in leading] == expected_leading


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.score is not None
    return mark


def asking(name: str, share: float, **columns: object) -> Panel:
    """A family that is a thousandth of what its accounts send, so that only its words and parameters count."""
    phrases = np.where(np.arange(100) < 100 * share, bits({name}), 0)
    return panel(np.arange(100) % 10, phrases=phrases, account_calls=[10_000] * 10, **columns)  # type: ignore[arg-type]


def test_a_skeleton_that_asks_for_reasoning_scores_and_says_so() -> None:
    mark = concluded(asking("reasoning-verbatim", 1.0))
    assert mark.score >= 0.9
    assert "reasoning-verbatim in 100%" in mark.evidence[0].statement


def test_what_only_training_wants_weighs_more_than_what_students_want() -> None:
    assert concluded(asking("reasoning-verbatim", 0.4)).score > concluded(asking("stepwise", 0.4)).score


def test_parameters_add_to_a_score_and_make_none() -> None:
    habits = {"choice_count": np.full(100, 8), "flags": np.full(100, FLAG_LOGPROBS), "max_tokens": np.full(100, 32_000)}
    assert concluded(asking("synthetic-data", 0.5, **habits)).score > concluded(asking("synthetic-data", 0.5)).score
    assert concluded(asking("synthetic-data", 0.0, **habits)).score < 0.001


def test_calls_that_ask_for_nothing_speak_against() -> None:
    mark = concluded(asking("stepwise", 0.05))
    assert mark.score < 0.001
    assert mark.counter_evidence


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3), st.integers(0, 900)), min_size=1, max_size=30),
    st.lists(st.integers(1, 40), min_size=5, max_size=5),
)
def test_what_a_harvest_does_is_what_the_slow_twin_says(calls: list[tuple[int, int, int]], sent: list[int]) -> None:
    account, turns, tokens = (np.array(column) for column in zip(*calls, strict=True))
    found = signal.harvest(panel(account, accounts_count=5, turn_index=turns, output_tokens=tokens, account_calls=sent))
    plain = [(str(of), None if turn < 0 else turn, output) for of, turn, output in calls]
    expected = twin.harvest(plain, {str(at): sent[at] for at in range(5)}, signal.LONG_OUTPUT_TOKENS)
    assert found == pytest.approx(expected)


def test_accounts_that_only_send_single_questions_for_long_answers_need_no_word_of_it() -> None:
    each = np.arange(400) % 20
    long = {"turn_index": np.zeros(400), "output_tokens": np.full(400, 1_500)}
    mark = concluded(panel(each, **long))
    assert mark.score == pytest.approx(0.8 * 1.1), "no conversation is ever continued, which is a habit as well"
    assert "no phrase of extraction that is known" in mark.evidence[0].statement
    assert concluded(panel(each, **{**long, "turn_index": np.arange(400) % 3})).score < 0.5 * mark.score
    assert concluded(panel(each, **{**long, "output_tokens": np.full(400, 60)})).score < 0.6 * mark.score
    assert concluded(panel(each, account_calls=[200] * 20, **long)).score < 0.2 * mark.score


def test_blocks_that_chose_the_family_do_not_test_it() -> None:
    tested = np.arange(100) >= 50
    assert concluded(asking("reasoning-verbatim", 0.5, tested=tested)).score < 0.001


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel([0, 1], tested=[False, False]))
    assert isinstance(said, Skipped)
    assert "tested" in said.reason
