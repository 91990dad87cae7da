"""An upstream that is slow, dead, cut in the middle or left by its caller, behind a whole gate."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests.gate.applications import served
from tests.gate.gates import ask, until
from tests.gate.providers import Provider
from tests.gate.whole_gate import CHAT, CONFIRMED_KEY, Running, Supplier, free_port, gate, shipped

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")

SENT = {"authorization": "Bearer sk-honest", "content-type": "application/json"}


def body(model: str, **more: object) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "tides"}], **more}).encode()


def slow_to_answer(seconds: float) -> str:
    return f"connect-seconds = 2.0\nread-seconds = {seconds}"


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gate")
    with served(provider) as url:
        more = f'[upstream]\nurl = "{url}"\n{slow_to_answer(1.0)}'
        Supplier(folder).prepare(shipped("cautious"), proxy="true", more=more)
        with gate(folder) as started:
            yield started


def is_well(running: Running) -> None:
    assert running.chat().status == 200
    assert running.chat(CONFIRMED_KEY).status == 403


def test_a_slow_upstream_is_answered_for_in_time(running: Running) -> None:
    told = ask(running.port, "POST", CHAT, body("hang"), SENT)
    assert told.status == 504
    assert "error" in told.json()
    is_well(running)


def test_a_reply_that_is_cut_does_not_look_whole(running: Running) -> None:
    for asked in (body("cut"), body("cut", stream=True)):
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            ask(running.port, "POST", CHAT, asked, SENT)
    is_well(running)


def test_a_caller_who_leaves_takes_the_call_with_him(running: Running, provider: Provider) -> None:
    asked = body("endless", stream=True)
    head = f"POST {CHAT} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer sk-1\r\ncontent-length: {len(asked)}\r\n\r\n"
    provider.given_up.clear()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as leaving:
        leaving.sendall(head.encode() + asked)
        assert leaving.recv(1_024).startswith(b"HTTP/1.1 200")
    until(lambda: provider.given_up == ["endless"], 30)
    is_well(running)


def test_a_dead_upstream_is_answered_for_and_is_asked_again_when_it_is_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, port = tmp_path_factory.mktemp("gate"), free_port()
    more = f'[upstream]\nurl = "http://127.0.0.1:{port}"\n{slow_to_answer(5.0)}'
    Supplier(folder).prepare(shipped("cautious"), proxy="true", more=more)
    with gate(folder) as running:
        assert running.chat().status == 502
        # Who is refused is refused whatever the upstream does.
        assert running.chat(CONFIRMED_KEY).status == 403
        with served(Provider(), port=port):
            until(lambda: running.chat().status == 200, 30)
        assert running.chat().status == 502
        assert running.end() == 0
