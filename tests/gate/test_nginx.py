"""A real NGINX asks the gate as docs/gate.md says, and its callers get what the gate decided."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate.documents import block
from tests.gate.gates import Response, ask, free_port, is_open, serving, until
from tests.gate.values import Standing, settings_of

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="apt-get install -y nginx-light")

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""

CHAT = "/v1/chat/completions"


class Model(http.server.BaseHTTPRequestHandler):
    """Answers every call with the headers that reached it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = str(self.headers).lower().encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the library
        """Say nothing."""


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
def model() -> Iterator[int]:
    """A model that answers; returns its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def nginx(folder: Path, gate: int, model: int) -> Iterator[int]:
    """Run NGINX before a model, with a gate beside it, as the page says; returns its port."""
    text = block("NGINX", "nginx").replace("127.0.0.1:8440", f"127.0.0.1:{gate}")
    text = text.replace("127.0.0.1:9000", f"127.0.0.1:{model}")
    port, file = free_port(), folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, locations=text))
    assert NGINX is not None
    program = subprocess.Popen([NGINX, "-c", file, "-p", folder], stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: is_open(port) or program.poll() is not None)
        assert program.poll() is None, program.communicate()[1]
        yield port
    finally:
        program.terminate()
        program.communicate(timeout=20)


@pytest.fixture
def port(tmp_path: Path, standing: Standing, model: int) -> Iterator[int]:
    assembly = standing.assembly(settings_of(tmp_path))
    with serving(assembly) as gate, nginx(tmp_path, gate.running.public_port, model) as number:
        yield number


def call(port: int, account: str, **headers: str) -> Response:
    return ask(port, "POST", CHAT, {"model": "model-a"}, {"x-user-id": account, **headers})


def test_an_unknown_account_reaches_the_model(port: int, standing: Standing) -> None:
    answered = call(port, "acct-1")
    assert answered.status == 200
    assert b"x-stillwatch-rung: allow" in answered.body
    assert standing.state.seen[0].client_ip == "127.0.0.1"


def test_a_refused_account_gets_the_notice_and_no_more(port: int) -> None:
    answered = call(port, "acct-confirmed")
    assert answered.status == 403
    assert answered.json() == {
        "error": {
            "code": "account-held",
            "message": "This account is held. Write to appeals@provider.example.",
            "reference": "ref-0001",
        }
    }
    assert not [name for name in answered.headers if name.startswith("x-stillwatch")]


def test_a_rate_is_told_with_its_own_status_and_when_to_come_back(port: int) -> None:
    answered = call(port, "acct-rated")
    assert (answered.status, answered.headers["retry-after"]) == (429, "30")


def test_a_step_up_is_told_with_its_own_status(port: int) -> None:
    assert call(port, "acct-stepped-up").status == 401


def test_a_caller_cannot_write_what_only_the_gate_says(port: int) -> None:
    answered = call(port, "acct-capped", **{"x-stillwatch-rung": "allow", "x-stillwatch-left": "nothing"})
    assert b"x-stillwatch-rung: strip" in answered.body
    assert b"x-stillwatch-left: max-tokens,max-choices,strip" in answered.body


def test_a_caller_cannot_say_that_another_path_was_asked(port: int) -> None:
    assert call(port, "acct-confirmed", **{"x-original-uri": "/health", "x-forwarded-uri": "/health"}).status == 403


def test_a_path_that_is_no_models_is_not_decided(port: int, standing: Standing) -> None:
    assert ask(port, "POST", "/v1/files", {}, {"x-user-id": "acct-confirmed"}).status == 200
    assert not standing.state.seen


def test_where_no_gate_answers_nobody_passes(tmp_path: Path, model: int) -> None:
    with nginx(tmp_path, free_port(), model) as number:
        assert call(number, "acct-1").status == 500
