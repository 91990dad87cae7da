"""Three proxies ask in three ways, and each gets what it can pass on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stillwatch.gate.exchange import Answer, Asked, UnreadableError
from stillwatch.gate.forward_auth import ForwardAuth
from tests.gate.values import Standing, settings_of

CHAT = "/v1/chat/completions?stream=1"

URI = {"nginx": "x-original-uri", "traefik": "x-forwarded-uri", "caddy": "x-forwarded-uri"}

each_proxy = pytest.mark.parametrize("proxy", list(URI))


def door(standing: Standing, folder: Path) -> ForwardAuth:
    found = standing.assembly(settings_of(folder)).doors[2]
    assert isinstance(found, ForwardAuth)
    return found


def answered(standing: Standing, folder: Path, proxy: str, account: str, **headers: str) -> Answer:
    sent = {URI.get(proxy, "x-original-uri"): CHAT, "x-user-id": account, **headers}
    return asyncio.run(door(standing, folder).answer(Asked("GET", f"/forward-auth/{proxy}", sent, b"")))


def headers_of(answer: Answer) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in answer.headers}


@each_proxy
def test_an_unknown_account_passes(tmp_path: Path, proxy: str) -> None:
    answer = answered(Standing(), tmp_path, proxy, "acct-1")
    assert (answer.status, headers_of(answer)) == (200, {"x-stillwatch-rung": "allow", "x-stillwatch-left": "none"})


@each_proxy
def test_what_a_header_cannot_carry_out_is_told_and_noted(tmp_path: Path, proxy: str) -> None:
    standing = Standing()
    answer = answered(standing, tmp_path, proxy, "acct-capped", **{"x-model": "model-a"})
    assert answer.status == 200
    assert headers_of(answer) == {
        "x-stillwatch-rung": "strip",
        "x-stillwatch-max-tokens": "256",
        "x-stillwatch-max-choices": "1",
        "x-stillwatch-strip": "logprobs,reasoning",
        "x-stillwatch-left": "max-tokens,max-choices,strip",
        "x-risk": "suspected",
    }
    noted = standing.capture.calls[0][0].decision.reasons
    assert [(reason.code, reason.detail) for reason in noted] == [("left-to-others", "max-tokens,max-choices,strip")]


@pytest.mark.parametrize("proxy", ["traefik", "caddy"])
@pytest.mark.parametrize(
    ("account", "status"), [("acct-confirmed", 403), ("acct-rated", 429), ("acct-stepped-up", 401)]
)
def test_a_proxy_that_hands_a_refusal_on_gets_it_ready_for_the_caller(
    tmp_path: Path, proxy: str, account: str, status: int
) -> None:
    answer = answered(Standing(), tmp_path, proxy, account)
    assert answer.status == status
    assert set(json.loads(answer.body)["error"]) == {"code", "message", "reference"}
    assert not [name for name in headers_of(answer) if name.startswith("x-")]


@pytest.mark.parametrize("proxy", ["traefik", "caddy"])
def test_a_caller_cannot_use_another_proxys_header(tmp_path: Path, proxy: str) -> None:
    assert answered(Standing(), tmp_path, proxy, "acct-confirmed", **{"x-original-uri": "/health"}).status == 403


def test_a_call_whose_model_nobody_names_is_decided_and_not_captured(tmp_path: Path) -> None:
    standing = Standing()
    answered(standing, tmp_path, "nginx", "acct-1")
    assert len(standing.state.seen) == 1
    assert not standing.capture.calls


def test_a_request_without_its_path_is_no_question(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        answered(Standing(), tmp_path, "nginx", "acct-1", **{"x-original-uri": ""})
    with pytest.raises(UnreadableError):
        answered(Standing(), tmp_path, "apache", "acct-1")


def test_a_notice_cannot_begin_another_header(tmp_path: Path) -> None:
    standing = Standing()
    standing.policy.closed = True
    decision = standing.policy.without_answer("deadline\r\nx-evil: 1")
    answer = door(standing, tmp_path).unanswered(decision)
    assert (answer.status, headers_of(answer)["x-stillwatch-status"]) == (403, "503")
    assert not [value for value in headers_of(answer).values() if "\n" in value]
