from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.lab.baselines.contract import ALONE, Suspicion
from stillwatch.lab.benchmark.rivals import graded

TRUTH = {**{f"c{at}": "pool" for at in range(4)}, **{f"h{at}": None for at in range(10)}}


def suspicion(scores: dict[str, float], clusters: dict[str, int] | None = None) -> Suspicion:
    cluster = np.array([(clusters or {}).get(name, ALONE) for name in scores], np.int64)
    return Suspicion(pa.array(scores), np.array(list(scores.values())), cluster)


def test_recall_is_read_at_the_lowest_threshold_that_the_rate_allows() -> None:
    found = suspicion({"c0": 9, "h0": 8, "c1": 7, "c2": 6, "h1": 5, "c3": 4})
    assert graded(found, TRUTH, 0.0).recall_at_rate == 0.25
    assert graded(found, TRUTH, 0.1).recall_at_rate == 0.75
    assert graded(found, TRUTH, 0.2).recall_at_rate == 1.0


def test_equal_scores_are_never_divided_by_a_threshold() -> None:
    found = suspicion({"c0": 5, "c1": 5, "h0": 5, "c2": 3})
    assert graded(found, TRUTH, 0.0).recall_at_rate == 0.0
    assert graded(found, TRUTH, 0.1).recall_at_rate == 0.75


def test_the_best_threshold_is_that_of_the_best_f() -> None:
    found = graded(suspicion({"c0": 9, "c1": 8, "c2": 7, "h0": 6, "h1": 5, "h2": 4, "c3": 3}), TRUTH, 0.0)
    assert (found.best_recall, found.best_precision, found.best_false_rate) == (0.75, 1.0, 0.0)
    assert found.best_f == pytest.approx(6 / 7)


def test_an_account_that_was_not_judged_is_missed() -> None:
    assert graded(suspicion({"c0": 1}), TRUTH, 1.0).recall_at_rate == 0.25
    nobody = graded(suspicion({}), TRUTH, 1.0)
    assert (nobody.recall_at_rate, nobody.best_f, nobody.judged_count) == (0.0, 0.0, 0)


def test_clusters_that_split_a_campaign_cost_b_cubed_recall() -> None:
    scores = {f"c{at}": 1.0 for at in range(4)}
    whole = graded(suspicion(scores, dict.fromkeys(scores, 7)), TRUTH, 0.0)
    split = graded(suspicion(scores, {"c0": 1, "c1": 1, "c2": 2, "c3": 2}), TRUTH, 0.0)
    assert whole.b_cubed_f == 1.0
    assert split.b_cubed_f == pytest.approx(2 * 0.5 / 1.5)
