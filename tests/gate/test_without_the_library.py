"""What a user meets who did not install the extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stillwatch.evidence.grants import grant_ident
from tests.evidence.grants import PLAIN
from tests.evidence.test_without_the_library import GRANT

WITHOUT = """
import sys
sys.modules["redis"] = None
from stillwatch.cli import main as cli
import stillwatch.gate.memory, stillwatch.gate.service
assert cli.run(["grant", "report", "grant.json"]) == 0
assert cli.run(["grant", "report", "grant.json", "--gate-state", "redis://127.0.0.1:1/0"]) == cli.EXIT_ERROR
"""


def test_it_is_said_which_extra_is_missing_and_a_gate_in_memory_needs_none(tmp_path: Path) -> None:
    (tmp_path / "grant.json").write_text(GRANT % grant_ident(PLAIN))
    outcome = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert 'pip install "stillwatch[gate]"' in outcome.stderr
