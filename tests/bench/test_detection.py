from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.detection import ROOT, Plan, digest, run_measured, step


def test_a_finished_step_is_not_repeated(tmp_path: Path) -> None:
    acts: list[str] = []

    def act() -> dict[str, Any]:
        acts.append("done")
        return {"seconds": 1.5}

    plan = Plan("bench", 7, 1000, tmp_path)
    assert step(plan, "detect", "code a", act) == step(plan, "detect", "code a", act) == {"seconds": 1.5}
    assert acts == ["done"]


def test_a_step_is_repeated_when_the_code_changed(tmp_path: Path) -> None:
    plan = Plan("bench", 7, 1000, tmp_path)
    step(plan, "detect", "code a", lambda: {"seconds": 1.5})
    assert step(plan, "detect", "code b", lambda: {"seconds": 2.5}) == {"seconds": 2.5}


def test_a_digest_follows_the_files_and_not_where_it_was_asked() -> None:
    laboratory = ROOT / "src" / "stillwatch" / "lab"
    assert digest(laboratory) == digest(laboratory)
    assert digest(laboratory) != digest(laboratory / "score.py")


def test_a_command_is_measured_with_its_own_peak_and_by_stage(tmp_path: Path) -> None:
    program = (
        "import hashlib, sys\n"
        "print('stillwatch: read …', file=sys.stderr, flush=True)\n"
        "held = bytearray(100_000_000)\n"
        "[hashlib.sha256(held).digest() for _ in range(5)]\n"
    )
    found = run_measured([sys.executable, "-X", "utf8", "-c", program], tmp_path / "log")
    assert found.peak_bytes > 100_000_000
    assert found.stage_peak_bytes["read"] > 100_000_000
    assert found.cpu_seconds > 0
    assert "read" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_command_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        run_measured([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")
