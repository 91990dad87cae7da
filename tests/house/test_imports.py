"""The floors and walls of the house, as import-linter sees them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.repository import ROOT, SOURCE

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_every_import_contract_is_kept() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    outcome = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_every_adapter_is_a_stranger_to_the_others() -> None:
    from stillwatch.adapters.choice import ADAPTERS

    walls = next(each for each in CONTRACTS if each["id"] == "adapters-are-strangers")
    assert set(walls["modules"]) == {adapter.__name__ for adapter in ADAPTERS}


def test_every_signal_is_a_stranger_to_the_others() -> None:
    from stillwatch.signals.registry import SIGNALS

    walls = next(each for each in CONTRACTS if each["id"] == "signals-are-strangers")
    assert set(walls["modules"]) == {getattr(signal, "__name__", "") for signal in SIGNALS}
