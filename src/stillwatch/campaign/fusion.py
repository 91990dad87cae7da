"""Marks of one family → evidence on two axes → which families are rejected at the stated false-discovery rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.campaign.calibration import Calibration
from stillwatch.signals import extraction_intent
from stillwatch.signals.contract import LOG_E_MAX, Floats, Mark, mean_log_e

COORDINATION = (
    "queue-sharding", "pool-dispatch", "shared-infrastructure", "birth-cohort", "temporal-synchrony", "failover",
)  # fmt: skip
"""Signals whose e-values speak for one hand behind the accounts; averaged, which is valid under any dependence."""

SECONDED = "reasoning-replay"
"""Blocks that pass from owner to owner speak for one hand as well, but they also speak for extraction, and would carry
both axes alone. So their e-value counts only where another coordination signal reaches ENOUGH_LOG_E."""

ENOUGH_LOG_E = float(np.log(20))
"""Twenty to one: what evidence must say at least to count by itself, as a second family, with an account left out,
without the facts of accounts, or of a union."""

SUPPORT = {"economics": 0.2, "program-mismatch": 0.1, "adoption": 0.05}
"""What a full score of a signal that is never enough by itself adds to wording and homogeneity, as a share of these.
Everybody tries a new model; students and start-ups do odd things; long answers are bought by many."""

OVERLAP_MAX = 0.1
"""Two accounts that share a tenth of their items follow one assignment, not one queue: a queue of s samples dealt to
K accounts has an overlap of about s / K."""

OWNERS_MIN = 8
"""A family of fewer owners is a customer's own; who owns the accounts is known and can be asked."""

OWNER_SHARE_MAX = 0.5
"""A family of which one organisation has most accounts or calls is that organisation's own as well."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the test of one family says, weighed together with all others."""

    log_e_coordination: float
    log_e_without: Floats
    p_extraction: float
    q_value: float
    rejected: bool

    @property
    def p_value(self) -> float:
        """The intersection-union p-value: the weaker axis decides."""
        return max(self.p_extraction, float(np.exp(-max(0.0, self.log_e_coordination))))


@dataclass(frozen=True, slots=True)
class Axes:
    """Both axes of one family before the families are weighed together."""

    log_e_coordination: float
    log_e_without: Floats
    p_extraction: float
    score: float


def weigh(marks: Sequence[Mark], accounts_count: int, calibration: Calibration) -> Axes:
    """Average the coordination e-values and rank the extraction score among honest families."""
    score = extraction_score(marks)
    return Axes(*coordination(marks, accounts_count), calibration.p_value(score), score)


def coordination(marks: Sequence[Mark], accounts_count: int) -> tuple[float, Floats]:
    """Return log e of the coordination signals on average, and the same without each account.

    An e-value that is not seconded counts as 0, and the average stays one: it is never more than with it.

    Source:  Vovk and Wang 2021: the arithmetic mean of e-values is an e-value under any dependence.
    """
    rows = [_with_left_out(mark, accounts_count) for mark in marks if mark.ident in COORDINATION]
    said = np.stack([row for row in rows if row is not None] or [np.full(1 + accounts_count, -np.inf)])
    for mark in marks:
        replay = _with_left_out(mark, accounts_count) if mark.ident == SECONDED else None
        if replay is not None:
            seconded = said.max(axis=0) >= ENOUGH_LOG_E
            said = np.vstack([said, np.where(seconded, replay, -np.inf)])
    log_e = mean_log_e(said)
    return float(log_e[0]), log_e[1:]


def _with_left_out(mark: Mark, accounts_count: int) -> Floats | None:
    """Return log e of a signal, and behind it the same without each account: float64[1 + K]; None where it has none."""
    if mark.log_e is None:
        return None
    left = mark.log_e_without if mark.log_e_without is not None else np.full(accounts_count, mark.log_e)
    return np.concatenate([[mark.log_e], left])


def extraction_score(marks: Sequence[Mark], devoted: float | None = None) -> float:
    """Return the strongest of three: training material asked for alike, blocks replayed, a search for a jailbreak.

    Strangers may ask for reasoning, and shards may ask for anything: wording counts as far as the accounts are
    exchangeable, or tile a subject between them. All of it ranks among honest families, so any score will do that is
    fixed beforehand (`calibration.MEASURE` names this one). `devoted` is the share of what the accounts send that is in
    any family of theirs, where they have several.
    """
    scores = dict.fromkeys((*SUPPORT, *_EXTRACTION), 0.0)
    scores |= {mark.ident: mark.score for mark in marks if mark.score is not None}
    if devoted is not None:
        scores |= {
            mark.ident: extraction_intent.total_score({**mark.figures, "devoted": devoted})
            for mark in marks
            if mark.ident == extraction_intent.IDENT and mark.score is not None
        }
    alike = max(scores["population-homogeneity"], scores["capability-sweep"])
    support = sum(share * min(1.0, scores[ident]) for ident, share in SUPPORT.items())
    asked = scores["extraction-intent"] * alike * (1 + support)
    return max(asked, scores["reasoning-replay"], scores["jailbreak-exploration"])


_EXTRACTION = (
    "extraction-intent", "population-homogeneity", "capability-sweep", "reasoning-replay", "jailbreak-exploration",
)  # fmt: skip


def reject(axes: Sequence[Axes], fdr: float) -> list[Verdict]:
    """Decide all tested families at once: a family is rejected only if both of its nulls fall.

    Half of the rate pays for either null. With m families, of which c have a coordination e-value of 2 / fdr, the r
    rejected ones are the most for which each has e >= 2 m / (fdr r) and p <= fdr r / (2 c). Families that are not
    coordinated are then at most fdr / 2 of the rejected in expectation, whatever the dependence (e-BH); families that
    extract nothing are at most another fdr / 2, as long as conformal p-values are positively dependent and say nothing
    of coordination.

    Source:  Wang and Ramdas 2022, "False discovery rate control with e-values"; Bates and others 2023 for BH on
             conformal p-values. The derivation is in docs/method.md.
    """
    count = len(axes)
    log_e = np.array([axis.log_e_coordination for axis in axes])
    p_extraction = np.array([axis.p_extraction for axis in axes])
    coordinated = log_e >= np.log(2 / fdr)
    cost = np.maximum(2 * count * np.exp(-np.maximum(log_e, -LOG_E_MAX)), 2 * coordinated.sum() * p_extraction)
    order = np.argsort(cost, kind="stable")
    step = cost[order] / np.arange(1, count + 1)
    q_values = np.ones(count)
    q_values[order] = np.minimum(1.0, np.minimum.accumulate(step[::-1])[::-1])
    return [
        Verdict(axis.log_e_coordination, axis.log_e_without, axis.p_extraction, float(q), bool(q <= fdr and ready))
        for axis, q, ready in zip(axes, q_values, coordinated, strict=True)
    ]


def not_tested(axes: Axes) -> Verdict:
    """Return the verdict of a family that was set aside: its axes, and no rejection."""
    return Verdict(axes.log_e_coordination, axes.log_e_without, axes.p_extraction, 1.0, False)
