"""`stillwatch gate` says what is wrong before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.cli import main as cli
from tests.gate.test_settings import LEAST


def test_init_writes_settings_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "gate.toml")
    assert cli.run(["gate", "init", file]) == 0
    assert cli.run(["gate", "init", file]) == 1
    assert "--force" in capsys.readouterr().err


def test_check_tells_every_fault_with_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gate.toml"
    file.write_text(LEAST + "[listen]\nport = 0\n[admin]\nport = 0\ntoken-file = 'admin.token'\n")
    assert cli.run(["gate", "--check", "--config", str(file)]) == 1
    told = capsys.readouterr().out
    failed = [line.split("  ")[1] for line in told.splitlines() if line.startswith("failed")]
    assert {"key-file", "admin token-file", "policy", "snapshot keys", "snapshot"} <= set(failed)
    assert "head -c 32 /dev/urandom | base64 > stillwatch.key" in told
    assert "ok      listen address" in told


def test_without_settings_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gate"]) == 2
    assert "--config" in capsys.readouterr().err


def test_bad_settings_end_before_anything_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gate.toml"
    file.write_text(LEAST + "[listn]\n")
    assert cli.run(["gate", "--config", str(file)]) == 1
    assert "did you mean listen" in capsys.readouterr().err
