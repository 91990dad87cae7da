"""A gate that is told to stop ends what it began; one that is killed loses no event of a call that was answered."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gate.applications import served
from tests.gate.gates import Response, ask, until
from tests.gate.providers import Provider
from tests.gate.whole_gate import (
    ADMIN_TOKEN,
    CHAT,
    CONFIRMED,
    DECISIONS,
    GATEWAY_TOKEN,
    Running,
    Supplier,
    gate,
    shipped,
)

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")

DRAIN_S = 2

EXIT_S_MAX = 3 * DRAIN_S + 20
"""Each of the gate's servers has the bound for itself; the rest is for a busy machine."""

TOKEN = {"x-stillwatch-token": GATEWAY_TOKEN}


class Held(Provider):
    """Answers the model `held` once a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    async def answer(self, asked: Any, answered: Any, receive: Any, send: Any) -> None:
        if asked["model"] == "held":
            self.asked.set()
            while not self.go.is_set():  # noqa: ASYNC110  # the event is another thread's
                await asyncio.sleep(0.01)
        await super().answer(asked, answered, receive, send)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def ready(running: Running) -> dict[str, object]:
    return ask(running.admin_port, "GET", "/readyz", headers={"authorization": f"Bearer {ADMIN_TOKEN}"}).json()


def test_after_sigterm_open_calls_end_new_ones_are_refused_and_the_exit_is_clean(tmp_path: Path) -> None:
    provider = Held()
    with served(provider) as url:
        more = f'[upstream]\nurl = "{url}"'
        Supplier(tmp_path).prepare(shipped("cautious"), proxy="true", drain_s=60, more=more)
        with gate(tmp_path) as running:
            # A connection that is kept and says nothing now keeps nobody from going.
            idle = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
            idle.request("GET", "/v1/models")
            idle.getresponse().read()
            told: list[Response] = []
            open_call = threading.Thread(target=lambda: told.append(running.chat(model="held")))
            open_call.start()
            assert provider.asked.wait(30)
            running.process.send_signal(signal.SIGTERM)
            until(lambda: refuses(running.port), 30)
            assert ready(running) == {"status": "draining"}
            assert not told
            provider.go.set()
            open_call.join(30)
            assert told[0].status == 200
            assert running.process.wait(EXIT_S_MAX) == 0
            idle.close()


def test_a_call_that_never_ends_holds_the_gate_no_longer_than_the_bound(tmp_path: Path) -> None:
    with served(Provider()) as url:
        more = f'[upstream]\nurl = "{url}"'
        Supplier(tmp_path).prepare(shipped("cautious"), proxy="true", drain_s=DRAIN_S, more=more)
        asked = json.dumps({"model": "endless", "stream": True, "messages": []}).encode()
        with gate(tmp_path) as running, socket.create_connection(("127.0.0.1", running.port), timeout=30) as endless:
            endless.sendall(f"POST {CHAT} HTTP/1.1\r\nhost: g\r\ncontent-length: {len(asked)}\r\n\r\n".encode() + asked)
            assert endless.recv(1_024).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            assert running.end(seconds=EXIT_S_MAX) == 0
            assert time.monotonic() - begun < EXIT_S_MAX


CAPTURE = '[capture]\ndir = "events"\nspool = "spool"\nformat = "jsonl"\nrotate-seconds = {rotate_s}\n'


def decided(running: Running, name: str) -> None:
    """Ask the neutral door, and tell how the call ended."""
    ident = running.decide(text=name)["id"]
    told = ask(running.port, "POST", f"{DECISIONS}/{ident}/reply", {"status": 200}, TOKEN)
    assert told.status == 204


def refused(running: Running, name: str) -> None:
    assert running.decide(CONFIRMED, text=name)["refuse"]


def proxied(running: Running, name: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": name}]}
    assert ask(running.port, "POST", CHAT, body, {"authorization": "Bearer sk-1"}).status == 200


def proxied_refused(running: Running, name: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": name}]}
    assert ask(running.port, "POST", CHAT, body, {"x-user-id": CONFIRMED}).status == 403


def test_a_gate_that_is_killed_loses_no_event_of_a_call_that_was_answered(tmp_path: Path) -> None:
    ways: tuple[Callable[[Running, str], None], ...] = (decided, refused, proxied, proxied_refused)
    answered: dict[str, list[str]] = {way.__name__: [] for way in ways}

    def call_on(running: Running, way: Callable[[Running, str], None]) -> None:
        for number in range(100_000):
            name = f"{way.__name__}-{number}"
            try:
                way(running, name)
            except (OSError, http.client.HTTPException):
                return  # It was killed.
            answered[way.__name__].append(name)

    with served(Provider()) as url:
        options = {"proxy": "true", "more": f'[upstream]\nurl = "{url}"\n' + CAPTURE.format(rotate_s=3_600.0)}
        supplier = Supplier(tmp_path)
        supplier.prepare(shipped("cautious"), **options)
        with gate(tmp_path) as running:
            threads = [threading.Thread(target=call_on, args=(running, way)) for way in ways]
            for thread in threads:
                thread.start()
            until(lambda: all(len(names) >= 25 for names in answered.values()), 60)
            running.process.kill()
            for thread in threads:
                thread.join(30)
        # A reply that passes is the upstream's: its last byte is with the caller before the gate knows that it was the
        # last, so that the one reply of this caller that was just over may be missing.
        answered["proxied"].pop()
        assert not (tmp_path / "events").exists()
        modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "spool").rglob("*.open")}
        assert modes == {"0o600"}
        settings = (tmp_path / "gate.toml").read_text()
        (tmp_path / "gate.toml").write_text(settings.replace("rotate-seconds = 3600.0", "rotate-seconds = 0.05"))
        with gate(tmp_path) as again:
            until(lambda: kept(tmp_path) >= set().union(*answered.values()), 30)
            assert again.alarm("capture-dropped") == 0
            assert again.end() == 0


def kept(folder: Path) -> set[str]:
    """Return the texts of all calls that were handed on."""
    found: set[str] = set()
    for file in (folder / "events").rglob("*.jsonl.gz"):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            found.update(re.findall(r"\b(?:decided|refused|proxied|proxied_refused)-\d+\b", line.decode()))
    return found
