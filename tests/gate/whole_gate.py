"""A whole gate in a process of its own, as `stillwatch gate` starts it: real snapshot, policy, state and doors."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.evidence import signing
from stillwatch.gate import snapshot_file
from stillwatch.gate.snapshot_build import Given, build
from stillwatch.sanction import Sanction
from tests.gate.gates import Response, ask, until
from tests.gate.snapshots import DAY_US, SECRET, TEMPLATE, run_of
from tests.house.repository import ROOT

START_S_MAX = 60
"""A process imports its libraries and loads its kernels; on two busy cores that takes a while."""

CONFIRMED, SUSPECTED, HONEST = "acct-confirmed", "acct-1", "acct-honest"

CONFIRMED_KEY = "sk-confirmed-0123456789abcdef"
"""The key of an account that is known by it alone."""

GATEWAY_TOKEN, ADMIN_TOKEN = "a token of the gateways, long", "a token of the operators, long"

DECISIONS = "/v1/decisions"
CHAT = "/v1/chat/completions"

SETTINGS = """\
key-file = "stillwatch.key"
[snapshot]
file = "gate.snapshot"
keys = ["builder.pub"]
refresh-seconds = 0.05
[policy]
file = "policy.yaml"
[listen]
port = 0
{listen}
[admin]
port = 0
token-file = "admin.token"
[doors]
proxy = {proxy}
envoy = {envoy}
[limits]
deadline-ms = 20000
read-seconds = {read_s}
drain-seconds = {drain_s}
body-bytes-max = 33554432
[telemetry]
log-level = "debug"
{more}
"""


def confirmed_of(key: str) -> str:
    """Return the account that a key stands for."""
    from stillwatch.adapters.model_calls import key_digest

    found = key_digest(f"Bearer {key}")
    assert found
    return found


def sanction(standing: str, *accounts: str) -> Sanction:
    return Sanction(
        "s-1", accounts, (), (), standing, "reason", "case 1", "The board",
        "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
    )  # type: ignore[arg-type]  # fmt: skip


@dataclass
class Supplier:
    """Who builds the snapshots of a gate, with everything that its folder needs."""

    folder: Path
    private: bytes = field(default_factory=signing.new_private_key)
    sequence: int = 7

    @property
    def path(self) -> Path:
        return self.folder / "gate.snapshot"

    def given(self, **changed: Any) -> Given:
        now_us = time.time_ns() // 1000
        known = {
            "secret": SECRET, "now_us": now_us, "expires_us": now_us + 20 * DAY_US, "sequence": self.sequence,
            "runs": (run_of(),), "sanctions": (sanction("confirmed", CONFIRMED, confirmed_of(CONFIRMED_KEY)),),
        }  # fmt: skip
        return Given(**{**known, **changed})

    def write(self, private: bytes | None = None, **changed: Any) -> bytes:
        """Build one and put it in place by a rename; return its bytes."""
        snapshot_file.write(self.path, *build(self.given(**changed)), private or self.private)
        return self.path.read_bytes()

    def prepare(self, policy: str, **options: Any) -> None:
        """Write everything that a gate is started with."""
        (self.folder / "stillwatch.key").write_bytes(SECRET)
        (self.folder / "builder.pub").write_bytes(signing.public_key(self.private))
        (self.folder / "admin.token").write_text(ADMIN_TOKEN)
        (self.folder / "gate.token").write_text(GATEWAY_TOKEN)
        (self.folder / "policy.yaml").write_text(policy)
        told = {
            "listen": 'token-file = "gate.token"', "proxy": "false", "envoy": "false", "read_s": 10.0, "drain_s": 20,
            "more": "",
        }  # fmt: skip
        (self.folder / "gate.toml").write_text(SETTINGS.format(**{**told, **options}))
        self.write()


def shipped(name: str, **changed: str) -> str:
    """Return a policy that is shipped, some of its words changed."""
    text = (ROOT / "src" / "stillwatch" / "gate" / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in changed.items():
        text, count = re.subn(rf"\b{old}: [^,}}\n]+", f"{old}: {new}", text)
        assert count, old
    return text


@dataclass
class Running:
    """A gate that runs, and what it said."""

    process: subprocess.Popen[str]
    folder: Path
    lines: list[str] = field(default_factory=list, repr=False)
    port: int = 0
    admin_port: int = 0

    def said(self, event: str) -> list[dict[str, Any]]:
        return [found for line in list(self.lines) if (found := _json(line)).get("event") == event]

    def metrics(self) -> str:
        told = ask(self.admin_port, "GET", "/metrics", headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
        assert told.status == 200
        return told.body.decode()

    def metric(self, name: str) -> float:
        """Return one value of the metrics, 0 where it was never counted."""
        found = re.search(rf"^{re.escape('stillwatch_gate_' + name)} (\S+)$", self.metrics(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def alarm(self, ident: str) -> float:
        return self.metric(f'alarms_total{{ident="{ident}"}}')

    def snapshot(self) -> dict[str, object]:
        return ask(self.admin_port, "GET", "/snapshot", headers={"authorization": f"Bearer {ADMIN_TOKEN}"}).json()

    def decide(self, account: str = HONEST, text: str = "Good morning.", **columns: object) -> dict[str, Any]:
        """Ask the neutral door about one call."""
        call = {"account_id": account, "request_model": "model-a", "input_text": text, **columns}
        told = ask(self.port, "POST", DECISIONS, call, {"x-stillwatch-token": GATEWAY_TOKEN})
        assert told.status == 200, told.body
        return told.json()

    def chat(self, key: str = "sk-honest", model: str = "m", **headers: str) -> Response:
        """Make one call through the proxy."""
        body = {"model": model, "messages": [{"role": "user", "content": "When is high water?"}]}
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
        return ask(self.port, "POST", CHAT, body, sent)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)


@contextlib.contextmanager
def gate(folder: Path) -> Iterator[Running]:
    """Start the gate of a folder; it is killed at the end, if it is still there."""
    command = [sys.executable, "-c", "from stillwatch.cli.main import main; main()", "gate", "--config", "gate.toml"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    running = Running(process, folder)
    reader = threading.Thread(target=lambda: running.lines.extend(iter(process.stderr.readline, "")), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        until(lambda: bool(running.said("listening")) or process.poll() is not None, START_S_MAX)
        assert process.poll() is None, running.lines
        told = running.said("listening")[0]
        running.port, running.admin_port = int(told["address"].rpartition(":")[2]), told["port"]
        until(lambda: answers(running.admin_port), START_S_MAX)
        yield running
    finally:
        process.kill()
        process.wait()
        reader.join(10)


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/healthz").status == 200
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def replaced(path: Path, data: bytes) -> None:
    """Put other bytes in the place of a file, by a rename."""
    partial = path.with_suffix(".next")
    partial.write_bytes(data)
    partial.replace(path)


def template(question: str) -> str:
    """Return a prompt that carries the campaign's signature."""
    return TEMPLATE + question


def _json(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
