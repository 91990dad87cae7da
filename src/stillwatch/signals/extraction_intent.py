"""Extraction intent: what the skeleton asks for is what a student model is trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stillwatch import trace
from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Mark, Panel
from stillwatch.trace import PHRASE_CLASSES

IDENT = "extraction-intent"
FAMILY: Family = "intent"
NEEDS = frozenset({"system_prompt", "input_text"})

CLASS_WEIGHT = {
    "reasoning-verbatim": 1.0,
    "reasoning-reconstruction": 1.0,
    "reasoning-language": 0.9,
    "trace-cleaning": 0.9,
    "synthetic-data": 0.9,
    "trajectory": 0.9,
    "preference-data": 0.8,
    "cover-wording": 0.8,
    "rubric-grading": 0.7,
    "answer-judging": 0.5,
    "stepwise": 0.3,
}
"""How much a class says: what only training wants weighs most, what students and products want least."""

LONG_ANSWER_TOKENS = 4_096
"""An output cap at or above the published p99 of answers (ServeGen: 876) with room for reasoning."""

INTENT_ENOUGH = 0.5
"""Weighted share from which on wording says no more: wording is cheap to change."""

HARVEST_WEIGHT = 0.8
"""What a pool that does nothing but send single questions for long answers scores, whatever its words: less than one
that asks for reasoning outright."""

LONG_OUTPUT_TOKENS = 548
"""The published p95 of answers (ServeGen, largest model): one honest call in twenty gets more."""

PARAMETER_WEIGHT = 0.1
"""What each habit of the parameters adds; four habits together weigh almost half of what the wording does."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Score how much of the family's calls ask for training material: by phrase, by parameters, by what accounts do.

    Words can be chosen so that no lexicon knows them. What a harvest does is harder to hide: its accounts do little
    else, no answer is ever followed up, and answers are long.

    Sees:       reasoning elicitation, rubric grading, synthetic data, trajectories, trace cleaning, n-best, logprobs;
                accounts that send single questions for long answers and nothing else.
    Misled by:  honest judges, tutors, dataset makers and batch jobs: a score is never enough alone.
    Evaded by:  asking for none of it, among other traffic or in conversations (an organic relay).
    Source:     method S5; threat model 2.3 for the framings.
    """
    tested = panel.calls.tested
    if not tested.any():
        return Skipped(IDENT, "no calls in the tested blocks")
    if "input_text" not in panel.available and "system_prompt" not in panel.available:
        return Skipped(IDENT, "the log carries no prompts")
    shares = class_shares(panel.calls.phrases[tested])
    score, leading = intent_score(shares)
    extras = _parameters(panel)
    asked = min(1.0, score / INTENT_ENOUGH) if leading else 0.0
    devoted, single, long = harvest(panel)
    figures = {"asked": asked, "devoted": devoted, "single": single, "long": long, "habits": float(len(extras))}
    total = total_score(figures)
    done = (
        f"{devoted:.0%} of what the median account sends, {single:.0%} of it single questions, {long:.0%} answered at "
        f"over {LONG_OUTPUT_TOKENS} tokens"
    )
    with_extras = f"; {', '.join(extras)}" if extras else ""
    if leading:
        named = ", ".join(f"{PHRASE_CLASSES[c]} in {shares[c]:.0%}" for c in leading)
        said = Evidence(IDENT, f"phrases of extraction: {named} of the calls{with_extras}", total, None, FAMILY)
    else:
        statement = f"no phrase of extraction that is known; the family is {done}{with_extras}"
        said = Evidence(IDENT, statement, total, None, FAMILY)
    figures |= {PHRASE_CLASSES[c]: float(shares[c]) for c in leading}
    for_it, against = ((said,), ()) if leading or total >= HARVEST_SHOWN_MIN else ((), (said,))
    return Mark(IDENT, FAMILY, None, for_it, against, score=total, figures=figures)


def total_score(figures: Mapping[str, float]) -> float:
    """Return the score from a mark's figures: what is asked or what is done, whichever says more, and habits."""
    done = HARVEST_WEIGHT * figures["devoted"] * figures["single"] * (1 + figures["long"]) / 2
    return max(figures["asked"], done) * (1 + PARAMETER_WEIGHT * figures["habits"])


HARVEST_SHOWN_MIN = 0.3
"""Below it the behaviour is told as a doubt: most honest templates reach half of this."""


def harvest(panel: Panel) -> tuple[float, float, float]:
    """Return three shares: of the median account's calls those in the family; of these the tested ones that begin a
    conversation; and of the tested ones those with a long answer. What the log does not say counts as a half.

    Twin:    tests/naive/extraction_intent.py::harvest
    """
    calls = panel.calls
    devoted = float(np.median(panel.pool().shares))
    turns = calls.turn_index[calls.tested]
    single = float((turns[turns >= 0] == 0).mean()) if (turns >= 0).any() else 0.5
    tokens = calls.output_tokens[calls.tested]
    long = float((tokens >= LONG_OUTPUT_TOKENS).mean()) if tokens.any() else 0.5
    return devoted, single, long


def class_shares(phrases: np.ndarray) -> Floats:
    """Return the share of calls in each phrase class: uint32[n] → float64[classes]."""
    return np.array([((phrases >> np.uint32(c)) & np.uint32(1)).mean() for c in range(len(PHRASE_CLASSES))])


def intent_score(shares: Floats) -> tuple[float, list[int]]:
    """Return the largest weighted share, and the classes that a fifth of the calls show, strongest first."""
    weighted = shares * np.array([CLASS_WEIGHT[name] for name in PHRASE_CLASSES])
    leading = [int(c) for c in np.argsort(-weighted, kind="stable") if shares[c] >= 0.2]
    return float(weighted.max()), leading


def _parameters(panel: Panel) -> list[str]:
    calls = panel.calls
    tested = calls.tested
    known = calls.max_tokens[tested] >= 0
    found = []
    if known.any() and (calls.max_tokens[tested][known] >= LONG_ANSWER_TOKENS).mean() >= 0.8:
        found.append("output caps at the maximum")
    if (calls.choice_count[tested] > 1).mean() >= 0.5:
        found.append("several answers for each call")
    if ((calls.flags[tested] & trace.FLAG_LOGPROBS) != 0).mean() >= 0.5:
        found.append("log-probabilities asked for")
    turns = calls.turn_index[tested]
    if (turns >= 0).any() and (turns[turns >= 0] == 0).mean() >= 0.95:
        found.append("no conversation is ever continued")
    return found
