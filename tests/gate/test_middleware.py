"""The gate inside a Python gateway."""

import asyncio
import json
import re

import anthropic
import openai
import pytest

from stillwatch.gate.middleware import StillwatchMiddleware
from tests.gate.applications import served, until
from tests.gate.hand_written import NOTICE, HandWritten
from tests.gate.providers import REASONING, Provider
from tests.gate.test_proxy import ASKED, SAID, Stage
from tests.house.repository import ROOT

PAGE = (ROOT / "docs" / "gate-proxy.md").read_text(encoding="utf-8")


def as_written(holding, **names):
    """Run the example of the page that holds some words, and give what it defines."""
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if holding in block]
    for old, new in names.pop("instead", {}).items():
        block = block.replace(old, new)
    exec(compile(block, "docs/gate-proxy.md", "exec"), names)
    return names


@pytest.fixture
def stage():
    provider, parts = Provider(), HandWritten()
    app = as_written("def guarded")["guarded"](provider, parts.gate)
    with served(app) as url:
        yield Stage(provider, url, url, parts)


def test_the_clients_of_the_page_reach_the_model(stage):
    clients = as_written("by_anthropic", key="sk-1", instead={"http://127.0.0.1:8440": stage.url})
    assert clients["by_openai"].embeddings.create(model="m", input="tides").data
    assert clients["by_anthropic"].messages.create(model="m", max_tokens=5, messages=ASKED).content


def test_calls_of_the_application_are_decided_and_their_replies_read(stage):
    with stage.anthropic.messages.stream(model="m", max_tokens=50, messages=ASKED) as stream:
        assert "".join(stream.text_stream) == SAID
    told = stage.replied()
    assert (told.status, told.output_tokens, stage.parts.meter.doors) == (200, 7, ["middleware"])


def test_a_decision_is_carried_out_as_in_the_proxy(stage):
    stage.decide("strip", max_tokens_max=9, strip=frozenset({"reasoning"}), tag=(("x-stillwatch-tier", "watch"),))
    forged = {"x-stillwatch-tier": "none", "x-risk": "yes", "x-tenant": "t1"}
    reply = stage.openai.chat.completions.create(model="m", messages=ASKED, extra_headers=forged)
    assert REASONING not in repr(reply)
    assert stage.sent()["max_completion_tokens"] == 9
    assert stage.sent_headers()[b"x-stillwatch-tier"] == b"watch"
    assert b"x-risk" not in stage.sent_headers()
    assert stage.parts.policy.calls[-1].account_id == "t1"


def test_a_refusal_never_reaches_the_application(stage):
    stage.decide("deny", notice=NOTICE)
    with pytest.raises(openai.PermissionDeniedError):
        stage.openai.chat.completions.create(model="m", messages=ASKED)
    with pytest.raises(anthropic.PermissionDeniedError):
        stage.anthropic.messages.create(model="m", max_tokens=5, messages=ASKED)
    assert stage.provider.requests == []


def test_other_routes_pass_untouched(stage):
    stage.decide("deny", notice=NOTICE)
    status, _, echoed = stage.raw("POST", "/v1/files?x=1", b"\x00\xff")
    assert (status, echoed) == (200, b"\x00\xff")
    assert stage.parts.policy.calls == []


def test_a_caller_who_leaves_is_noticed_by_the_application(stage):
    stream = stage.openai.chat.completions.create(model="endless", messages=ASKED, stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: stage.provider.given_up == ["endless"], "the application goes on for nobody")
    assert stage.replied().finish_reason is None


def test_a_route_is_what_the_application_routes_by(stage):
    stage.decide("route", route="small")
    stage.post("/openai/deployments/big/embeddings", json.dumps({"input": "tides"}).encode())
    assert stage.provider.requests[-1]["path"] == "/openai/deployments/small/embeddings"


def test_a_websocket_passes_but_for_the_path_of_a_model_call():
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(scope["path"])

    async def send(message):
        sent.append(message["type"])

    middleware = StillwatchMiddleware(app, HandWritten().gate)
    for path in ("/live", "/v1/responses"):
        asyncio.run(middleware({"type": "websocket", "path": path, "headers": []}, None, send))
    assert (seen, sent) == (["/live"], ["websocket.close"])
