"""No body and no header makes a door fail or lets through a call of a confirmed account: a whole gate under mutations.

What an upstream would have made of a request is told by the provider behind the proxy, which keeps what reaches it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import posixpath
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gate.applications import served
from tests.gate.gates import ask
from tests.gate.providers import Provider
from tests.gate.whole_gate import (
    CONFIRMED,
    CONFIRMED_KEY,
    DECISIONS,
    GATEWAY_TOKEN,
    HONEST,
    Running,
    Supplier,
    free_port,
    gate,
    shipped,
)

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")
grpc = pytest.importorskip("grpc")

GUARDRAIL = "/beta/litellm_basic_guardrail_api"
TOKEN = {"x-stillwatch-token": GATEWAY_TOKEN}
KEY = CONFIRMED_KEY.encode()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "text", "type", "parts", "messages", "tool_calls", "input", "signature"]
            )
            | st.text(max_size=6),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def envoy_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, provider: Provider, envoy_port: int) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gate")
    with served(provider) as url:
        more = f'[upstream]\nurl = "{url}"\n[envoy]\nport = {envoy_port}\n'
        Supplier(folder).prepare(shipped("strict"), proxy="true", envoy="true", more=more)
        with gate(folder) as started:
            yield started
            # Whatever came, nothing was decided by accident, and the gate is there.
            assert started.process.poll() is None
            for accident in ("gate-fault", "internal-error", "deadline", "gate-deadline"):
                assert started.alarm(accident) == 0, accident
            # Nobody writes into its log: every line is one of its own.
            assert all(line.startswith('{"time":') for line in started.lines)


# The proxy: raw bytes, since what matters is how two servers read the same ones.

WHITE = st.sampled_from([b"", b" ", b"  ", b"\t", b" \t "])
SCHEME = st.sampled_from([b"Bearer ", b"bearer ", b"BEARER  ", b"Bearer\t", b"Basic ", b""])
KEY_NAMES = st.sampled_from(
    [b"authorization", b"Authorization", b"AUTHORIZATION", b"x-api-key", b"Api-Key", b"x-goog-api-key"]
)


@st.composite
def key_lines(draw: Any) -> list[bytes]:
    """Lines of a head that name the confirmed key, and whatever may stand around it."""
    scheme = draw(SCHEME)
    value = draw(WHITE) + scheme + draw(WHITE) + KEY + draw(WHITE)
    # Without a scheme the key before another word would be the scheme.
    more = [b"", b"", b"", b", Bearer sk-other", b",sk-other", *([b" x"] if scheme else [])]
    value += draw(st.sampled_from(more))
    lines = [draw(KEY_NAMES) + b":" + draw(WHITE) + value]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(KEY_NAMES | st.sampled_from([b"x-user-id", b"x_user_id", b"X-Account-Id", b"x-organization-id"]))
        # An account that a caller writes is one only where no edge sets it: here it is empty, as one that was unset.
        said = (
            draw(SCHEME) + b"sk-other" if b"user" not in name and b"ccount" not in name and b"org" not in name else b""
        )
        lines.insert(draw(st.integers(0, len(lines))), name + b": " + said)
    return lines


@st.composite
def model_targets(draw: Any) -> bytes:
    """Targets that a server may take for a chat."""
    text = b"".join(
        b"%%%02x" % octet if octet != 47 and draw(st.integers(0, 11)) == 0 else bytes([octet])
        for octet in b"/v1/chat/completions"
    )
    text = draw(st.sampled_from([b"", b"/", b"/.", b"/x/..", b"http://other.example"])) + text
    return text + draw(
        st.sampled_from([b"", b"/", b"//", b"?a=1", b";x=1", b"/.", b"/x/..", b"/x/%2e%2e", b"%2f", b"#x"])
    )


CHATS = [
    json.dumps({"model": "m", "messages": [{"role": "user", "content": "tides"}]}).encode(),
    b' \n{"model" : "m",\t"messages":[{"role":"user","content":"t\\u0069des"}]} \n',
    b'{"model":"m","messages":[{"role":"user","content":"a"}],"user":"acct-honest","metadata":{"user_id":"acct-honest"}}',
    b'{"model":"m","model":"n","messages":[]}',
    b'\xef\xbb\xbf{"model":"m","messages":[]}',
    '{"model":"m","messages":[]}'.encode("utf-16"),
    gzip.compress(b'{"model":"m","messages":[]}'),
    b"", b"[]", b"null", b'{"model":"m"', b"{" * 5_000, b'{"messages":' + b"[" * 300 + b"]" * 300 + b"}",
]  # fmt: skip

BODIES = (
    st.sampled_from(CHATS[:3])
    | st.sampled_from(CHATS)
    | st.binary(max_size=60)
    | st.builds(lambda value: json.dumps(value).encode(), JSON)
)

OTHER = b"Authorization: Bearer sk-other"

FRAMES = ("length", "chunked", "extended", "gzip-named", "identity-named")


def framed(frame: str, body: bytes) -> bytes:
    if frame in ("chunked", "extended"):
        extension = b";x=y" if frame == "extended" else b""
        half = len(body) // 2
        pieces = b"".join(
            b"%x%s\r\n%s\r\n" % (len(each), extension, each) for each in (body[:half], body[half:]) if each
        )
        return b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    coded = {"gzip-named": b"Content-Encoding: gzip\r\n", "identity-named": b"content-encoding: Identity\r\n"}
    return coded.get(frame, b"") + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def told(port: int, request: bytes, patience_s: float = 30) -> bytes:
    """Send bytes and return what is answered, until the gate closes or says nothing for a while.

    Nothing is closed on this side before: who leaves takes his call with him.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(request)
        wire.settimeout(patience_s)
        answered = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while piece := wire.recv(65_536):
                answered += piece
        return answered


def statuses(answered: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"^HTTP/1\.1 (\d{3})", answered, re.MULTILINE)]


def reaches_a_model(sent: dict[str, Any]) -> bool:
    """Tell whether a server could take what reached the provider for a chat: decoded as often as anybody might."""
    path = sent["raw_path"].decode("latin-1").partition("?")[0]
    path = "/".join(segment.partition(";")[0] for segment in unquote(path).replace("\\", "/").split("/"))
    ends = ("/completions", "/messages", ":generatecontent")
    return sent["method"] not in ("GET", "HEAD") and posixpath.normpath(path).lower().endswith(ends)


@given(
    lines=key_lines(),
    target=model_targets(),
    body=BODIES,
    frame=st.sampled_from(FRAMES),
    method=st.sampled_from([b"POST", b"POST", b"POST", b"PUT", b"PATCH"]),
)
@example([OTHER, b"x-api-key: " + KEY], b"/v1/messages", CHATS[0], "length", b"POST")
@example([OTHER, b"Authorization: Bearer " + KEY], b"/v1/chat/completions", CHATS[0], "chunked", b"POST")
@example([], b"/v1beta/models/gemini-x:generateContent?key=" + KEY, b'{"contents":[]}', "length", b"POST")
@settings(max_examples=400)
def test_no_request_that_names_a_confirmed_key_reaches_a_model(
    running: Running, provider: Provider, lines: list[bytes], target: bytes, body: bytes, frame: str, method: bytes
) -> None:
    provider.requests.clear()
    head = b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: gate", b"Connection: close", *lines])
    answered = told(running.port, head + b"\r\n" + framed(frame, body))
    assert not [sent for sent in provider.requests if reaches_a_model(sent)]
    assert all(status < 500 for status in statuses(answered)), answered[:300]
    assert statuses(answered), "nothing was answered"


ODD = [
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: 0x5",
    b"Content-Length: -1",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding:\r\n chunked",
    b"transfer_encoding: chunked\r\nContent-Length: 5",
    b"X: y\rTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/files"])
def test_no_odd_framing_smuggles_a_call_past_the_gate(
    running: Running, provider: Provider, odd: bytes, path: bytes
) -> None:
    chat = CHATS[0]
    hidden = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
    )
    smuggled = hidden % (KEY, len(chat), chat)
    provider.requests.clear()
    head = b"POST " + path + b" HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer " + KEY + b"\r\n" + odd + b"\r\n\r\n"
    for body in (b"0\r\n\r\n" + smuggled, b"5\r\nhello\r\n0\r\n\r\n" + smuggled, smuggled):
        # Some of these wait for more, and get no answer before they are given up.
        answered = told(running.port, head + body, patience_s=0.5)
        assert not [sent for sent in provider.requests if reaches_a_model(sent)], provider.requests
        assert all(status < 500 for status in statuses(answered)), answered[:300]


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.sampled_from(["/v1/models", "/v1/files", "/v1/messages/batches", "/v1/audio/speech", "/", "/health"]),
    body=st.binary(max_size=200),
    value=st.text("abcé \t,;=%", max_size=20).map(str.strip),
)
@settings(max_examples=40)
def test_what_is_no_model_call_passes_as_it_is_whoever_sends_it(
    running: Running, provider: Provider, method: str, path: str, body: bytes, value: str
) -> None:
    provider.requests.clear()
    headers = {"authorization": f"Bearer {CONFIRMED_KEY}", "x-what": value.encode(), "content-type": "text/what"}
    answered = ask(running.port, method, path, body, headers)  # type: ignore[arg-type]
    assert (answered.status, answered.body) == (200, body)
    (sent,) = provider.requests
    assert (sent["method"], sent["raw_path"].decode(), sent["body"]) == (method, path, body)
    assert dict(sent["headers"])[b"x-what"] == value.encode()


# Gateways' doors: what a caller can write is inside of what his gateway sends.

PRINCIPALS = st.sampled_from(["user_api_key_user_id", "user_api_key_team_id", "user_api_key_hash"])


@given(
    who=PRINCIPALS,
    messages=st.none() | JSON,
    texts=st.none() | JSON,
    tools=st.none() | JSON,
    headers=st.none() | st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4),
    more=st.dictionaries(st.text(max_size=12), JSON, max_size=3),
)
@settings(max_examples=200)
@example("user_api_key_user_id", [{"role": "user", "content": "\ud800"}], ["\ud800"], None, {"X-User-Id": ""}, {})
@example("user_api_key_user_id", [[[[]]]], [], [{"function": 1}], {"x-user-id": "[present]"}, {})
def test_litellm_is_never_told_to_pass_a_confirmed_account(
    running: Running, who: str, messages: Any, texts: Any, tools: Any, headers: Any, more: dict[str, Any]
) -> None:
    asked = {
        **more, "input_type": "request", "litellm_call_id": "c-1", "model": "m", "structured_messages": messages,
        "texts": texts, "tools": tools, "request_data": {who: CONFIRMED}, "request_headers": headers,
    }  # fmt: skip
    answered = ask(running.port, "POST", GUARDRAIL, asked, TOKEN)
    assert answered.status in (200, 400)
    assert answered.status == 400 or answered.json()["action"] == "BLOCKED"


COLUMNS = ["turn_index", "temperature", "top_p", "choice_count", "max_tokens", "logprobs", "stream", "tool_names"]


@given(
    messages=st.none() | JSON,
    columns=st.dictionaries(
        st.sampled_from([*COLUMNS, "presented_blocks", "client_ip", "user_agent", "system_prompt", "input_text"]), JSON
    ),
    model=st.text(max_size=30),
)
@settings(max_examples=200)
@example(None, {"max_tokens": 10**40, "turn_index": -(10**40), "temperature": 1e308}, "\ud800")
@example([{"role": "user", "content": "\ud800"}], {"input_text": "\ud800", "presented_blocks": ["\ud800"] * 3}, "m")
def test_a_gateway_is_never_told_to_pass_a_confirmed_account(
    running: Running, messages: Any, columns: dict[str, Any], model: str
) -> None:
    asked = {"account_id": CONFIRMED, "request_model": model, "messages": messages, **columns}
    answered = ask(running.port, "POST", DECISIONS, asked, TOKEN)
    assert answered.status in (200, 400)
    assert answered.status == 400 or answered.json()["refuse"] is True


@given(body=st.binary(max_size=200), path=st.sampled_from([DECISIONS, GUARDRAIL, f"{DECISIONS}/x/reply"]))
@settings(max_examples=80)
def test_any_bytes_have_an_answer(running: Running, body: bytes, path: str) -> None:
    assert ask(running.port, "POST", path, body, TOKEN).status in (200, 400, 404)


# Forward-auth and Envoy: headers of the caller, handed on by a proxy.


@given(lines=key_lines(), target=model_targets(), proxy=st.sampled_from(["nginx", "traefik", "caddy"]))
@settings(max_examples=150)
def test_no_header_that_names_a_confirmed_key_is_allowed_to_pass(
    running: Running, lines: list[bytes], target: bytes, proxy: str
) -> None:
    name = b"X-Original-URI: " if proxy == "nginx" else b"X-Forwarded-Uri: "
    # A proxy tells the path that was asked, never the absolute form.
    target = target.removeprefix(b"http://other.example")
    head = [b"GET /forward-auth/" + proxy.encode() + b" HTTP/1.1", b"Host: gate", b"Connection: close", name + target]
    answered = told(
        running.port, b"\r\n".join([*head, b"x-stillwatch-token: " + GATEWAY_TOKEN.encode(), *lines, b"", b""])
    )
    assert statuses(answered) in ([400], [403]), answered[:400]


@pytest.fixture(scope="module")
def check(running: Running, envoy_port: int) -> Iterator[Any]:
    from envoy.service.auth.v3 import external_auth_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{envoy_port}") as channel:
        yield external_auth_pb2_grpc.AuthorizationStub(channel).Check


@given(
    lines=key_lines(),
    target=model_targets(),
    body=BODIES,
    is_map=st.booleans(),
)
@settings(max_examples=150)
def test_envoy_is_never_told_to_pass_a_confirmed_key(
    check: Any, lines: list[bytes], target: bytes, body: bytes, is_map: bool
) -> None:
    from envoy.service.auth.v3 import external_auth_pb2 as auth

    request = auth.CheckRequest()
    http = request.attributes.request.http
    http.method, http.path, http.raw_body = "POST", target.removeprefix(b"http://other.example").decode(), body
    for line in lines:
        name, _, value = line.partition(b":")
        lower, said = name.decode().lower(), value.strip(b" \t").decode()
        if is_map:
            # Envoy's map holds one value for a name: of several lines, all of them behind one another.
            http.headers[lower] = f"{http.headers[lower]},{said}" if lower in http.headers else said
        else:
            http.header_map.headers.add(key=lower, raw_value=said.encode())
    assert check(request, timeout=30).status.code != 0


def test_an_honest_caller_passes_at_every_door(running: Running, provider: Provider, check: Any) -> None:
    """What all the refusals above are measured against."""
    from envoy.service.auth.v3 import external_auth_pb2 as auth

    assert running.chat().status == 200
    assert running.decide(HONEST)["rung"] == "allow"
    asked = {"input_type": "request", "model": "m", "texts": ["a"], "request_data": {"user_api_key_user_id": HONEST}}
    assert ask(running.port, "POST", GUARDRAIL, asked, TOKEN).json()["action"] == "NONE"
    headers = {**TOKEN, "x-original-uri": "/v1/chat/completions", "authorization": "Bearer sk-honest"}
    assert ask(running.port, "GET", "/forward-auth/nginx", None, headers).status == 200
    request = auth.CheckRequest()
    request.attributes.request.http.path = "/v1/chat/completions"
    request.attributes.request.http.headers["authorization"] = "Bearer sk-honest"
    assert check(request, timeout=30).status.code == 0
