"""What a door reads of a request is what detection read of the same request in a log."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import raw_pairs
from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.messages import block_digest
from stillwatch.adapters.raw_pair_profiles import MIDDLEWARE
from stillwatch.errors import Error
from stillwatch.gate.contract import Call
from stillwatch.gate.requests import Identity, call_of, is_model_path, one_caller, parsed, plain_path

PATHS = {
    "/v1/chat/completions": "messages",
    "/v1/completions": "prompt",
    "/v1/responses": "input",
    "/v1/embeddings": "input",
    "/v1/messages": "messages",
    "/openai/deployments/gpt-x/chat/completions": "messages",
    "/v1beta/models/gemini-x:generateContent": "contents",
}
OF_THE_CONNECTION = {"time_us", "tls_fingerprint", "access_path"}

texts = st.text(max_size=40)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["text", "input_text", "image"]), "text": texts}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts, "signature": texts}),
    st.fixed_dictionaries({"type": st.just("tool_result"), "content": texts}),
)
content = st.one_of(st.none(), texts, st.lists(parts, max_size=3))
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": content}),
        st.fixed_dictionaries({"role": st.just("user"), "parts": st.lists(parts, max_size=2)}),
        st.fixed_dictionaries({"type": st.just("reasoning"), "encrypted_content": texts}),
    ),
    max_size=5,
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 9999), st.sampled_from([0.5, 1.0, "0.25", "true"]), texts)
members = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.one_of(st.none(), st.floats(0, 2), st.just("0.5")),
        "top_p": st.floats(0, 1),
        "n": st.one_of(st.integers(0, 9), st.just(3.0)),
        "max_tokens": st.integers(1, 9999),
        "max_completion_tokens": st.integers(1, 9999),
        "logprobs": st.one_of(st.booleans(), st.integers(0, 5)),
        "stream": st.booleans(),
        "reasoning_effort": st.sampled_from(["low", "high"]),
        "thinking": st.fixed_dictionaries({"type": st.just("enabled")}),
        "response_format": st.fixed_dictionaries({"type": st.just("json_object")}),
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": texts}), max_size=3),
        "user": texts,
        "system": content,
        "instructions": texts,
        "conversation": st.one_of(texts, st.fixed_dictionaries({"id": texts})),
    },
)
headers = st.dictionaries(
    st.sampled_from(
        ["x-user-id", "authorization", "x-api-key", "x-session-id", "openai-organization", "x-forwarded-for"]
    ),
    st.one_of(st.text("abcXx*k -.:,[]1", min_size=1, max_size=20), st.just("Bearer sk-12345")),
)


def logged_row(path, sent, body):
    """What the adapter of logs gives for the same request."""
    record = {
        "id": "e",
        "client": ["192.0.2.7", 5123],
        "request": {"path": path, "headers": sent, "body": body},
        "response": {"status": 200},
    }
    return raw_pairs.row_of(record, MIDDLEWARE, ReadSettings())


@given(st.sampled_from(sorted(PATHS)), headers, members, messages, texts)
def test_a_call_is_what_the_adapter_of_logs_reads_of_the_same_request(path, sent, asked, said, prompt):
    body = {"model": "m", **asked, PATHS[path]: prompt if PATHS[path] == "prompt" else said}
    call = call_of(path, sent, parsed(json.dumps(body).encode(), path), Identity(), 0, "192.0.2.7")
    row = logged_row(path, sent, body)
    for field in fields(Call):
        if field.name in OF_THE_CONNECTION:
            continue
        seen, logged = getattr(call, field.name), row.get(field.name)
        if isinstance(seen, tuple):
            logged = tuple(logged or ())
        assert (seen or None) == (logged or None) or (seen == logged), field.name


def test_a_prompt_that_a_template_rendered_is_taken_apart_as_in_a_log():
    body = {"model": "m", "prompt": "<|im_start|>system\nBe brief.<|im_end|><|im_start|>user\nTides?<|im_end|>"}
    call = call_of("/v1/completions", {}, body, Identity(), 0, None)
    assert (call.system_prompt, call.input_text) == ("Be brief.", "Tides?")


def test_a_half_emoji_hides_no_call():
    body = parsed(b'{"model":"m","messages":[{"role":"user","content":"tides \\ud83d"}]}', "/v1/chat/completions")
    assert call_of("/v1/chat/completions", {}, body, Identity(), 0, None).input_text == "tides \ufffd"


WRONG = {"temperature": "hot", "n": [1], "max_tokens": 2**70, "stream": "perhaps", "tools": "all", "logprobs": {}}


def test_members_of_a_wrong_type_count_as_absent_and_the_text_is_still_read():
    body = {"model": 7, "messages": [{"role": "user", "content": "tides"}], **WRONG}
    call = call_of("/v1/chat/completions", {}, body, Identity(), 0, None)
    assert (call.request_model, call.input_text) == ("7", "tides")
    absent = (call.temperature, call.choice_count, call.max_tokens, call.stream, call.tool_names, call.logprobs)
    assert absent == (None, None, None, None, (), None)


def test_presented_blocks_are_digests():
    said = [{"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "sealed"}]}]
    call = call_of("/v1/messages", {}, {"model": "m", "messages": said}, Identity(), 0, None)
    assert call.presented_blocks == (block_digest("sealed"),)


def test_headers_go_where_the_settings_send_them():
    sent = {"x-tenant": "t1", "x-user-id": "forged", "x-ja4": "t13d", "x-door": "eu", "authorization": "Bearer sk-1"}
    identity = Identity(account_id=("x-tenant",), tls_fingerprint=("x-ja4",), access_path=("x-door",), client_ip=())
    call = call_of("/v1/messages", {**sent, "x-forwarded-for": "198.51.100.1"}, None, identity, 0, "192.0.2.7")
    assert (call.account_id, call.tls_fingerprint, call.access_path) == ("t1", "t13d", "eu")
    assert call.client_ip == "192.0.2.7"


def test_a_key_never_appears_in_a_call():
    call = call_of("/v1/messages", {"x-api-key": "sk-very-secret"}, None, Identity(), 0, None)
    assert call.account_id.startswith("key:")
    assert "very-secret" not in repr(call)


def test_who_has_neither_header_nor_key_is_nobody():
    identity = Identity(account_by_key=False)
    assert call_of("/v1/messages", {"x-api-key": "sk-1"}, None, identity, 0, None).account_id == ""


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions?api-version=1",
        "/v1/chat/%63ompletions",
        "/V1/Chat/Completions",
        "/v1/chat/completions;session=1",
        "/v1/./chat/completions",
        "/v1\\chat\\completions",
        "/v1/models/gemini-x:streamGenerateContent",
        "/openai/deployments/x/embeddings",
    ],
)
def test_a_model_call_is_known_however_its_path_is_written(path):
    assert is_model_path(plain_path(path))


@pytest.mark.parametrize(
    "path",
    ["/", "", "/v1/models", "/v1/files", "/v1/messages/batches", "/v1/messages/count_tokens", "/v1/audio/speech"],
)
def test_what_reaches_no_model_is_no_call(path):
    assert call_of(path, {}, {"model": "m"}, Identity(), 0, None) is None


DEEP = b'{"messages":' + b"[" * 200 + b"]" * 200 + b"}"
FLAT = b'{"messages":[' + b"1," * 1_000_001 + b"1]}"


UNCLEAR = [
    (b"", "not-json"),
    (b"[]", "not-an-object"),
    (b'{"model":"a"} {}', "not-json"),
    (b'{"model":NaN}', "not-json"),
    (b'{"n":1e999}', "not-json"),
    (b'\xef\xbb\xbf{"model":"a"}', "not-json"),
    ('{"model":"a"}'.encode("utf-16"), "nul-byte"),
    (b'{"model":"\xff"}', "broken-utf8"),
    (b'{"model":"a","model":"b"}', "duplicate-name"),
    (b'{"model":"a","mod\\u0065l":"b"}', "duplicate-name"),
    (b'{"messages":[{"role":"user","role":"tool"}]}', "duplicate-name"),
    (b'{"model":"a","Messages":[]}', "name-in-another-case"),
    ('{"model":"a","meſſages":[]}'.encode(), "name-in-another-case"),
    (b'{"messages":[{"role":"user","Content":"a"}]}', "name-in-another-case"),
    (b'{"messages":[{"role":"user","content":[{"Text":"a"}]}]}', "name-in-another-case"),
    (DEEP, "nested-too-deep"),
    (b"[" * 100_000, "nested-too-deep"),
    (FLAT, "too-many-values"),
]


@pytest.mark.parametrize(("body", "reason"), UNCLEAR, ids=[f"{at}-{reason}" for at, (_, reason) in enumerate(UNCLEAR)])
def test_a_body_that_two_readers_could_read_in_two_ways_is_refused(body, reason):
    with pytest.raises(Error) as caught:
        parsed(body, "/v1/chat/completions")
    assert caught.value.ident == "request-body-unclear"
    assert caught.value.message.endswith(reason)


def test_a_second_prompt_before_the_one_that_is_read_is_refused():
    with pytest.raises(Error, match="two-prompts"):
        parsed(b'{"messages":[{"role":"user","content":"decoy"}],"input":"asked"}', "/v1/responses")
    assert parsed(b'{"input":"asked","prompt":{"id":"p"}}', "/v1/responses")["input"] == "asked"


def test_names_in_the_schema_of_a_tool_may_be_spelt_as_they_like():
    body = b'{"model":"m","tools":[{"name":"t","input_schema":{"properties":{"Content":{},"content":{}}}}]}'
    assert parsed(body, "/v1/messages")["model"] == "m"


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused_by_name(body):
    try:
        assert isinstance(parsed(body, "/v1/chat/completions"), dict)
    except Error as error:
        refused = error.ident
    else:
        refused = "request-body-unclear"
    assert refused == "request-body-unclear"


json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=20,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["model", "messages", "input", "prompt", "contents", "system", "tools", "n", "user", "metadata"]
        ),
        json_values,
    ),
    st.dictionaries(st.sampled_from(["x-user-id", "authorization", "user-agent", "x-forwarded-for"]), texts),
)
def test_any_body_of_json_makes_a_call(body, sent):
    for path in PATHS:
        assert isinstance(call_of(path, sent, body, Identity(), 0, None), Call)


@given(st.dictionaries(texts, json_values, max_size=4))
def test_an_honest_object_is_parsed_as_it_is(body):
    body = {f"x-{key}": value for key, value in body.items()}
    assert parsed(json.dumps(body).encode(), "/v1/messages") == body


KEY, OTHER = "sk-one-0123456789", "sk-two-0123456789"


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ([("authorization", f"Bearer {KEY}")], "/v1/messages"),
        ([("authorization", f"bearer\t {KEY} ")], "/v1/messages"),
        ([("authorization", KEY)], "/v1/messages"),
        ([("x-api-key", KEY), ("authorization", f"Bearer {KEY}")], "/v1/messages"),
        ([("authorization", ""), ("x-api-key", KEY)], "/v1/messages"),
        ([("x-y", "1"), ("x-y", "2"), ("x-goog-api-key", KEY)], "/v1beta/models/gemini-x:generateContent"),
        ([], f"/v1beta/models/gemini-x:generateContent?alt=sse&k%65y={KEY}"),
    ],
)
def test_a_key_is_the_same_caller_however_it_is_sent(lines, path):
    headers = one_caller(lines, path, Identity())
    account = call_of(path, headers, None, Identity(), 0, None).account_id
    assert account == call_of("/v1/messages", {"x-api-key": KEY}, None, Identity(), 0, None).account_id


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ([("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {OTHER}")], "/v1/messages"),
        ([("authorization", f"Bearer {OTHER}"), ("x-api-key", KEY)], "/v1/messages"),
        ([("authorization", f"Bearer {KEY} {OTHER}")], "/v1/messages"),
        ([("authorization", f"Bearer {KEY},Bearer {OTHER}")], "/v1/messages"),
        ([("authorization", f"Basic {KEY}, {OTHER}")], "/v1/messages"),
        ([("authorization", f"Token {KEY} x=1")], "/v1/messages"),
        ([("authorization", f"{KEY} {OTHER} x")], "/v1/messages"),
        ([("x-api-key", f"{KEY},{OTHER}")], "/v1/messages"),
        ([("x-user-id", "acct-1"), ("x-user-id", "acct-2")], "/v1/messages"),
        ([("x-organization-id", "org-1"), ("x-organization-id", "org-2")], "/v1/messages"),
        ([("x-goog-api-key", OTHER)], f"/v1beta/models/gemini-x:generateContent?key={KEY}"),
        ([], f"/v1beta/models/gemini-x:generateContent?key={KEY}&key={OTHER}"),
        ([], "/v1beta/models/gemini-x:generateContent?" + "a=1&" * 200),
    ],
)
def test_headers_that_name_two_callers_are_refused_without_quoting_them(lines, path):
    with pytest.raises(Error) as caught:
        one_caller(lines, path, Identity())
    assert caught.value.ident == "request-identity-unclear"
    assert "sk-" not in str(caught.value) + caught.value.message + str(caught.value.hint)


@pytest.mark.parametrize(
    "lines",
    [
        [("authorization", "AWS4-HMAC-SHA256 Credential=AKID/x, SignedHeaders=host, Signature=f00")],
        [("x-user-id", "acct-1"), ("authorization", f"Bearer {KEY}"), ("x-api-key", OTHER)],
        [("x-user-id", "acct-1"), ("x-user-id", "acct-1")],
        [("accept", "a"), ("accept", "b"), ("x-forwarded-for", "a"), ("x-forwarded-for", "b")],
    ],
)
def test_headers_that_name_one_caller_are_taken_as_they_are(lines):
    assert one_caller(lines, "/v1/messages", Identity()) == dict(reversed(lines))


def test_a_deployment_that_needs_two_keys_says_which_one_counts():
    lines = [("x-api-key", "of-the-gateway"), ("authorization", f"Bearer {KEY}")]
    assert one_caller(lines, "/v1/messages", Identity(key=("authorization",)))["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("path", ["/v1/chat/completions/x/..", "/v1/files/%2e%2e/chat/completions"])
def test_dots_hide_no_call(path):
    assert is_model_path(plain_path(path))
