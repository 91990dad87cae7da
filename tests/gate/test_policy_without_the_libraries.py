"""What a user meets who did not install the extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from pathlib import Path
from stillwatch.cli import main
from stillwatch.errors import Error
from stillwatch.gate.policy import load
try:
    load(Path("cautious"), 1_800_000_000_000_000)
except Error as error:
    assert error.ident == "missing-extra" and "stillwatch[gate]" in error.hint
else:
    raise SystemExit("no error")
assert main.run(["policy", "--help"]) == 0
"""


@pytest.mark.parametrize("library", ["yaml", "cel_expr_python"])
def test_it_is_said_which_extra_is_missing(library: str, tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", WITHOUT, library], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
