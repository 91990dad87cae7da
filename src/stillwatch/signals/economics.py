"""Economics: what the calls take, and what they cost, is what a harvest of answers would take and cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Ints, Mark, Panel

IDENT = "economics"
FAMILY: Family = "intent"
NEEDS = frozenset({"output_tokens"})

AT_CAP = 0.98
"""Share of its cap from which an answer is taken to have been cut off by it."""

LONG_TOKENS = 548
VERY_LONG_TOKENS = 7_207
"""The published 95th percentiles of answers without and with reasoning (ServeGen, arXiv 2505.09999)."""

FREE_PLANS = (1, 2)
PLAN_PRICE_USD = {3: 20.0, 4: 20.0, 5: 200.0, 6: 30.0}
"""Codes of `engines.accounts.CODES["plan"]`: free, trial; and the monthly price of plus, pro, max and team, the flat
rates. Prices of 20 and 200 are in threat model 1.11; a seat of a team at 30 is our assumption."""

INPUT_USD = 3e-6
OUTPUT_USD = 15e-6
"""Price of a token where one pays for each: of the order of a large model's list price, our assumption."""

PRICE_MULTIPLE = 20.0
"""What a flat rate yields at most: usage worth 400 on a plan of 20 (threat model 1.11)."""

NEAR_QUOTA = 0.9
EVEN_CV = 0.5
"""Spends within a tenth of the largest are a plateau; honest customers differ by half their mean at least."""

ACCOUNTS_MIN = 8
CALLS_MIN = 30
REMARKABLE = 0.5

WEIGHT = {"capped": 0.25, "long": 0.25, "single": 0.1, "plateau": 0.2, "even": 0.1, "price": 0.1}
"""What each habit adds; one that the log does not show adds nothing. Single calls are what most programs make."""


class Habit(NamedTuple):
    """One habit between 0 and 1, its figure, and the sentence that says it."""

    name: str
    strength: float
    value: float
    statement: str


def conclude(panel: Panel) -> Mark | Skipped:
    """Score how much the family's answers and spends are those of a harvest, and count what it obtained so far.

    Sees:       answers cut off by their caps, very long answers, flat rates used up evenly by many accounts.
    Misled by:  agents, writers of long texts, a busy team on a flat rate: a score is never enough alone.
    Evaded by:  short answers, uneven use, paying for what is used.
    Source:     method S5 and S7; threat model 1.11 and 1.12.
    """
    calls = panel.calls
    answered = calls.tested & (calls.output_tokens > 0)
    if answered.sum() < CALLS_MIN:
        return Skipped(IDENT, f"fewer than {CALLS_MIN} tested calls whose answer's length is known")
    habits = [habit for habit in (*_answers(panel, answered), *_spends(panel)) if habit is not None]
    score = sum(WEIGHT[habit.name] * habit.strength for habit in habits)
    shown = [habit for habit in habits if habit.strength >= REMARKABLE]
    tokens, asked = int(calls.output_tokens.sum()), len(calls.account)
    figures = {"calls": float(asked), "output_tokens": float(tokens), "score": score}
    if not shown:
        median = float(np.median(calls.output_tokens[answered]))
        usual = Evidence(IDENT, f"answers of {median:.0f} tokens, spent as others spend", median, None, FAMILY)
        return Mark(IDENT, FAMILY, None, (), (usual,), score=score, figures=figures)
    taken = f"{asked} calls obtained {tokens} output tokens so far, {tokens / asked:.0f} a call"
    sentences = [Evidence(IDENT, taken, float(tokens), None, FAMILY)]
    sentences += [Evidence(IDENT, habit.statement, habit.value, None, FAMILY) for habit in shown]
    return Mark(IDENT, FAMILY, None, tuple(sentences), score=score, figures=figures)


def _answers(panel: Panel, answered: np.ndarray) -> list[Habit | None]:
    calls = panel.calls
    output = calls.output_tokens[answered]
    habits: list[Habit | None] = []
    limited = calls.max_tokens[answered] > 0
    if limited.sum() >= CALLS_MIN:
        share = capped_share(output[limited], calls.max_tokens[answered][limited])
        statement = f"{share:.0%} of the answers are cut off by the cap that was asked for"
        habits.append(Habit("capped", share, share, statement))
    median = float(np.median(output))
    statement = f"the median answer has {median:.0f} tokens; one in twenty has {LONG_TOKENS} elsewhere"
    habits.append(Habit("long", length_strength(median), median, statement))
    turns = calls.turn_index[calls.tested]
    if (turns >= 0).sum() >= CALLS_MIN:
        share = float((turns[turns >= 0] == 0).mean())
        statement = f"{share:.0%} of the calls begin a conversation, so hardly an answer is ever taken up"
        habits.append(Habit("single", max(0.0, 2 * share - 1), share, statement))
    return habits


def _spends(panel: Panel) -> list[Habit | None]:
    """Compare what accounts of one kind of plan take."""
    calls, plan = panel.calls, panel.facts.plan
    known = np.maximum(calls.input_tokens, 0)[calls.tested], calls.output_tokens[calls.tested]
    account = calls.account[calls.tested]
    given, taken = (np.bincount(account, tokens, len(panel.accounts)).astype(np.float64) for tokens in known)
    price = np.array([PLAN_PRICE_USD.get(code, 0.0) for code in plan.tolist()])
    flat, free = (price > 0) & (taken > 0), np.isin(plan, FREE_PLANS) & (taken > 0)
    habits: list[Habit | None] = []
    if flat.sum() >= ACCOUNTS_MIN:
        share = plateau(taken[flat])
        statement = f"{share:.0%} of {flat.sum()} flat-rate accounts took within a tenth of what the busiest took"
        habits.append(Habit("plateau", share, share, statement))
        worth = (given[flat] * INPUT_USD + taken[flat] * OUTPUT_USD) * _months_ahead(panel)
        multiple = float(np.median(worth / price[flat]))
        strength = float(np.clip(np.log(max(multiple, 1.0)) / np.log(PRICE_MULTIPLE), 0.0, 1.0))
        statement = f"the median flat-rate account takes {multiple:.0f} times its price in tokens at this pace"
        habits.append(Habit("price", strength, multiple, statement))
    if free.sum() >= ACCOUNTS_MIN:
        cv = spread(taken[free])
        statement = f"{free.sum()} free or trial accounts spend alike: they differ by {cv:.0%} of their mean"
        habits.append(Habit("even", max(0.0, 1 - cv / EVEN_CV), cv, statement))
    return habits


def capped_share(output: Ints, cap: Ints) -> float:
    """Return the share of answers that reach their cap.

    Twin:    tests/naive/economics.py::capped_share
    """
    return float((output >= AT_CAP * cap).mean())


def length_strength(median: float) -> float:
    """Return 0 for answers that are usual without reasoning and 1 for the longest with it, on a logarithmic scale."""
    return float(np.clip(np.log(max(median, 1.0) / LONG_TOKENS) / np.log(VERY_LONG_TOKENS / LONG_TOKENS), 0.0, 1.0))


def plateau(taken: Floats) -> float:
    """Return the share of accounts that took within a tenth of what the busiest took.

    Twin:    tests/naive/economics.py::plateau
    """
    return float((taken >= NEAR_QUOTA * taken.max()).mean())


def spread(taken: Floats) -> float:
    """Return the standard deviation of what accounts took over its mean.

    Twin:    tests/naive/economics.py::spread
    """
    return float(taken.std() / taken.mean())


def _months_ahead(panel: Panel) -> float:
    """Return how many times the tested time fits into a month of thirty days; a shorter log counts as a day."""
    population = panel.population
    tested_us = int(population.block_tested.sum()) * population.block_us
    return 30 * 86_400_000_000 / max(tested_us, 86_400_000_000 // 2)
