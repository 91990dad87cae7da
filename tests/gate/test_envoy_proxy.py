"""A real Envoy in front of an upstream asks the gate, with the configuration of docs/gate-envoy.md as it stands."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import json
import re
import subprocess
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stillwatch.gate.contract import Call, Decision
from stillwatch.gate.envoy import EnvoyDoor, serve
from stillwatch.gate.requests import Identity
from stillwatch.gate.service import Gate
from tests.gate.test_envoy import CHAT, REFUSED, Deciding
from tests.house.repository import ROOT

ENVOY = ROOT / ".venv-gateways" / "bin" / "envoy"

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="Envoy is not installed: tools/setup.sh gateways")

STARTED_S_MAX = 30.0


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it was asked with."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def door(deciding: Deciding) -> Iterator[int]:
    """The gate's door in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gate = Gate(lambda: None, lambda: deciding, deciding, deciding, lambda digest: 1)
    answering = EnvoyDoor(gate, Identity(), 0.2, lambda: time.time_ns() // 1000)
    server, port = asyncio.run_coroutine_threadsafe(serve(answering, "127.0.0.1:0"), loop).result()
    yield port
    asyncio.run_coroutine_threadsafe(server.stop(None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextmanager
def envoy(folder: Path, gate_port: int) -> Iterator[int]:
    """Envoy as the page sets it up, between a port of its own and an upstream of the test's."""
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    text = (ROOT / "docs" / "gate-envoy.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert block is not None
    config = textwrap.dedent("   " + block[1].lstrip(" "))
    for port, given in ((8080, 0), (9191, gate_port), (9000, upstream.server_port)):
        assert f"port_value: {port} " in config
        config = config.replace(f"port_value: {port} ", f"port_value: {given} ")
    # The page listens where a person says; a test asks Envoy which port it was given.
    config += "admin:\n  address: { socket_address: { address: 127.0.0.1, port_value: 0 } }\n"
    (folder / "envoy.yaml").write_text(config)
    admin = folder / "admin"
    command = [ENVOY, "-c", folder / "envoy.yaml", "--admin-address-path", admin, "--use-dynamic-base-id"]
    with (folder / "envoy.log").open("w") as log:
        running = subprocess.Popen([*map(str, command), "-l", "warning"], stdout=log, stderr=log)
    try:
        yield _listening(admin, running, folder / "envoy.log")
    finally:
        running.terminate()
        running.wait()
        upstream.shutdown()
        upstream.server_close()


def _listening(admin: Path, running: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + STARTED_S_MAX
    while time.monotonic() < end:
        assert running.poll() is None, log.read_text()
        try:
            host, _, port = admin.read_text().strip().rpartition(":")
            status, body = asked(int(port), "GET", "/listeners?format=json", host=host)
            found = json.loads(body)["listener_statuses"] if status == 200 else []
            if found:
                return int(found[0]["local_address"]["socket_address"]["port_value"])
        except (OSError, ValueError):
            pass
        threading.Event().wait(0.05)
    raise AssertionError(log.read_text())


def asked(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, host: str = "127.0.0.1"
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path, json.dumps(body).encode() if body else None, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_envoy_lets_pass_refuses_and_tells_as_the_gate_decides(tmp_path: Path) -> None:
    def decide(call: Call) -> Decision:
        if call.input_text == "why is the sky blue":
            return REFUSED
        return Decision(rung="cap", max_tokens_max=64, tag=(("x-risk", "low"),))

    deciding = Deciding(decide)
    with door(deciding) as gate_port, envoy(tmp_path, gate_port) as port:
        status, body = asked(port, "POST", "/v1/chat/completions", CHAT, {"x-user-id": "account-1"})
        assert (status, json.loads(body)["error"]["reference"]) == (403, "ref-1")
        forged = {"x-user-id": "account-2", "x-stillwatch-max-tokens": "9", "x-stillwatch-route": "elsewhere"}
        status, body = asked(port, "POST", "/v1/chat/completions", {"model": "model-a", "messages": []}, forged)
        met = {name.lower(): value for name, value in json.loads(body).items()}
        assert (status, met["x-stillwatch-max-tokens"], met["x-risk"]) == (200, "64", "low")
        assert "x-stillwatch-route" not in met
    assert [call.account_id for call in deciding.calls] == ["account-1", "account-2"]


def test_a_gate_that_is_not_there_refuses_nobody(tmp_path: Path) -> None:
    with door(Deciding(lambda call: REFUSED)) as gate_port:
        pass
    with envoy(tmp_path, gate_port) as port:
        assert asked(port, "POST", "/v1/chat/completions", CHAT, {"x-user-id": "account-1"})[0] == 200
