from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.campaign.calibration import Calibration, dump, load
from stillwatch.campaign.history import History, Honest, fit, fit_runs, read_histories
from stillwatch.errors import Error
from stillwatch.finding import Evidence, Group, Reading

NOBODY: frozenset[str] = frozenset()
SAID = (Evidence("pool-dispatch", "calls vary", 1.0, None, "dispatch"),)


def family(name: str, score: float | None, campaign: str | None = None) -> Group:
    outcome = "extraction-campaign" if campaign else "shared-template"
    readings = (Reading("pool-dispatch", log_e=-0.5), Reading("extraction-intent", score=score))
    return Group(name, outcome, 9, 9, 90, 0.0, 1.0, 1.0, SAID, (), "r", "w", campaign, score, readings)


def write_run(folder: Path, groups: list[Group], start: str = "2026-11-01", key: str = "k1") -> Path:
    folder.mkdir()
    facts = {
        "schema_version": 1,
        "tool_version": "0.1.0",
        "key_ident": key,
        "events_count": 1000,
        "window": {"start": f"{start}T00:00:00Z", "end": f"{start}T23:59:59Z"},
    }
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "groups.jsonl").write_text("".join(json.dumps(asdict(group)) + "\n" for group in groups))
    return folder


def test_families_of_reported_campaigns_are_left_out_and_counted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [family("f-1", 0.1), family("f-2", 1.2, "c-1"), family("f-3", 0.0)])
    fitted = fit_runs([run], [], NOBODY, NOBODY)
    assert fitted.scores == (0.0, 0.1)
    assert fitted.excluded.reported == 1


def test_a_family_that_was_found_honest_after_all_is_kept(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [family("f-1", 0.1), family("f-2", 1.2, "c-1")])
    assert fit_runs([run], [], NOBODY, frozenset({"f-2"})).scores == (0.1, 1.2)


def test_families_that_the_user_names_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [family("f-1", 0.1), family("f-2", 0.4)])
    fitted = fit_runs([run], [], frozenset({"f-2"}), NOBODY)
    assert (fitted.scores, fitted.excluded.named) == ((0.1,), 1)
    with pytest.raises(Error) as refused:
        fit_runs([run], [], frozenset({"f-9"}), NOBODY)
    assert refused.value.ident == "unknown-group"


def test_families_that_were_no_hypotheses_are_no_examples(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [family("f-1", 0.1), family("f-2", None)])
    assert fit_runs([run], [], NOBODY, NOBODY).scores == (0.1,)


def test_a_family_met_on_two_days_counts_once_with_its_highest_score(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", [family("f-1", 0.1), family("f-2", 0.3)])
    second = write_run(tmp_path / "b", [family("f-1", 0.2)], "2026-11-02")
    fitted = fit_runs([first, second], [], NOBODY, NOBODY)
    assert fitted.scores == (0.2, 0.3)
    assert fitted.excluded.repeated == 1
    assert fitted.window == ("2026-11-01T00:00:00Z", "2026-11-02T23:59:59Z")
    assert fitted.curves["pool-dispatch"].log_e == (-0.5, -0.5)
    assert fitted.curves["extraction-intent"].score == (0.2, 0.3)


def test_families_of_two_keys_are_strangers_whatever_their_names(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", [family("f-1", 0.1)])
    second = write_run(tmp_path / "b", [family("f-1", 0.2)], key="k2")
    assert fit_runs([first, second], [], NOBODY, NOBODY).scores == (0.1, 0.2)


def test_fitting_in_parts_gives_what_fitting_at_once_gives(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", [family("f-1", 0.1), family("f-2", 1.3, "c-1")])
    second = write_run(tmp_path / "b", [family("f-3", 0.2)], "2026-11-02")
    part = tmp_path / "part.json"
    part.write_text(dump(fit_runs([first], [], NOBODY, NOBODY)))
    merged = fit_runs([second], [load(part)], NOBODY, NOBODY)
    at_once = fit_runs([first, second], [], NOBODY, NOBODY)
    for name in ("scores", "curves", "window", "excluded"):
        assert getattr(merged, name) == getattr(at_once, name)
    assert sorted(merged.runs) == sorted(at_once.runs)


def test_the_order_of_runs_does_not_matter(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", [family("f-1", 0.1)])
    second = write_run(tmp_path / "b", [family("f-3", 0.2)], "2026-11-02")
    one, two = fit_runs([first, second], [], NOBODY, NOBODY), fit_runs([second, first], [], NOBODY, NOBODY)
    assert dump(one) == dump(two)


def test_a_run_never_counts_twice(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [family("f-1", 0.1)])
    part = fit_runs([run], [], NOBODY, NOBODY)
    for runs, others in (([run], [part]), ([], [part, part])):
        with pytest.raises(Error) as refused:
            fit_runs(runs, others, NOBODY, NOBODY)
        assert refused.value.ident == "calibration-overlap"
    assert fit_runs([run, run], [], NOBODY, NOBODY).scores == (0.1,)


def test_without_a_single_example_there_is_no_calibration(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [family("f-1", 1.0, "c-1")])
    with pytest.raises(Error) as refused:
        fit_runs([run], [], NOBODY, NOBODY)
    assert refused.value.ident == "no-honest-families"


def test_a_folder_that_is_no_run_or_an_older_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    old = write_run(tmp_path / "old", [replace(family("f-1", None), readings=())])
    cut = write_run(tmp_path / "cut", [family("f-1", 0.1)])
    (cut / "groups.jsonl").write_text("{")
    expected = {"empty": "not-a-run", "old": "run-without-scores", "cut": "broken-run"}
    for name, ident in expected.items():
        with pytest.raises(Error) as refused:
            read_histories([tmp_path / name])
        assert refused.value.ident == ident
    assert old.exists()


def test_a_day_of_the_same_families_is_ranked_as_it_should_be() -> None:
    """300 histories of 10 days of 30 families whose scores hardly change from day to day, and then one more family:
    P(p <= 0.05) <= 0.05, within three standard errors. Had each day counted, a p of 1 / 301 would come in 1 of 31.
    """
    rng = np.random.default_rng(8)
    small, finest = 0, 0
    for _ in range(300):
        level = rng.gamma(0.5, 1, 31)
        days = []
        for day in range(10):
            seen = [Honest(f"k/{f}", float(level[f] + 0.01 * rng.random())) for f in range(30)]
            days.append(History(f"run {day}", "0.1.0", (f"2026-11-{day + 1:02}", f"2026-11-{day + 1:02}"), tuple(seen)))
        reference = fit("drawn", "drawn", days)
        p_value = reference.p_value(float(level[30]))
        small += p_value <= 0.05
        finest += p_value <= 1 / 301
    assert small / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert finest == 0


def test_calibrations_without_runs_can_be_joined() -> None:
    first = Calibration("a", "x", (0.0, 0.2), runs=("r1",))
    second = Calibration("b", "y", (0.1,), runs=("r2",))
    assert fit("both", "x and y", [], [first, second]).scores == (0.0, 0.1, 0.2)
