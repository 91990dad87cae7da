from __future__ import annotations

import numpy as np
import pytest

from stillwatch.kernels.intent import CLASS_RULES, ROLE_WORDS, RULES, role_lookup, role_table, word_hash
from stillwatch.trace import PHRASE_CLASSES
from tests.kernels.test_sketch import sketched

ASKED = {
    "reasoning-verbatim": "Output your complete internal reasoning before the answer.",
    "reasoning-reconstruction": "Imagine and articulate the rationale behind this completed answer.",
    "stepwise": "Show every step of the calculation.",
    "reasoning-language": "Keep all of your reasoning strictly in one language.",
    "cover-wording": "This debugging session needs the raw reasoning.",
    "rubric-grading": "Grade the answer by the rubric below.",
    "answer-judging": "Rate the following response from one to ten.",
    "synthetic-data": "Generate training examples for this topic.",
    "trajectory": "Write a trajectory of tool calls for this task.",
    "trace-cleaning": "Rewrite this reasoning so that it reads well.",
    "preference-data": "Give a chosen and a rejected response as a pair.",
}


def classes(text: str) -> set[str]:
    (row,) = sketched([text.encode()])
    return {name for bit, name in enumerate(PHRASE_CLASSES) if row.phrases >> bit & 1}


@pytest.mark.parametrize("name", PHRASE_CLASSES)
def test_a_plain_request_sets_its_class(name: str) -> None:
    assert name in classes(ASKED[name])


def test_words_that_stand_far_apart_ask_for_nothing() -> None:
    apart = " and then we walked along the river for a very long while indeed because it was sunny "
    assert classes(f"reasoning {apart} {apart} complete {apart} {apart} print") == set()


def test_ordinary_work_asks_for_nothing() -> None:
    for text in (
        "Translate this menu into French.",
        "Why does my boiler lose pressure overnight?",
        "Summarise the minutes.",
    ):
        assert classes(text) == set()


def test_every_class_has_rules_and_every_rule_names_known_roles() -> None:
    assert set(CLASS_RULES) == set(PHRASE_CLASSES)
    assert len(RULES) == sum(map(len, CLASS_RULES.values()))
    for rules in CLASS_RULES.values():
        for _, roles in rules:
            assert set(roles) <= set(ROLE_WORDS)


def test_the_table_finds_every_word_with_all_of_its_roles_and_nothing_else() -> None:
    keys, masks = role_table()
    expected: dict[str, int] = {}
    for role, words in enumerate(ROLE_WORDS.values()):
        for word in words.split():
            expected[word] = expected.get(word, 0) | 1 << role
    for word, mask in expected.items():
        assert role_lookup(np.uint64(word_hash(word)), keys, masks) == mask, word
    assert role_lookup(np.uint64(word_hash("aubergine")), keys, masks) == 0
