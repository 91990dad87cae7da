"""Bodies too large or too slow, connections by the thousand: refused or waited out, and others are answered."""

from __future__ import annotations

import http.client
import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gate.applications import served
from tests.gate.gates import ask, until
from tests.gate.providers import Provider
from tests.gate.whole_gate import CHAT, DECISIONS, GATEWAY_TOKEN, Running, Supplier, gate, shipped

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")

MIB = 1 << 20

IDLE_COUNT = 10_000

HELD_MIB_MAX = 160
"""What a gate may hold more while it is sent 100 MB: its own bound on a body is 32 MiB, and a whole one is joined."""


class Flood(Provider):
    """Answers the model `flood` with 200 MB as fast as they are taken, and says when nobody takes more."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_mib = 0

    async def answer(self, asked: Any, answered: Any, receive: Any, send: Any) -> None:
        if asked["model"] != "flood":
            await super().answer(asked, answered, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        for _ in range(200):
            await send({"type": "http.response.body", "body": b" " * MIB, "more_body": True})
            self.sent_mib += 1
        await send({"type": "http.response.body", "body": b"{}", "more_body": False})


@pytest.fixture(scope="module")
def provider() -> Flood:
    return Flood()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, provider: Flood) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gate")
    with served(provider) as url:
        upstream = f'[upstream]\nurl = "{url}"'
        Supplier(folder).prepare(shipped("cautious"), proxy="true", read_s=1.0, more=upstream)
        with gate(folder) as started:
            yield started


def forget_peak(running: Running) -> float:
    """Have the system forget the most that the gate held, and return what it holds now."""
    Path(f"/proc/{running.process.pid}/clear_refs").write_text("5")
    return peak_mib(running)


def peak_mib(running: Running) -> float:
    """Return the most that the gate's process held."""
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def status_of(running: Running, head: bytes, pieces: Iterator[bytes]) -> int:
    """Send a body piece by piece until there is an answer; return its status."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as wire:
        wire.sendall(head)
        wire.setblocking(False)
        for piece in pieces:
            left = memoryview(piece)
            while left:
                try:
                    left = left[wire.send(left) :]
                except BlockingIOError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    break
                if told := answered(wire):
                    return told
        wire.setblocking(True)
        wire.settimeout(30)
        return int(wire.recv(4_096).split(b" ")[1])


def answered(wire: socket.socket) -> int:
    try:
        told = wire.recv(4_096)
    except (BlockingIOError, ConnectionResetError):
        return 0
    return int(told.split(b" ")[1]) if told else 0


def head(path: str, framing: str) -> bytes:
    said = f"POST {path} HTTP/1.1\r\nhost: gate\r\nx-stillwatch-token: {GATEWAY_TOKEN}\r\n{framing}\r\n\r\n"
    return said.encode()


def hundred_mb() -> Iterator[bytes]:
    for _ in range(100):
        yield b"x" * MIB


def hundred_mb_in_chunks() -> Iterator[bytes]:
    for _ in range(100):
        yield b"100000\r\n" + b"x" * MIB + b"\r\n"


def test_a_body_of_a_hundred_megabytes_is_refused_and_not_held(running: Running, provider: Flood) -> None:
    running.chat()
    provider.requests.clear()
    before = forget_peak(running)
    assert status_of(running, head(CHAT, "content-length: 104857600"), hundred_mb()) == 413
    assert peak_mib(running) - before < 16
    assert status_of(running, head(CHAT, "transfer-encoding: chunked"), hundred_mb_in_chunks()) == 413
    assert peak_mib(running) - before < HELD_MIB_MAX
    assert not provider.requests
    assert running.chat().status == 200


def test_a_gateway_that_asks_with_a_hundred_megabytes_gets_the_policys_choice_at_once(running: Running) -> None:
    before = forget_peak(running)
    told = status_of(running, head(DECISIONS, "content-length: 104857600"), hundred_mb())
    assert told == 200
    assert running.alarm("body-too-large") == 1
    assert peak_mib(running) - before < 16


@pytest.mark.parametrize("path", [CHAT, DECISIONS])
def test_a_body_that_comes_too_slowly_is_given_up(running: Running, path: str) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as slow:
        slow.sendall(head(path, "content-length: 100") + b"{")
        assert slow.recv(1_024).startswith(b"HTTP/1.1 408")
    assert running.chat().status == 200


def test_who_leaves_in_the_middle_of_a_body_leaves_nothing_behind(running: Running, provider: Flood) -> None:
    provider.requests.clear()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", running.port), timeout=30) as leaving:
            leaving.sendall(head(CHAT, "content-length: 100") + b'{"model":')
    until(lambda: running.metric("open_requests") == 0)
    assert not provider.requests
    assert running.chat().status == 200


def test_a_reply_that_its_caller_does_not_take_is_not_held(running: Running, provider: Flood) -> None:
    asked = json.dumps({"model": "flood", "stream": True, "messages": []}).encode()
    before = forget_peak(running)
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as lazy:
        lazy.sendall(head(CHAT, f"content-length: {len(asked)}") + asked)
        until(lambda: provider.sent_mib > 0, 30)
        # While he takes nothing others are answered, and what the provider sends stops somewhere on its way.
        assert [running.chat().status for _ in range(50)] == [200] * 50
        assert provider.sent_mib < 100
        assert peak_mib(running) - before < 32
    assert running.chat().status == 200


def test_ten_thousand_idle_connections_keep_nobody_waiting(running: Running) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    of_gate = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (hard, hard))[1]
    # Where the machine allows less, as many as it does: a few are kept for everything else.
    count = min(IDLE_COUNT, hard - 500, of_gate - 500)
    idle: list[socket.socket] = []
    try:
        idle.extend(socket.create_connection(("127.0.0.1", running.port), timeout=30) for _ in range(count))
        assert len(idle) == count
        assert running.decide()["rung"] == "allow"
        assert running.chat().status == 200
        assert running.decide("acct-confirmed")["rung"] == "deny"
    finally:
        for each in idle:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert running.decide()["rung"] == "allow"


def test_half_a_head_is_given_up_and_a_connection_that_was_used_is_kept(running: Running) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    kept.request("GET", "/v1/models")
    kept.getresponse().read()
    used = kept.sock
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as slow:
        slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: ga")
        while slow.recv(1_024):
            continue
    # By now more time has passed than a head may take.
    kept.request("GET", "/v1/models")
    assert kept.getresponse().status == 200
    assert kept.sock is used
    kept.close()


def test_deep_and_wide_bodies_are_refused_by_name(running: Running) -> None:
    deep = b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = b'{"model":"m","messages":[' + b"1," * 1_000_001 + b"1]}"
    for body in (deep, wide):
        told = ask(running.port, "POST", CHAT, body, {"authorization": "Bearer sk-honest"})
        assert told.status == 400
        assert json.loads(told.body)["error"]["code"] == "request-body-unclear"
    many = {f"x-{number}": "1" for number in range(300)}
    assert ask(running.port, "POST", DECISIONS, {}, {**many, "x-stillwatch-token": GATEWAY_TOKEN}).status == 431
