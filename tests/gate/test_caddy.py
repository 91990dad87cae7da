"""A real Caddy asks the gate as docs/gate.md says, and its callers get what the gate decided."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate.documents import block
from tests.gate.gates import ask, free_port, is_open, serving, until
from tests.gate.test_nginx import call, model, standing
from tests.gate.values import Standing, settings_of

CADDY = shutil.which("caddy")

pytestmark = pytest.mark.skipif(CADDY is None, reason="apt-get install -y caddy")

CONFIGURATION = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
{route}
}}
"""

__all__ = ["model", "standing"]


@contextlib.contextmanager
def caddy(folder: Path, gate: int, model: int) -> Iterator[int]:
    """Run Caddy before a model, with a gate beside it, as the page says; returns its port."""
    text = block("Caddy", "caddy").replace("127.0.0.1:8440", f"127.0.0.1:{gate}")
    text = text.replace("127.0.0.1:9000", f"127.0.0.1:{model}")
    port, file = free_port(), folder / "Caddyfile"
    file.write_text(CONFIGURATION.format(port=port, route=textwrap.indent(text, "    ")))
    assert CADDY is not None
    command = [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"]
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "caddy.log").open("w") as log:
        program = subprocess.Popen(command, stdout=log, stderr=log, env=places)
    try:
        until(lambda: is_open(port) or program.poll() is not None)
        assert program.poll() is None, (folder / "caddy.log").read_text()
        yield port
    finally:
        program.terminate()
        program.wait(timeout=20)


@pytest.fixture
def port(tmp_path: Path, standing: Standing, model: int) -> Iterator[int]:
    assembly = standing.assembly(settings_of(tmp_path))
    with serving(assembly) as gate, caddy(tmp_path, gate.running.public_port, model) as number:
        yield number


def test_an_unknown_account_reaches_the_model_with_what_the_gate_says(port: int) -> None:
    answered = call(port, "acct-1", **{"x-stillwatch-rung": "deny"})
    assert answered.status == 200
    assert b"x-stillwatch-rung: allow" in answered.body


def test_a_refused_account_gets_the_notice(port: int) -> None:
    answered = call(port, "acct-confirmed")
    assert (answered.status, answered.json()["error"]) == (
        403,
        {
            "code": "account-held",
            "message": "This account is held. Write to appeals@provider.example.",
            "reference": "ref-0001",
        },
    )


def test_a_rate_is_told_with_its_own_status_and_when_to_come_back(port: int) -> None:
    answered = call(port, "acct-rated")
    assert (answered.status, answered.headers["retry-after"]) == (429, "30")


def test_a_caller_cannot_say_that_another_path_was_asked(port: int) -> None:
    assert call(port, "acct-confirmed", **{"x-original-uri": "/health", "x-forwarded-uri": "/health"}).status == 403


def test_a_path_that_is_no_models_is_not_decided(port: int, standing: Standing) -> None:
    assert ask(port, "POST", "/v1/files", {}, {"x-user-id": "acct-confirmed"}).status == 200
    assert not standing.state.seen


def test_where_no_gate_answers_nobody_passes(tmp_path: Path, model: int) -> None:
    with caddy(tmp_path, free_port(), model) as number:
        assert call(number, "acct-1").status == 502
