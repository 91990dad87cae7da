"""The whole language of the simulated world: every rule and word list, compiled."""

from __future__ import annotations

from functools import cache

import numpy as np

from stillwatch.lab.grammar import SCOPES, Grammar, Rows
from stillwatch.lab.streams import mix
from stillwatch.lab.words import (
    elicitation,
    general,
    harvest,
    licensed,
    life,
    prompts,
    recast,
    relayed,
    research,
    science,
    sentences,
    services,
    templates,
    work,
    workloads,
)

TOPICS = (
    work.SOFTWARE, work.DATA, work.FINANCE, work.LAW,
    science.HEALTH, science.BIOLOGY, science.PHYSICS, science.LOGISTICS,
    life.MARKETING, life.EDUCATION, life.COOKING, life.FICTION,
)  # fmt: skip

SOFTWARE, DATA, FINANCE, LAW, HEALTH, BIOLOGY, PHYSICS, LOGISTICS, MARKETING, EDUCATION, COOKING, FICTION = range(12)

RULE_SETS = (
    sentences.RULES, prompts.RULES, templates.RULES, workloads.RULES, elicitation.RULES,
    services.RULES, research.RULES, licensed.RULES,
    harvest.RULES, recast.RULES, relayed.RULES,
)  # fmt: skip


PHRASES = 8_000
"""Ready-made noun phrases for each topic: a phrase returns about as often as in real text, and a text
is written in a third of the time."""


@cache
def language() -> Grammar:
    """Return the compiled grammar; the same object each time."""
    rules: dict[str, tuple[str, ...]] = {}
    for rule_set in RULE_SETS:
        assert not rules.keys() & rule_set.keys(), "two rules share a name"
        rules.update(rule_set)
    words = general.word_lists()
    topics = [{kind: _split(text) for kind, text in topic.items()} for topic in TOPICS]
    phrase = {"np": rules.pop("np")}
    drafter = Grammar(phrase, words, topics)
    for number, topic in enumerate(topics):
        keys = np.tile(np.arange(PHRASES, dtype=np.uint64), (len(SCOPES), 1))
        about = np.full(PHRASES, number)
        rows = Rows(np.full(PHRASES, drafter.symbol("np")), about, about, mix(keys, number))
        topic["np"] = tuple(drafter.write(rows).to_pylist())
    return Grammar(rules, words, topics)


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())
