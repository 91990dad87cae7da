"""A gate of real parts: what people decided is enforced at every door, and what they take back is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.cli import main as cli
from tests.gate.gates import ask, free_port, until
from tests.house.repository import ROOT

pytest.importorskip("stillwatch.gate.holder")

ACCOUNT = "acct-closed"

SETTINGS = """
key-file = "stillwatch.key"
[snapshot]
file = "gate.snapshot"
keys = ["issuer.pub"]
refresh-seconds = 0.05
[policy]
file = "policy.yaml"
[listen]
port = {public}
[admin]
port = {admin}
[capture]
dir = "events"
spool = "spool"
format = "jsonl"
rotate-seconds = 0.1
"""

QUESTIONS = {
    "decisions": lambda port: ask(port, "POST", "/v1/decisions", {"account_id": ACCOUNT, "request_model": "model-a"}),
    "guardrail": lambda port: ask(
        port,
        "POST",
        "/beta/litellm_basic_guardrail_api",
        {
            "input_type": "request",
            "litellm_call_id": "call-1",
            "model": "model-a",
            "structured_messages": [{"role": "user", "content": "hello"}],
            "request_data": {"user_api_key_user_id": ACCOUNT},
        },
    ),
    "forward-auth": lambda port: ask(
        port,
        "GET",
        "/forward-auth/traefik",
        headers={"x-forwarded-uri": "/v1/chat/completions", "x-user-id": ACCOUNT},
    ),
}


def run(*words: str) -> None:
    assert cli.run(list(words)) == 0, words


def write_snapshot(folder: Path, standing: str) -> None:
    """Sign one decision about one account, and put the snapshot of it in its place."""
    now = datetime.now(UTC).replace(microsecond=0)
    decision = {
        "accounts": [ACCOUNT],
        "organizations": [],
        "campaigns": [],
        "standing": standing,
        "reason": "closed-campaign",
        "reference": "ref-1",
        "decided_by": "trust",
        "not_before": (now - timedelta(days=1)).isoformat().replace("+00:00", "Z"),
        "expires": (now + timedelta(days=30)).isoformat().replace("+00:00", "Z"),
    }
    (folder / "decisions.jsonl").write_text(json.dumps(decision) + "\n")
    key = ("--key", str(folder / "issuer.key"))
    sanctions, made = str(folder / "sanctions.json"), folder / "made.snapshot"
    run(
        "sanction",
        "issue",
        str(folder / "decisions.jsonl"),
        *key,
        "--issuer",
        "The provider",
        "--out",
        sanctions,
        "--force",
    )
    trusted = ("--sanctions", sanctions, "--sanction-key", str(folder / "issuer.pub"))
    run("snapshot", "build", *trusted, *key, "--key-file", str(folder / "stillwatch.key"), "--out", str(made))
    made.replace(folder / "gate.snapshot")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate")
    run("grant", "keygen", "--out", str(folder / "issuer"))
    (folder / "stillwatch.key").write_text("an example of a key that is long enough\n")
    shipped = ROOT / "src" / "stillwatch" / "gate" / "policies" / "cautious.yaml"
    (folder / "policy.yaml").write_bytes(shipped.read_bytes())
    (folder / "gate.toml").write_text(SETTINGS.format(public=free_port(), admin=free_port()))
    write_snapshot(folder, "confirmed")
    return folder


def ports(folder: Path) -> tuple[int, int]:
    numbers = [int(line.split()[-1]) for line in (folder / "gate.toml").read_text().splitlines() if "port =" in line]
    return numbers[0], numbers[1]


def test_check_finds_everything_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gate", "--check", "--config", str(folder / "gate.toml")]) == 0
    assert "failed" not in capsys.readouterr().out


@pytest.fixture(scope="module")
def gate(folder: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    program = "import sys; from stillwatch.cli.main import main; main()"
    with (folder / "gate.log").open("w") as log:
        started = subprocess.Popen(
            [sys.executable, "-c", program, "gate", "--config", folder / "gate.toml"], stderr=log, env=environment
        )
    until(lambda: '"listening"' in (folder / "gate.log").read_text() or started.poll() is not None, 60)
    assert started.poll() is None, (folder / "gate.log").read_text()
    yield started
    started.kill()
    started.wait()


@pytest.mark.parametrize("door", QUESTIONS)
def test_an_account_that_a_person_confirmed_is_refused(door: str, folder: Path, gate: subprocess.Popen[str]) -> None:
    answered = QUESTIONS[door](ports(folder)[0])
    assert answered.status == 403 or answered.json().get("refuse") or answered.json()["action"] == "BLOCKED"
    for secret in ("confirmed", "closed-campaign", ACCOUNT):
        assert secret not in answered.body.decode()


def test_a_person_who_takes_it_back_is_obeyed_at_the_next_look(folder: Path, gate: subprocess.Popen[str]) -> None:
    write_snapshot(folder, "cleared")
    until(lambda: not QUESTIONS["decisions"](ports(folder)[0]).json()["refuse"])


def test_what_was_decided_is_captured_and_the_log_names_nobody(folder: Path, gate: subprocess.Popen[str]) -> None:
    until(lambda: any((folder / "events").rglob("*.jsonl.gz")))
    gate.send_signal(signal.SIGTERM)
    assert gate.wait(30) == 0
    log = (folder / "gate.log").read_text()
    assert '"stopped"' in log
    assert ACCOUNT not in log
