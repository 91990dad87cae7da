"""Envoy's checks, asked by a client of the published API over real gRPC."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

grpc = pytest.importorskip("grpc", reason="tools/setup.sh dev")

from envoy.config.core.v3 import base_pb2  # noqa: E402
from envoy.service.auth.v3 import attribute_context_pb2 as context  # noqa: E402
from envoy.service.auth.v3 import external_auth_pb2 as auth  # noqa: E402
from envoy.service.auth.v3 import external_auth_pb2_grpc as auth_grpc  # noqa: E402

from stillwatch.gate.contract import Call, Decision, Notice, Observed, Outcome, Recognition  # noqa: E402
from stillwatch.gate.envoy import EnvoyDoor, serve  # noqa: E402
from stillwatch.gate.requests import Identity  # noqa: E402
from stillwatch.gate.service import Gate  # noqa: E402

CHAT = {"model": "model-a", "messages": [{"role": "user", "content": "why is the sky blue"}]}
REFUSED = Decision(rung="deny", rule="r", notice=Notice("not-available", "This account cannot be served.", "ref-1"))


@dataclass
class Deciding:
    """A policy, a state and a meter of the test's own: what to decide is a function of the call."""

    by: Callable[[Call], Decision]
    ident: str = "test"
    wait_s: float = 0.0
    calls: list[Call] = field(default_factory=list)
    alarms: Counter[str] = field(default_factory=Counter)
    is_open: bool = True

    def decide(self, call: Call, recognition: Recognition, observed: Observed) -> Decision:
        self.calls.append(call)
        return self.by(call)

    def without_answer(self, ident: str) -> Decision:
        return Decision(error=ident) if self.is_open else Decision(rung="deny", error=ident)

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        await asyncio.sleep(self.wait_s)
        return Observed()

    async def record(self, outcome: Outcome) -> None:
        return None

    async def close(self) -> None:
        return None

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        return None

    def alarm(self, ident: str) -> None:
        self.alarms[ident] += 1


@asynccontextmanager
async def asked(deciding: Deciding, deadline_s: float = 5.0) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    gate = Gate(lambda: None, lambda: deciding, deciding, deciding, lambda digest: 1, wait_s=20.0)
    door = EnvoyDoor(gate, Identity(), deadline_s, lambda: 1_790_000_000_000_000)
    server, port = await serve(door, "127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = auth_grpc.AuthorizationStub(channel)
        yield lambda request, timeout=5.0: stub.Check(request, timeout=timeout)
    await server.stop(None)


def check(
    headers: Mapping[str, str], body: bytes = b"", path: str = "/v1/chat/completions", *, raw: bool = True
) -> Any:
    http = context.AttributeContext.HttpRequest(method="POST", path=path, host="api.example", headers=headers)
    if raw:
        http.raw_body = body
    else:
        http.body = body.decode()
    peer = context.AttributeContext.Peer()
    peer.address.socket_address.address = "203.0.113.9"
    request = context.AttributeContext.Request(http=http)
    return auth.CheckRequest(attributes=context.AttributeContext(request=request, source=peer))


def told(answer: Any) -> dict[str, str]:
    options = answer.ok_response.headers if answer.HasField("ok_response") else answer.denied_response.headers
    return {each.header.key: each.header.value for each in options}


async def answer_to(deciding: Deciding, request: Any, **given: Any) -> Any:
    async with asked(deciding, **given) as ask:
        return await ask(request)


def test_a_call_with_its_body_is_read_as_the_proxy_reads_it() -> None:
    deciding = Deciding(lambda call: Decision())
    answer = asyncio.run(answer_to(deciding, check({"x-user-id": "account-1"}, json.dumps(CHAT).encode())))
    assert answer.status.code == 0
    (call,) = deciding.calls
    assert (call.account_id, call.request_model, call.input_text) == ("account-1", "model-a", "why is the sky blue")
    assert call.client_ip == "203.0.113.9"


def test_headers_only_decide_by_the_account() -> None:
    deciding = Deciding(lambda call: REFUSED if call.account_id == "account-1" else Decision())
    answer = asyncio.run(answer_to(deciding, check({"x-user-id": "account-1"})))
    assert answer.denied_response.status.code == 403
    assert json.loads(answer.denied_response.body)["error"] == {
        "code": "not-available",
        "message": "This account cannot be served.",
        "reference": "ref-1",
    }


def test_a_refusal_by_rate_says_when_to_come_again() -> None:
    decision = Decision(rung="deny", retry_after_s=60, notice=REFUSED.notice)
    answer = asyncio.run(answer_to(Deciding(lambda call: decision), check({"x-user-id": "a"})))
    assert answer.denied_response.status.code == 429
    assert told(answer)["retry-after"] == "60"


def test_what_a_check_cannot_do_to_a_body_is_told_and_cannot_be_forged() -> None:
    decision = Decision(rung="cap", rule="r", max_tokens_max=256, strip=frozenset({"logprobs"}), tag=(("x-risk", "1"),))
    answer = asyncio.run(answer_to(Deciding(lambda call: decision), check({"x-user-id": "a"})))
    assert told(answer) == {"x-risk": "1", "x-stillwatch-max-tokens": "256", "x-stillwatch-strip": "logprobs"}
    assert answer.dynamic_metadata.fields["rung"].string_value == "cap"
    assert "x-stillwatch-route" in answer.ok_response.headers_to_remove
    overwrite = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    assert {each.append_action for each in answer.ok_response.headers} == {overwrite}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
def test_no_caller_writes_a_header_of_the_gates(path: str) -> None:
    sent = {"x-user-id": "a", "x-stillwatch-tier": "cleared", "x_stillwatch_mark": "1", "x-other": "1"}
    decision = Decision(rung="tag", tag=(("x-stillwatch-tier", "watch"),))
    answer = asyncio.run(answer_to(Deciding(lambda call: decision), check(sent, path=path)))
    removed = set(answer.ok_response.headers_to_remove)
    assert "x_stillwatch_mark" in removed
    assert "x-other" not in removed
    assert told(answer).get("x-stillwatch-tier") == "watch" or "x-stillwatch-tier" in removed


@pytest.mark.parametrize(("is_open", "status"), [(True, 0), (False, 7)])
def test_an_internal_error_is_an_answer_of_the_policy_and_never_a_failed_call(is_open: bool, status: int) -> None:
    def fail(call: Call) -> Decision:
        raise RuntimeError

    deciding = Deciding(fail, is_open=is_open)
    answer = asyncio.run(answer_to(deciding, check({"x-user-id": "a"})))
    assert answer.status.code == status
    assert told(answer)["x-stillwatch-error"] == "internal-error"
    assert deciding.alarms == {"internal-error": 1}


def test_a_check_is_answered_within_its_deadline() -> None:
    deciding = Deciding(lambda call: Decision(), wait_s=30.0)
    answer = asyncio.run(answer_to(deciding, check({"x-user-id": "a"}), deadline_s=0.02))
    assert told(answer)["x-stillwatch-error"] == "deadline"


def test_the_clients_own_deadline_counts_where_it_is_shorter() -> None:
    async def ask_in_a_hurry() -> Any:
        async with asked(Deciding(lambda call: Decision(), wait_s=30.0), deadline_s=60.0) as ask:
            return await ask(check({"x-user-id": "a"}), timeout=0.5)

    assert told(asyncio.run(ask_in_a_hurry()))["x-stillwatch-error"] == "deadline"


def test_a_body_that_two_readers_read_in_two_ways_is_refused() -> None:
    body = b'{"model": "model-a", "messages": [], "messages": [{"role": "user", "content": "x"}]}'
    answer = asyncio.run(answer_to(Deciding(lambda call: Decision()), check({"x-user-id": "a"}, body)))
    assert answer.denied_response.status.code == 400


def test_a_cut_body_is_told_and_the_account_still_counts() -> None:
    deciding = Deciding(lambda call: REFUSED)
    headers = {"x-user-id": "a", "x-envoy-auth-partial-body": "true"}
    answer = asyncio.run(answer_to(deciding, check(headers, b'{"model": "model-a", "mess')))
    assert answer.denied_response.status.code == 403
    assert deciding.alarms["body-cut"] == 1


def test_what_is_no_model_call_passes_unasked() -> None:
    deciding = Deciding(lambda call: REFUSED)
    answer = asyncio.run(answer_to(deciding, check({"x-user-id": "a"}, b"anything", "/v1/files")))
    assert answer.status.code == 0
    assert deciding.calls == []


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=300),
    headers=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=5),
    path=st.sampled_from(["/v1/chat/completions", "/v1/messages", "/", "//v1/messages/?x", "/v1/%6dessages"]),
)
def test_no_request_makes_a_check_fail(body: bytes, headers: dict[str, str], path: str) -> None:
    deciding = Deciding(lambda call: REFUSED)
    answer = asyncio.run(answer_to(deciding, check(headers, body, path)))
    assert answer.status.code in (0, 7)
    assert not deciding.alarms["internal-error"]
