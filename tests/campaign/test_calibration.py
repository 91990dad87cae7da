from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaign.calibration import Calibration, Curve, Excluded, dump, load, shipped
from stillwatch.errors import Error

scores = st.lists(st.floats(0, 2), max_size=40)


@given(scores, st.floats(0, 2))
def test_a_p_value_counts_the_honest_families_that_score_as_high(honest: list[float], score: float) -> None:
    reference = Calibration("c", "drawn", tuple(sorted(honest)))
    assert reference.p_value(score) == (1 + sum(each >= score for each in honest)) / (1 + len(honest))


@given(scores)
def test_an_honest_family_is_as_likely_at_one_rank_as_at_another(honest: list[float]) -> None:
    # Leave each out in turn: at most k of n can have a p-value of k / n, whatever the scores are.
    p_values = [
        Calibration("c", "drawn", tuple(sorted(honest[:at] + honest[at + 1 :]))).p_value(score)
        for at, score in enumerate(honest)
    ]
    for k in range(1, len(honest) + 1):
        assert sum(p <= k / len(honest) + 1e-12 for p in p_values) <= k


curves = st.dictionaries(
    st.sampled_from(["pool-dispatch", "birth-cohort"]),
    st.builds(
        lambda log_e, score: Curve(tuple(sorted(log_e)), tuple(sorted(score))),
        st.lists(st.integers(-999, 700), max_size=9),
        st.lists(st.integers(0, 2), max_size=9),
    ),
    max_size=2,
)


@given(scores, curves)
def test_a_calibration_that_was_written_is_read_as_it_was(honest: list[float], measured: dict[str, Curve]) -> None:
    rounded = tuple(sorted(round(each, 6) for each in honest))
    window = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    whole = Calibration("mine", "a test", rounded, measured, ("r/1",), ("0.1.0",), window, Excluded(1, 2, 3))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.json"
        path.write_text(dump(whole))
        assert load(path) == whole


@given(scores, st.floats(0.001, 1))
def test_a_threshold_is_the_score_above_which_the_p_value_holds(honest: list[float], p_value: float) -> None:
    reference = Calibration("c", "drawn", tuple(sorted(honest)))
    above = reference.threshold(p_value)
    if above is None:
        assert reference.p_value(99.0) > p_value
    else:
        assert reference.p_value(np.nextafter(above, 9)) <= p_value + 1e-9
        assert above == 0 or reference.p_value(above) > p_value - 1e-9


def test_p_values_of_honest_families_are_uniform_or_larger() -> None:
    """200 references of 99 families, 20 honest families each: P(p <= a) <= a, within three standard errors."""
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(200):
        reference = Calibration("c", "drawn", tuple(np.sort(rng.gamma(0.3, 1, 99))))
        p_values += [reference.p_value(float(score)) for score in rng.gamma(0.3, 1, 20)]
    for level in (0.01, 0.05, 0.1, 0.5):
        # Twenty ranks share one reference, so a reference counts as one draw.
        by_reference = (np.array(p_values).reshape(200, 20) <= level).mean(axis=1)
        assert by_reference.mean() <= level + 3 * by_reference.std() / np.sqrt(200)


def test_no_score_beats_the_resolution() -> None:
    reference = Calibration("c", "drawn", tuple(np.linspace(0, 1, 428)))
    assert reference.p_value(1e9) == reference.resolution == 1 / 429
    assert reference.coordinated_max(0.05) == 10
    assert reference.threshold(1 / 430) is None


def test_campaigns_among_the_examples_raise_p_values_and_stay_valid() -> None:
    rng = np.random.default_rng(6)
    honest = np.sort(rng.gamma(0.3, 1, 200))
    clean = Calibration("c", "drawn", tuple(honest))
    contaminated = Calibration("c", "drawn", tuple(np.sort(np.concatenate([honest, rng.uniform(5, 9, 20)]))))
    for score in rng.gamma(0.3, 1, 500):
        assert contaminated.p_value(float(score)) >= clean.p_value(float(score))


GOOD = json.loads(dump(Calibration("mine", "a test", (0.0, 0.5))))


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"version": 2},
        {**GOOD, "families_count": 0},
        {**GOOD, "scores_above_zero": ["high"]},
        {**GOOD, "scores_above_zero": [float("nan")]},
        {**GOOD, "signals": {"x": {"log_e": 3, "score": []}}},
        {**GOOD, "window": ["yesterday", "today"]},
        {**GOOD, "families_count": 10**12},
    ],
)
def test_a_file_that_is_no_calibration_is_an_error(body: object, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(body))
    with pytest.raises(Error) as refused:
        load(path)
    assert refused.value.ident == "bad-calibration"


@pytest.mark.parametrize("body", [{**GOOD, "version": 1}, {**GOOD, "version": 3}, {**GOOD, "measure": "something"}])
def test_a_calibration_of_another_version_or_measure_is_refused(body: object, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(body))
    with pytest.raises(Error) as refused:
        load(path)
    assert refused.value.ident == "calibration-unfit"


def test_the_shipped_calibration_is_fine_enough_for_ten_coordinated_families_at_the_usual_rate() -> None:
    assert shipped().coordinated_max(0.05) >= 10
    assert shipped().p_value(10.0) <= 0.05 / 2 / 10
