from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaign.calibration import Calibration, dump, load, shipped
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


@given(scores)
def test_a_calibration_that_was_written_is_read_as_it_was(honest: list[float]) -> None:
    rounded = tuple(sorted(round(each, 6) for each in honest))
    text = dump(Calibration("mine", "a test", rounded))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.json"
        path.write_text(text)
        assert load(path).scores == rounded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 1}',
        '{"version": 2, "ident": "x", "source": "y", "families_count": 0, "scores_above_zero": []}',
    ],
)
def test_a_file_that_is_no_calibration_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(Error) as refused:
        load(path)
    assert refused.value.ident == "bad-calibration"


def test_the_shipped_calibration_is_fine_enough_for_ten_coordinated_families_at_the_usual_rate() -> None:
    assert shipped().p_value(10.0) <= 0.05 / 2 / 10
