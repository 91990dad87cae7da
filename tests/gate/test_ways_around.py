"""No request chooses where the gate sends it, and none reaches what is for operators or for gateways."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gate.applying import applied, routed
from stillwatch.gate.contract import Decision
from stillwatch.gate.forwarding import is_safe_target
from tests.gate.applications import served
from tests.gate.gates import ask
from tests.gate.providers import Provider
from tests.gate.test_fuzz import statuses, told
from tests.gate.whole_gate import ADMIN_TOKEN, CHAT, CONFIRMED, DECISIONS, Running, Supplier, gate, shipped

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "tides"}]}).encode()


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gate")
    with served(provider) as url:
        # As it stands in docs/gate-proxy.md: no token for gateways.
        Supplier(folder).prepare(shipped("cautious"), proxy="true", listen="", more=f'[upstream]\nurl = "{url}"')
        with gate(folder) as started:
            yield started


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A place that nothing may be sent to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_nothing_in_a_request_chooses_where_it_goes(
    running: Running, provider: Provider, elsewhere: socket.socket
) -> None:
    place = f"127.0.0.1:{elsewhere.getsockname()[1]}"
    heads = [
        f"POST {CHAT} HTTP/1.1\r\nHost: {place}",
        f"POST http://{place}{CHAT} HTTP/1.1\r\nHost: gate",
        f"POST http://{place}/v1/files HTTP/1.1\r\nHost: {place}",
        f"POST //{place}{CHAT} HTTP/1.1\r\nHost: gate",
        f"POST /@{place}{CHAT} HTTP/1.1\r\nHost: gate",
        f"POST /%40{place}/v1/files HTTP/1.1\r\nHost: gate",
        f"POST {CHAT}?url=http://{place}/ HTTP/1.1\r\nHost: gate",
        f"CONNECT {place} HTTP/1.1\r\nHost: {place}",
        *(
            f"POST {CHAT} HTTP/1.1\r\nHost: gate\r\n{name}: {value}"
            for name, value in (
                ("X-Forwarded-Host", place), ("X-Forwarded-Server", place), ("Forwarded", f"host={place}"),
                ("X-Original-URL", f"http://{place}/"), ("X-Rewrite-URL", f"http://{place}/"), ("X-Host", place),
                ("Proxy-Connection", "keep-alive"), ("Proxy-Authorization", "Basic eA=="), ("Origin", f"http://{place}"),
                ("X-Stillwatch-Route", f"http://{place}/"), ("Location", f"http://{place}/"),
            )
        ),
    ]  # fmt: skip
    for head in heads:
        provider.requests.clear()
        sent = f"{head}\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
        answered = statuses(told(running.port, sent))
        assert answered, head
        for request in provider.requests:
            headers = dict(request["headers"])
            assert place.encode() not in headers[b"host"], head
            assert b"x-forwarded-server" not in headers, head
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


@given(
    model=st.text(min_size=1, max_size=40) | st.sampled_from(["../../admin", "a?b#c", "http://127.0.0.1/", "%2e%2e/"])
)
def test_a_route_changes_the_model_and_never_the_place(model: str) -> None:
    decision = Decision(rung="route", route=model)
    for path in (b"/openai/deployments/gpt/chat/completions", b"/v1beta/models/gemini-x:generateContent"):
        try:
            changed = routed(path, decision)
        except UnicodeEncodeError:
            continue  # A lone surrogate, which no policy file holds.
        assert changed.count(b"/") == path.count(b"/")
        assert (
            is_safe_target(changed, b"")
            or model.strip() in (".", "..")
            or not model.isprintable()
            or "%" in model
            or (".." in model or "\\" in model)
        )
    assert applied({"model": "m", "messages": []}, "chat", decision) in (None, {"model": model, "messages": []})


def test_what_is_for_operators_is_not_on_the_public_port(running: Running, provider: Provider) -> None:
    bearer = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    for path in ("/metrics", "/healthz", "/readyz", "/snapshot", "/reload", "//metrics", "/%6detrics"):
        for method in ("GET", "POST"):
            provider.requests.clear()
            answered = ask(running.port, method, path, b"", bearer)
            # To the gate it is a path like any other: the provider's.
            assert len(provider.requests) == 1, path
            assert b"stillwatch" not in answered.body


def test_what_is_for_operators_needs_their_token(running: Running) -> None:
    wrong = [{}, {"authorization": f"Bearer {ADMIN_TOKEN}x"}, {"authorization": f"Bearer {ADMIN_TOKEN[:-1]}"}]
    wrong += [{"authorization": f"Basic {ADMIN_TOKEN}"}, {"authorization": "Bearer "}, {"authorization": ADMIN_TOKEN}]
    wrong += [{"x-stillwatch-token": ADMIN_TOKEN}, {"authorization": "Bearer " + "\xe9" * len(ADMIN_TOKEN)}]
    for headers in wrong:
        for method, path in (("GET", "/metrics"), ("GET", "/snapshot"), ("POST", "/reload"), ("GET", "/none")):
            assert ask(running.admin_port, method, path, None, headers).status == 401, (headers, path)
    assert ask(running.admin_port, "POST", "/reload", None, {"authorization": f"Bearer {ADMIN_TOKEN}"}).status == 200


def test_a_caller_of_the_proxy_cannot_ask_what_is_known_of_an_account(running: Running) -> None:
    """Where callers reach the port and no token tells gateways apart, the gateways' doors answer nobody."""
    asked = {"account_id": CONFIRMED, "request_model": "m"}
    assert ask(running.port, "POST", DECISIONS, asked).status == 401
    who = {"input_type": "request", "request_data": {"user_api_key_user_id": CONFIRMED}}
    assert ask(running.port, "POST", "/beta/litellm_basic_guardrail_api", who).status == 401
    headers = {"x-original-uri": CHAT, "x-user-id": CONFIRMED}
    assert ask(running.port, "GET", "/forward-auth/nginx", None, headers).status == 401
    assert running.chat().status == 200
