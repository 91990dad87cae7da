"""A run's own directory is enough to fit a calibration that the next run can use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from stillwatch.campaign.calibration import dump
from stillwatch.campaign.history import fit_runs
from stillwatch.engines.run import detect
from tests.engines.logs import request
from tests.scenes.scene import Silent


def test_a_calibration_fitted_on_a_run_is_what_the_next_run_ranks_among(tmp_path: Path) -> None:
    asked = request(tmp_path)
    first = detect(asked, Silent())
    assert first.campaigns_count == 1
    groups = [json.loads(line) for line in (first.run_dir / "groups.jsonl").read_text().splitlines()]
    keep = frozenset(group["group_id"] for group in groups if group["campaign_id"])
    fitted = fit_runs([first.run_dir], [], frozenset(), keep)
    scores = json.loads((first.run_dir / "run.json").read_text())["extraction_scores"]
    assert len(fitted.scores) == len(scores)
    assert all(0 <= kept - was < 2e-6 for kept, was in zip(fitted.scores, scores, strict=True))
    assert fitted.curves["queue-sharding"].log_e
    file = tmp_path / "mine.json"
    file.write_text(dump(fitted))
    second = detect(replace(asked, calibration=file, out=tmp_path / "again"), Silent())
    facts = json.loads((second.run_dir / "run.json").read_text())
    assert facts["calibration"] == {"ident": fitted.ident, "shipped": False, "families_count": len(scores)}
    # With the campaign itself among so few examples nothing can be rare.
    assert second.campaigns_count == 0
