"""From a family's marks and its test to an outcome in words: why, and what would turn it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.campaign.fusion import ENOUGH_LOG_E, OVERLAP_MAX, OWNER_SHARE_MAX, OWNERS_MIN, Verdict
from stillwatch.campaign.screening import INTENT_MIN
from stillwatch.finding import Outcome
from stillwatch.signals.contract import Mark, Pool

COORDINATED_LOG_E = float(np.log(1000))
"""An e-value of a thousand: one hand behind the accounts, whatever for."""

NEAR_P = 0.05
"""An extraction score in the top twentieth of honest families is worth a second look by a person."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome with its reason and with what would turn it, as sentences of figures."""

    outcome: Outcome
    reason: str
    would_change: str


def set_aside(pool: Pool, marks: Sequence[Mark]) -> Judgement | None:
    """Say why a family is no hypothesis at all, or None: one owner's accounts, or a task that everybody does.

    The same families are set aside where a calibration is fitted, so that what is left stays exchangeable.
    """
    overlap = next((mark.figures["overlap"] for mark in marks if "overlap" in mark.figures), 0.0)
    owner, owners = pool.owners()
    if owners < OWNERS_MIN:
        return _one_owner(len(pool.accounts), owners)
    share = max(np.bincount(owner).max() / len(owner), np.bincount(owner, weights=pool.calls).max() / pool.calls.sum())
    if owners < len(owner) and share > OWNER_SHARE_MAX:
        return Judgement(
            "common-control",
            f"one organisation has {share:.0%} of the family's accounts or calls, and can be asked",
            "a family in which that organisation is one of many",
        )
    if overlap > OVERLAP_MAX:
        return Judgement(
            "common-task",
            f"two accounts share {overlap:.0%} of their items: one assignment or evaluation that everybody does",
            "items dealt out to the accounts instead of repeated by them",
        )
    return None


def judge(verdict: Verdict, fdr: float) -> Judgement:
    """Return the outcome of one tested family."""
    coordinated = verdict.log_e_coordination >= COORDINATED_LOG_E
    if verdict.rejected:
        return Judgement(
            "extraction-campaign",
            f"coordination (log e {verdict.log_e_coordination:.0f}) and extraction (p {verdict.p_extraction:.4f} among "
            f"honest families) both hold at a false-discovery rate of {fdr:g}",
            "a grant for these accounts, or one organisation that owns them all",
        )
    if coordinated and verdict.p_extraction > NEAR_P:
        return Judgement(
            "common-control",
            "one hand behind the accounts, but nothing says that training material is extracted",
            "calls that ask for reasoning, grades or training data across all accounts",
        )
    if not coordinated and verdict.log_e_coordination < ENOUGH_LOG_E:
        return Judgement(
            "shared-template",
            "the accounts use one skeleton as strangers do: each at its own rate and for its own ends",
            "work dealt out evenly over the accounts, or rare identifiers in common",
        )
    return Judgement(
        "undecided",
        f"coordination has log e {verdict.log_e_coordination:.1f} and extraction p {verdict.p_extraction:.3f}: "
        "not enough for both",
        "more calls, account facts (--accounts), or a calibration on more honest families",
    )


def judge_untested(owners: int, items: int, accounts: int, intent: float) -> Judgement:
    """Return the outcome of a family that was not tested: the discovery blocks gave no reason to, or too few calls."""
    if owners < OWNERS_MIN:
        return _one_owner(accounts, owners)
    if items < accounts / 4:
        return Judgement(
            "common-task",
            f"{accounts} accounts sent only {items} different texts: something that went round",
            "a list of work dealt out over the accounts",
        )
    if intent >= INTENT_MIN:
        return Judgement(
            "undecided",
            f"it asks for training material, but with {items} different texts it is too small to be tested",
            "more calls: a longer log, or a busier family",
        )
    return Judgement(
        "shared-template",
        "too few calls for a test, or no reason for one: in the discovery blocks they ask for no training material "
        f"(score {intent:.2f}, needed {INTENT_MIN:g}) and are not refused, replayed, evenly shared out or most of what "
        "its accounts send",
        "more calls, or calls that ask for reasoning, grades or training data",
    )


def _one_owner(accounts: int, owners: int) -> Judgement:
    return Judgement(
        "common-control",
        f"the {accounts} accounts belong to {owners} organisation(s), who can be asked",
        "accounts of further organisations with the same skeleton",
    )
