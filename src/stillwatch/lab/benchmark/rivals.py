"""A baseline's scores against the truth, at the detector's rate of false accusations and at the baseline's own best."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stillwatch.lab.baselines.contract import Baseline, Suspicion
from stillwatch.lab.baselines.log import Log
from stillwatch.lab.score import b_cubed


@dataclass(frozen=True, slots=True)
class Rival:
    """What a baseline reaches.

    `recall_at_rate` is the share of campaign accounts above the lowest threshold at which no more honest accounts are
    named than the detector's rate allows. `best_*` are at the threshold of the best F over accounts, which a user
    without the truth could not choose: the comparison errs in the baseline's favour. What a method does not group is
    one list of suspects, hence one cluster.
    """

    recall_at_rate: float
    named_at_rate: int
    best_f: float
    best_recall: float
    best_precision: float
    best_false_rate: float
    b_cubed_f: float
    judged_count: int
    seconds: float


def compete(
    baseline: Baseline, log: Log, honest: Log, truth: Mapping[str, str | None], rate: float, seed: int
) -> Rival:
    """Run a baseline and grade it; `truth` is the campaign, or None, of every account that called."""
    begun = time.perf_counter()
    suspicion = baseline.suspect(log, honest, seed)
    return graded(suspicion, truth, rate, round(time.perf_counter() - begun, 2))


def graded(suspicion: Suspicion, truth: Mapping[str, str | None], rate: float, seconds: float = 0.0) -> Rival:
    """Grade scores at a rate of false accusations and at their best threshold.

    Cost:    O(accounts log accounts).
    """
    accounts = suspicion.accounts.to_pylist()
    order = np.argsort(-suspicion.score, kind="stable")
    guilty = np.array([truth[account] is not None for account in accounts], bool)[order]
    hidden = {account: campaign for account, campaign in truth.items() if campaign is not None}
    honest_count = len(truth) - len(hidden)
    score = suspicion.score[order]
    last = np.flatnonzero(np.diff(score, append=-np.inf) != 0)  # Equal scores fall on one side of a threshold.
    right = np.concatenate([[0], np.cumsum(guilty)[last]])
    named = np.concatenate([[0], last + 1])
    wrong = named - right
    at_rate = int(np.flatnonzero(wrong <= rate * honest_count)[-1])
    f = 2 * right / np.maximum(named + len(hidden), 1)
    best = int(np.argmax(f))
    reported = {accounts[at]: str(suspicion.cluster[at]) for at in order[: named[best]]}
    precision, recall = b_cubed(hidden, reported)
    return Rival(
        recall_at_rate=float(right[at_rate] / max(len(hidden), 1)),
        named_at_rate=int(named[at_rate]),
        best_f=float(f[best]),
        best_recall=float(right[best] / max(len(hidden), 1)),
        best_precision=float(right[best] / max(named[best], 1)),
        best_false_rate=float(wrong[best] / max(honest_count, 1)),
        b_cubed_f=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        judged_count=len(accounts),
        seconds=seconds,
    )
