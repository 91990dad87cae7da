from __future__ import annotations

from pathlib import Path

from stillwatch.report.reporter import Reporter
from tests.report import scenes


def test_the_page_lies_beside_the_findings_when_a_run_finishes(tmp_path: Path) -> None:
    run_dir = scenes.write_run(tmp_path / "run")
    Reporter().finish(run_dir)
    assert (run_dir / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
