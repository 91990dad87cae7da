"""The official clients against the proxy, in front of a provider that speaks both APIs."""

import concurrent.futures
import contextlib
import http.client
import json
import socket
import threading
import time

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.adapters.messages import block_digest
from stillwatch.gate.contract import Decision, Notice
from stillwatch.gate.forwarding import UpstreamSettings
from stillwatch.gate.proxy import Proxy
from stillwatch.gate.receiving import Bounds
from stillwatch.gate.requests import Identity
from stillwatch.gate.upstream import Upstream
from tests.gate.applications import served, until
from tests.gate.hand_written import NOTICE, HandWritten
from tests.gate.providers import REASONING, Provider

ASKED = [{"role": "user", "content": "When is high water on Friday?"}]
TIDE = {"name": "tide", "description": "Tide times", "parameters": {"type": "object", "properties": {}}}
SAID = "High water at six."


class Stage:
    """A provider, the proxy before it, and the parts of its gate."""

    def __init__(self, provider, provider_url, proxy_url, parts):
        self.provider, self.provider_url, self.url, self.parts = provider, provider_url, proxy_url, parts
        self.openai = openai.OpenAI(api_key="sk-1", base_url=f"{proxy_url}/v1", max_retries=0)
        self.anthropic = anthropic.Anthropic(api_key="sk-2", base_url=proxy_url, max_retries=0)

    def decide(self, rung="allow", **changes):
        self.parts.policy.decision = Decision(rung=rung, **changes)

    def sent(self):
        return json.loads(self.provider.requests[-1]["body"])

    def sent_headers(self):
        return dict(self.provider.requests[-1]["headers"])

    def replied(self):
        until(lambda: self.parts.replies, "the gate was not told of the reply")
        return self.parts.replies[-1]

    def connection(self):
        return contextlib.closing(http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=20))

    def raw(self, method, path, body=None, headers=None):
        with self.connection() as connection:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()

    def post(self, path, body, headers=None):
        return self.raw("POST", path, body, {"content-type": "application/json", **(headers or {})})


@contextlib.contextmanager
def staged(base="", bounds=None, unknown="pass", **upstream):
    provider, parts = Provider(), HandWritten()
    with served(provider) as provider_url:
        to = Upstream(UpstreamSettings(f"{provider_url}{base}", **upstream))
        with served(Proxy(parts.gate, to, Identity(), bounds, unknown)) as proxy_url:
            yield Stage(provider, provider_url, proxy_url, parts)


@pytest.fixture(scope="module")
def one_stage():
    with staged() as stage:
        yield stage


@pytest.fixture
def stage(one_stage):
    one_stage.decide()
    one_stage.parts.policy.fault = None
    for written in (one_stage.parts.replies, one_stage.parts.meter.alarms, one_stage.parts.policy.calls):
        written.clear()
    one_stage.provider.requests.clear()
    one_stage.provider.given_up.clear()
    return one_stage


def test_a_chat_passes_and_is_known_with_its_tokens(stage):
    reply = stage.openai.chat.completions.create(model="m", messages=ASKED, temperature=0.5)
    assert reply.choices[0].message.content == SAID
    (call,) = stage.parts.policy.calls
    assert (call.input_text, call.request_model, call.temperature) == (ASKED[0]["content"], "m", 0.5)
    assert call.account_id.startswith("key:")
    told = stage.replied()
    assert (told.status, told.input_tokens, told.output_tokens, told.finish_reason) == (200, 11, 7, "stop")
    assert told.duration_ms > 0
    assert stage.parts.meter.doors[-1] == "proxy"


def test_a_streamed_chat_passes_word_by_word(stage):
    asked = {"model": "m", "messages": ASKED, "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(stage.openai.chat.completions.create(**asked))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    told = stage.replied()
    assert (told.output_tokens, told.finish_reason) == (7, "stop")


def test_a_word_does_not_wait_for_the_end_of_the_stream(stage):
    stream = stage.openai.chat.completions.create(model="endless", messages=ASKED, stream=True)
    assert next(iter(stream)).choices[0].delta.role == "assistant"
    stream.close()
    until(lambda: stage.provider.given_up == ["endless"], "the provider goes on for nobody")


def test_a_word_does_not_wait_where_the_stream_is_stripped(stage):
    stage.decide("strip", strip=frozenset({"reasoning"}))
    stream = stage.openai.chat.completions.create(model="endless", messages=ASKED, stream=True)
    assert next(iter(stream)).choices[0].delta.role == "assistant"
    stream.close()
    until(lambda: stage.provider.given_up == ["endless"], "the provider goes on for nobody")


def test_tools_pass_both_ways(stage):
    tools = [{"type": "function", "function": TIDE}]
    reply = stage.openai.chat.completions.create(model="m", messages=ASKED, tools=tools)
    assert reply.choices[0].message.tool_calls[0].function.name == "tide"
    assert stage.parts.policy.calls[-1].tool_names == ("tide",)
    schema = {"name": "tide", "input_schema": {"type": "object"}}
    reply = stage.anthropic.messages.create(model="m", max_tokens=50, messages=ASKED, tools=[schema])
    assert reply.content[1].input == {"day": "Friday"}
    with stage.anthropic.messages.stream(model="m", max_tokens=50, messages=ASKED, tools=[schema]) as stream:
        assert stream.get_final_message().stop_reason == "tool_use"


def test_embeddings_pass(stage):
    reply = stage.openai.embeddings.create(model="m", input="tides")
    assert reply.data[0].embedding == [0.5, 0.25]
    assert stage.parts.policy.calls[-1].operation == "embeddings"
    assert stage.replied().input_tokens == 4


def test_the_responses_api_passes_whole_and_streamed(stage):
    reply = stage.openai.responses.create(model="m", input="Tides?")
    assert reply.output_text == SAID
    told = stage.replied()
    assert (told.output_tokens, told.reasoning_tokens, told.cached_tokens) == (7, 5, 3)
    assert told.issued_blocks == (block_digest("sealed-1"),)
    stage.parts.replies.clear()
    with stage.openai.responses.stream(model="m", input="Tides?") as stream:
        assert stream.get_final_response().output_text == SAID
    told = stage.replied()
    assert (told.output_tokens, told.issued_blocks, told.finish_reason) == (7, (block_digest("sealed-1"),), "stop")


def test_anthropics_messages_pass_whole_and_streamed(stage):
    reply = stage.anthropic.messages.create(model="m", max_tokens=50, messages=ASKED)
    assert (reply.content[0].signature, reply.content[1].text) == ("sealed-2", SAID)
    assert stage.replied().issued_blocks == (block_digest("sealed-2"),)
    stage.parts.replies.clear()
    with stage.anthropic.messages.stream(model="m", max_tokens=50, messages=ASKED) as stream:
        assert "".join(stream.text_stream) == SAID
    told = stage.replied()
    assert (told.output_tokens, told.issued_blocks, told.finish_reason) == (7, (block_digest("sealed-2"),), "end_turn")


def test_an_error_of_the_provider_reaches_the_client_as_it_is(stage):
    with pytest.raises(openai.RateLimitError) as caught:
        stage.openai.chat.completions.create(model="error", messages=ASKED)
    assert caught.value.response.headers["retry-after"] == "3"
    assert stage.replied().status == 429
    with pytest.raises(anthropic.RateLimitError):
        stage.anthropic.messages.create(model="error", max_tokens=50, messages=ASKED)


def test_a_call_that_nothing_bounds_is_passed_on_byte_for_byte(stage):
    body = b' {"model" : "m", "messages":[{"role":"user","content":"\\u0041 \\ud83d"}], "temperature":1e-1}\n'
    for rung in ("allow", "shadow", "tag"):
        stage.decide(rung, max_tokens_max=1, strip=frozenset({"logprobs"}), route="other")
        status, _, answered = stage.post("/v1/chat/completions?beta=true", body)
        assert (status, stage.provider.requests[-1]["body"]) == (200, body)
        assert stage.provider.requests[-1]["query_string"] == b"beta=true"
        direct = http.client.HTTPConnection(stage.provider_url.removeprefix("http://"))
        direct.request("POST", "/v1/chat/completions", body)
        assert answered == direct.getresponse().read()
        direct.close()


def test_a_cap_bounds_what_is_asked_for_and_no_more(stage):
    stage.decide("cap", max_tokens_max=100, choice_count_max=2)
    stage.openai.chat.completions.create(model="m", messages=ASKED, max_tokens=5000, n=5, temperature=0.5)
    assert stage.sent() == {"model": "m", "messages": ASKED, "max_tokens": 100, "n": 2, "temperature": 0.5}
    stage.openai.chat.completions.create(model="m", messages=ASKED, max_completion_tokens=20)
    assert stage.sent()["max_completion_tokens"] == 20
    stage.openai.chat.completions.create(model="m", messages=ASKED)
    assert stage.sent()["max_completion_tokens"] == 100
    stage.openai.responses.create(model="m", input="Tides?")
    assert stage.sent()["max_output_tokens"] == 100
    stage.anthropic.messages.create(model="m", max_tokens=5000, messages=ASKED)
    assert stage.sent()["max_tokens"] == 100


def test_a_strip_takes_log_probabilities_and_further_choices_out_of_request_and_reply(stage):
    stage.decide("strip", strip=frozenset({"logprobs", "n-best"}))
    asked = {"messages": ASKED, "logprobs": True, "top_logprobs": 5, "n": 2}
    reply = stage.openai.chat.completions.create(model="generous", **asked)
    assert stage.sent() == {"model": "generous", "messages": ASKED, "n": 1}
    assert [(choice.message.content, choice.logprobs) for choice in reply.choices] == [(SAID, None)]
    chunks = list(stage.openai.chat.completions.create(model="generous", stream=True, **asked))
    said = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in said) == SAID
    assert {choice.logprobs for choice in said} == {None}
    with stage.openai.responses.stream(model="m", input="Tides?", include=["message.output_text.logprobs"]) as stream:
        events = [repr(event) for event in stream]
    assert stage.sent()["include"] == []
    assert not any("logprob=" in event for event in events)


def test_a_strip_takes_readable_reasoning_out_and_leaves_what_a_conversation_needs(stage):
    stage.decide("strip", strip=frozenset({"reasoning"}))
    ask = stage.openai.chat.completions.create
    assert REASONING not in ask(model="m", messages=ASKED).model_dump_json()
    streamed = [repr(chunk) for chunk in ask(model="m", messages=ASKED, stream=True)]
    assert not any(REASONING in chunk for chunk in streamed)
    assert any("six." in chunk for chunk in streamed)
    reply = stage.openai.responses.create(model="m", input="Tides?", reasoning={"effort": "low", "summary": "auto"})
    assert stage.sent()["reasoning"] == {"effort": "low"}
    assert (reply.output[0].summary, reply.output[0].encrypted_content) == ([], "sealed-1")
    with stage.openai.responses.stream(model="m", input="Tides?") as stream:
        events = [repr(event) for event in stream]
        assert stream.get_final_response().output_text == SAID
    assert not any(REASONING in event for event in events)
    reply = stage.anthropic.messages.create(model="m", max_tokens=50, messages=ASKED)
    assert (reply.content[0].thinking, reply.content[0].signature) == ("", "sealed-2")
    with stage.anthropic.messages.stream(model="m", max_tokens=50, messages=ASKED) as stream:
        final = stream.get_final_message()
    assert [final.content[0].thinking, final.content[0].signature, final.content[1].text] == ["", "sealed-2", SAID]
    assert stage.replied().issued_blocks


def test_a_route_asks_another_model_and_says_so(stage):
    stage.decide("route", route="smaller")
    assert stage.openai.chat.completions.create(model="m", messages=ASKED).model == "smaller"
    stage.post("/openai/deployments/big/chat/completions", json.dumps({"messages": ASKED}).encode())
    assert stage.provider.requests[-1]["path"] == "/openai/deployments/smaller/chat/completions"


def test_tags_go_to_the_provider_and_no_caller_writes_or_drops_them(stage):
    stage.decide("tag", tag=(("X-Stillwatch-Tier", "suspected"), ("x-risk", "high")))
    body = json.dumps({"model": "m", "messages": ASKED}).encode()
    forged = {"x-stillwatch-tier": "none", "X_Risk": "low", "x-risk": "low", "connection": "x-risk, x-stillwatch-tier"}
    _, answered, _ = stage.post("/v1/chat/completions", body, forged)
    sent = [(name, value) for name, value in stage.provider.requests[-1]["headers"] if b"risk" in name or b"st" in name]
    assert (b"x-risk", b"high") in sent
    assert (b"x-stillwatch-tier", b"suspected") in sent
    assert not {value for _, value in sent} & {b"low", b"none"}
    assert not any("stillwatch" in name for name in answered)


def test_a_refusal_has_the_shape_of_each_api_and_says_what_to_do(stage):
    stage.decide("deny", notice=NOTICE)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        stage.openai.chat.completions.create(model="m", messages=ASKED)
    assert (caught.value.code, caught.value.body["reference"]) == ("campaign-member", "ref-7")
    assert NOTICE.text in caught.value.message
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        stage.anthropic.messages.create(model="m", max_tokens=50, messages=ASKED)
    assert caught.value.body["error"]["code"] == "campaign-member"
    assert caught.value.body["error"]["type"] == "permission_error"
    assert stage.provider.requests == []
    assert stage.replied().status == 403


def test_a_refusal_by_rate_says_when_to_come_back(stage):
    stage.decide("deny", notice=NOTICE, retry_after_s=17)
    for ask in (
        lambda: stage.openai.embeddings.create(model="m", input="tides"),
        lambda: stage.anthropic.messages.create(model="m", max_tokens=50, messages=ASKED),
    ):
        with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)) as caught:
            ask()
        assert caught.value.response.headers["retry-after"] == "17"


def test_a_step_up_is_refused_with_its_notice(stage):
    stage.decide("step-up", notice=Notice("verify-identity", "Verify your organisation first.", "ref-8"))
    with pytest.raises(openai.PermissionDeniedError, match="Verify your organisation first"):
        stage.openai.responses.create(model="m", input="Tides?")


def test_a_delay_waits_and_then_passes(stage):
    stage.decide("delay", delay_ms=60)
    begun = time.perf_counter()
    stage.openai.chat.completions.create(model="m", messages=ASKED)
    assert time.perf_counter() - begun >= 0.06


def test_a_caller_who_leaves_during_a_delay_costs_the_provider_nothing(stage):
    stage.decide("delay", delay_ms=10_000)
    impatient = stage.openai.with_options(timeout=0.6)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="m", messages=ASKED)
    assert stage.replied().status == 499
    assert stage.provider.requests == []


def test_a_caller_who_leaves_before_the_answer_takes_his_call_with_him(stage):
    impatient = stage.openai.with_options(timeout=0.6)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="hang", messages=ASKED)
    until(lambda: stage.provider.given_up == ["hang"], "the provider works for nobody")


def test_a_stream_that_is_cut_does_not_look_whole(stage):
    for strip in (frozenset(), frozenset({"reasoning"})):
        stage.decide("strip", strip=strip)
        with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection") as caught:
            list(stage.openai.chat.completions.create(model="cut", messages=ASKED, stream=True))
        assert not isinstance(caught.value, AssertionError)
        assert stage.replied().finish_reason is None


def test_a_whole_reply_that_is_cut_does_not_look_whole(stage):
    with pytest.raises(http.client.IncompleteRead):
        stage.post("/v1/chat/completions", json.dumps({"model": "cut", "messages": ASKED}).encode())
    stage.decide("strip", strip=frozenset({"logprobs"}))
    with pytest.raises(openai.InternalServerError) as caught:
        stage.openai.chat.completions.create(model="cut", messages=ASKED)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream-cut")


@pytest.mark.parametrize("model", ["not-json", "gzip"])
def test_a_reply_that_should_be_stripped_and_cannot_be_read_is_not_passed(stage, model):
    stage.decide("strip", strip=frozenset({"logprobs"}))
    with pytest.raises(openai.InternalServerError) as caught:
        stage.openai.chat.completions.create(model=model, messages=ASKED)
    assert caught.value.code == "reply-not-understood"
    until(lambda: "reply-not-understood" in stage.parts.meter.alarms, "nobody was told")


def test_a_fault_of_the_gate_is_answered_by_the_policys_choice(stage):
    stage.parts.policy.fault = ValueError("a fault")
    with pytest.raises(openai.PermissionDeniedError) as caught:
        stage.openai.chat.completions.create(model="m", messages=ASKED)
    assert caught.value.code == "unavailable"
    assert stage.parts.meter.alarms == ["gate-fault"]


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"model":"a","model":"b"}', b"\xff", b'{"model":"a"'])
def test_a_body_that_cannot_be_read_in_one_way_is_refused(stage, body):
    status, _, answered = stage.post("/v1/chat/completions", body)
    assert (status, json.loads(answered)["error"]["code"]) == (400, "request-body-unclear")
    status, _, answered = stage.post("/v1/messages", body)
    assert (status, json.loads(answered)["type"]) == (400, "error")
    assert stage.provider.requests == []


def test_a_compressed_body_of_a_model_call_is_refused(stage):
    status, _, answered = stage.post("/v1/chat/completions", b"{}", {"content-encoding": "gzip"})
    assert (status, json.loads(answered)["error"]["code"]) == (415, "request-body-coded")


def test_a_model_call_is_decided_however_its_path_is_written(stage):
    stage.decide("deny", notice=NOTICE)
    body = json.dumps({"model": "m", "messages": ASKED}).encode()
    for path in ("/v1//chat/completions", "/v1/chat/%63ompletions/", "/V1/Chat/Completions", "/v1/chat%2Fcompletions"):
        assert stage.post(path, body)[0] == 403, path
    assert stage.raw("PUT", "/v1/chat/completions", body)[0] == 403


@given(
    body=st.binary(max_size=2000),
    path=st.text("abz09-._~!$&'()*+,=:@%/", max_size=30).map(lambda text: "/files/x" + text.replace("%", "%25")),
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    value=st.text("abc XYZ;=,.", min_size=1, max_size=20).map(str.strip),
)
@settings(max_examples=60)
def test_what_is_no_model_call_passes_untouched(one_stage, body, path, method, value):
    path = path.replace("/.", "/x").replace("messages", "x")
    one_stage.provider.requests.clear()
    headers = {"x-any": value, "content-type": "a/b", "accept-encoding": "gzip", "authorization": "Bearer sk-9"}
    status, answered, echoed = one_stage.raw(method, path + "?q=%2F&r", body, headers)
    assert (status, echoed, answered["x-echo"]) == (200, body, "yes")
    (sent,) = one_stage.provider.requests
    assert (sent["method"], sent["raw_path"], sent["query_string"]) == (method, path.encode(), b"q=%2F&r")
    assert headers.items() <= {name.decode(): value.decode() for name, value in sent["headers"]}.items()


def test_an_upload_streams_through(stage):
    pieces = [b"x" * 70_000] * 30
    with stage.connection() as connection:
        connection.request("POST", "/v1/files", iter(pieces), {"transfer-encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().read() == b"".join(pieces)


def raw_status(stage, request):
    with socket.create_connection(stage.url.removeprefix("http://").split(":"), 20) as wire:
        wire.sendall(request)
        return int(wire.recv(4096).split(b" ")[1])


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/files/../../admin",
        b"/v1/files/%2e%2e/admin",
        b"/v1/files/..;x/admin",
        b"/v1/files/%252e%252e/admin",
        b"/v1/files/..%2fadmin",
        b"/v1\\files",
        b"/v1/%5cfiles",
        b"/v1/files%00",
        b"/v1/files%0d%0ax",
        b"*",
    ],
)
def test_a_target_that_could_leave_the_upstreams_path_is_refused(stage, target):
    assert raw_status(stage, b"GET " + target + b" HTTP/1.1\r\nHost: gate\r\n\r\n") == 400
    assert stage.provider.requests == []


def test_neither_an_absolute_target_nor_a_host_chooses_another_upstream(stage):
    request = b"GET http://192.0.2.1/v1/models HTTP/1.1\r\nHost: 192.0.2.1\r\nConnection: close\r\n\r\n"
    assert raw_status(stage, request) in (200, 400)
    assert all(dict(sent["headers"])[b"host"] != b"192.0.2.1" for sent in stage.provider.requests)
    twice = b"GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
    assert raw_status(stage, twice) == 400


def test_a_redirect_is_the_clients_to_follow(stage):
    stage.provider.echo_headers.append((b"location", b"http://192.0.2.1/"))
    try:
        _, headers, _ = stage.raw("POST", "/v1/files", b"x")
    finally:
        stage.provider.echo_headers.clear()
    assert headers["location"] == "http://192.0.2.1/"
    assert len(stage.provider.requests) == 1


def test_headers_of_the_connection_end_at_it(stage):
    stage.raw("GET", "/v1/models", None, {"connection": "x-mine", "x-mine": "1", "te": "trailers", "keep-alive": "9"})
    assert not {b"connection", b"x-mine", b"te", b"keep-alive"} & stage.sent_headers().keys()


def test_a_callers_forwarded_headers_are_believed_only_behind_a_proxy_of_yours(stage):
    body = json.dumps({"model": "m", "messages": ASKED}).encode()
    stage.post("/v1/chat/completions", body, {"x-forwarded-for": "198.51.100.1", "x-real-ip": "198.51.100.1"})
    assert stage.parts.policy.calls[-1].client_ip == "127.0.0.1"
    assert stage.sent_headers()[b"x-forwarded-for"] == b"127.0.0.1"
    assert b"x-real-ip" not in stage.sent_headers()
    with staged(trust_forwarded=True) as behind:
        behind.post("/v1/chat/completions", body, {"x-forwarded-for": "198.51.100.1"})
        assert behind.parts.policy.calls[-1].client_ip == "198.51.100.1"
        assert behind.sent_headers()[b"x-forwarded-for"] == b"198.51.100.1, 127.0.0.1"


def test_a_websocket_is_refused_clearly(stage):
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert raw_status(stage, b"GET /v1/realtime HTTP/1.1\r\nHost: gate\r\n" + upgrade + key) in (403, 501)


def test_paths_are_joined_below_the_upstreams_own():
    with staged(base="/api/") as stage:
        stage.raw("GET", "/v1/models")
        assert stage.provider.requests[-1]["path"] == "/api/v1/models"
        assert stage.openai.embeddings.create(model="m", input="tides").data


def test_what_is_no_model_call_can_be_refused():
    with staged(unknown="refuse") as stage:
        status, _, answered = stage.raw("POST", "/v1/batches", b"{}")
        assert (status, json.loads(answered)["error"]["code"]) == (404, "unknown-path")
        assert stage.openai.embeddings.create(model="m", input="tides").data


def test_a_large_and_a_slow_body_are_refused_and_not_held():
    with staged(bounds=Bounds(body_bytes_max=10_000, body_s_max=1.0)) as stage:
        status, _, answered = stage.post("/v1/messages", b'{"model":"' + b"m" * 20_000 + b'"}')
        assert (status, json.loads(answered)["error"]["type"]) == (413, "request_too_large")
        slow = b"POST /v1/messages HTTP/1.1\r\nHost: gate\r\nContent-Length: 100\r\n\r\n{"
        assert raw_status(stage, slow) == 408
        until(lambda: stage.anthropic.messages.create(model="m", max_tokens=5, messages=ASKED), "the gate stays full")


def test_a_dead_upstream_and_one_that_hangs_up_are_answered_for():
    parts = HandWritten()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with served(Proxy(parts.gate, Upstream(UpstreamSettings(address)))) as url:
            client = openai.OpenAI(api_key="sk-1", base_url=f"{url}/v1", max_retries=0)
            hanging_up = threading.Thread(target=lambda: listener.accept()[0].close())
            hanging_up.start()
            for listens in (True, False):
                with pytest.raises(openai.InternalServerError) as caught:
                    client.chat.completions.create(model="m", messages=ASKED)
                assert (caught.value.status_code, caught.value.code) == (502, "upstream-failed"), listens
                hanging_up.join()
                listener.close()


def test_a_slow_upstream_is_answered_for():
    with staged(read_s=0.1) as stage:
        with pytest.raises(anthropic.APIStatusError) as caught:
            stage.anthropic.messages.create(model="hang", max_tokens=50, messages=ASKED)
        assert caught.value.status_code == 504
        assert caught.value.body["error"]["type"] == "timeout_error"


@given(
    body=st.binary(max_size=300)
    | st.dictionaries(
        st.sampled_from(["model", "messages", "input", "prompt", "stream", "n", "tools", "max_tokens", "thinking"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=7), inner, max_size=3),
        ),
    ).map(lambda value: json.dumps(value).encode()),
    end=st.sampled_from(["chat/completions", "completions", "responses", "messages", "embeddings"]),
    headers=st.dictionaries(
        st.sampled_from(["x-user-id", "authorization", "x-forwarded-for", "content-type", "connection", "te", "x-y"]),
        st.text("abcK -;,:=*.09", max_size=25).map(str.strip),
    ),
)
@settings(max_examples=150)
def test_no_body_and_no_header_gets_a_denied_call_through(one_stage, body, end, headers):
    one_stage.decide("deny", notice=NOTICE)
    one_stage.provider.requests.clear()
    status, _, answered = one_stage.raw("POST", f"/v1/{end}", body, headers)
    assert status in (400, 403), answered
    codes = ("request-body-unclear", "request-identity-unclear", "campaign-member")
    assert json.loads(answered)["error"]["code"] in codes
    assert one_stage.provider.requests == []


def test_what_the_provider_was_told_does_not_come_back_to_the_caller(stage):
    stage.decide("tag", tag=(("x-stillwatch-tier", "suspected"),))
    stage.provider.echo_headers.append((b"x-stillwatch-tier", b"suspected"))
    try:
        _, headers, _ = stage.post("/openai/deployments/m/completions", b'{"prompt":"tides"}')
    finally:
        stage.provider.echo_headers.clear()
    assert headers["x-echo"] == "yes"
    assert "x-stillwatch-tier" not in headers


def test_a_length_above_the_bound_is_refused_before_the_body_comes(stage):
    head = b"POST /v1/messages HTTP/1.1\r\nHost: gate\r\nContent-Length: 100000000\r\n\r\n"
    assert raw_status(stage, head) == 413


def test_a_tunnel_is_not_opened(stage):
    assert raw_status(stage, b"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n") >= 400
    assert stage.provider.requests == []


def test_many_calls_at_once_are_all_answered(stage):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ask = stage.openai.chat.completions.create
        replies = list(pool.map(lambda _: ask(model="m", messages=ASKED), range(120)))
    assert {reply.choices[0].message.content for reply in replies} == {SAID}
    until(lambda: len(stage.parts.replies) == 120, "some replies were not told")
