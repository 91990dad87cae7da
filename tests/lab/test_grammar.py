from __future__ import annotations

import numpy as np
import pytest

from stillwatch.lab.grammar import SCOPES, Grammar, Rows
from stillwatch.lab.streams import mix
from stillwatch.lab.words.language import language

WORDS = {"digit": tuple("0123456789")}
TOPICS = [{"noun": ("cat", "dog", "hen", "fox")}, {"noun": ("oak", "elm", "ash", "fir")}]


def write(grammar: Grammar, rule: str, count: int = 50, topic: int = 0, **keys: int) -> list[str | None]:
    columns = np.empty((len(SCOPES), count), np.uint64)
    for at, scope in enumerate(SCOPES):
        columns[at] = keys[scope] if scope in keys else mix(np.arange(count, dtype=np.uint64), at)
    root = grammar.symbol(rule) if rule else -1
    return grammar.write(Rows(np.full(count, root), np.full(count, topic), np.full(count, 1), columns)).to_pylist()


def test_a_text_is_the_literals_and_words_of_its_rule_in_order() -> None:
    grammar = Grammar({"greeting": ("Hello {noun}, {pair}!",), "pair": ("{digit}-{digit}",)}, WORDS, TOPICS)
    for text in write(grammar, "greeting"):
        assert text is not None
        head, tail = text.split(", ")
        assert head.removeprefix("Hello ") in TOPICS[0]["noun"]
        assert [len(part) for part in tail.removesuffix("!").split("-")] == [1, 1]


def test_words_follow_the_topic_and_an_accounts_words_the_accounts_topic() -> None:
    grammar = Grammar({"both": ("{noun} {noun@account}",)}, WORDS, TOPICS)
    for text in write(grammar, "both", topic=0):
        assert text is not None
        mine, theirs = text.split()
        assert mine in TOPICS[0]["noun"]
        assert theirs in TOPICS[1]["noun"]


def test_one_item_reads_the_same_in_every_call_and_another_item_differently() -> None:
    grammar = Grammar({"task": ("{run@item}",), "run": ("{digit}{digit}{digit}{digit}{digit}{digit}",)}, WORDS, TOPICS)
    assert len(set(write(grammar, "task", item=5))) == 1
    assert len(set(write(grammar, "task"))) > 40


def test_a_labelled_draw_is_one_word_wherever_it_stands() -> None:
    grammar = Grammar({"twice": ("{digit@item.1} {digit@item.1} {digit@item.2}",)}, WORDS, TOPICS)
    texts = [str(text).split() for text in write(grammar, "twice")]
    assert all(first == second for first, second, _ in texts)
    assert any(first != third for first, _, third in texts)


def test_no_root_gives_no_text() -> None:
    grammar = Grammar({"greeting": ("Hello",)}, WORDS, TOPICS)
    assert write(grammar, "") == [None] * 50


def test_a_grammar_that_calls_itself_is_refused() -> None:
    with pytest.raises(AssertionError, match="calls itself"):
        Grammar({"loop": ("again {loop}",)}, WORDS, TOPICS)


def test_a_misspelt_symbol_is_refused() -> None:
    with pytest.raises(AssertionError, match="no rule or word list"):
        Grammar({"greeting": ("{nuon}",)}, WORDS, TOPICS)


def test_free_text_hardly_ever_returns() -> None:
    texts = write(language(), "paragraph", count=20_000)
    assert len(set(texts)) == 20_000


def test_every_topic_has_some_two_hundred_content_words_of_its_own() -> None:
    grammar = language()
    for topic in range(12):
        words = {word for kind in ("noun", "adj", "verb") for word in write(grammar, kind, 20_000, topic)}
        assert len(words) > 180


def test_a_private_prompt_is_its_authors_own_and_its_fill_the_items() -> None:
    grammar = language()
    same_author = [str(text) for text in write(grammar, "private_prompt", 40, author=0, template=11)]
    assert len({text[-12:] + text[:12] for text in same_author}) < 41
    heads = {str(text)[:60] for text in write(grammar, "private_prompt", 2_000)}
    assert len(heads) > 1_700
