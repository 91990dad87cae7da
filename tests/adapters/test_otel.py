import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import otel
from stillwatch.adapters.contract import LogFile, ReadSettings
from stillwatch.adapters.genai import NAMES, Call, row_of
from stillwatch.adapters.genai_content import closed_json
from stillwatch.adapters.messages import block_digest
from stillwatch.adapters.otlp import NESTING_MAX, any_value, records
from stillwatch.adapters.source import read_head
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.writers import otel as writer

FIXTURES = Path(__file__).parent / "fixtures" / "otel"
SYSTEM = "You are a harbour master and answer in one sentence."
SEALED = "aW52ZW50ZWQtZW5jcnlwdGVkLXJlYXNvbmluZw=="
START_NS = 1_790_000_000_250_000_000

CURRENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "m",
    "user.id": "acct-1",
}


def key_values(attributes):
    return [{"key": key, "value": writer.any_value(value)} for key, value in attributes.items()]


def span(attributes, trace="aa", own="01", parent="", **more):
    return {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": parent,
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 1_500_000_000),
        "attributes": key_values(attributes),
    } | more


def message_event(role, text, trace="aa", own="01"):
    body = {"kvlistValue": {"values": key_values({"content": text})}}
    return {"traceId": trace, "spanId": own, "eventName": f"gen_ai.{role}.message", "body": body}


def traces(*spans, resource=None):
    holder = {"attributes": key_values(resource or {})}
    return {"resourceSpans": [{"resource": holder, "scopeSpans": [{"spans": list(spans)}]}]}


def logs(*log_records):
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(log_records)}]}]}


def read(path, **settings):
    rejected = []
    batches = otel.read(LogFile(str(path), path.stat().st_size), ReadSettings(**settings), rejected.append)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return rows, [(rejection.line, rejection.reason, rejection.detail) for rejection in rejected]


def read_exports(folder, *exports, **settings):
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(export) + "\n" for export in exports))
    return read(path, **settings)


def read_span(folder, attributes, resource=None, settings=None, **more):
    export = traces(span(attributes, **more), resource=resource)
    (row,), rejected = read_exports(folder, export, **(settings or {}))
    assert rejected == []
    return row


def head(path):
    return read_head(LogFile(str(path), path.stat().st_size))


# What the real programs wrote.


def test_recorded_spans_with_the_current_names_give_every_call():
    rows, rejected = read(FIXTURES / "genai-traces.jsonl")
    assert rejected == []
    assert [row["operation"] for row in rows] == ["chat"] * 6 + ["embeddings"] + ["chat"] * 4
    assert {row["account_id"] for row in rows} == {"account-ada"}
    assert {row["client_ip"] for row in rows} == {"203.0.113.9"}
    assert {row["user_agent"] for row in rows} == {"harbour-app/2.1"}
    first, streamed, tools, turns, busy, responses = rows[:6]
    assert (first["system_prompt"], first["input_text"]) == (SYSTEM, "How often does the tide turn?")
    assert (first["temperature"], first["top_p"], first["max_tokens"]) == (0.7, 0.9, 256)
    assert (first["input_tokens"], first["output_tokens"]) == (21, 9)
    assert (first["reasoning_tokens"], first["cached_tokens"]) == (2, 4)
    assert first["response_model"] == "harbor-large-2026-09-01"
    assert first["duration_ms"] > 0
    assert streamed["stream"] is True
    assert tools["tool_names"] == ["tide_table"]
    assert (turns["turn_index"], turns["choice_count"]) == (1, 2)
    assert (busy["status"], busy["finish_reason"]) == (429, None)
    assert responses["system_prompt"] == SYSTEM


def test_a_recorded_span_and_its_event_are_one_call():
    from_spans, _ = read(FIXTURES / "genai-traces.jsonl")
    from_events, rejected = read(FIXTURES / "genai-logs.jsonl")
    assert rejected == []
    by_id = {row["event_id"]: row for row in from_spans}
    for row in from_events:
        twin = by_id[row["event_id"]]
        for column in EVENT_SCHEMA.names:
            if column not in ("time", "duration_ms"):
                assert row[column] == twin[column], column


def test_spans_and_events_in_one_file_give_each_call_once_with_the_spans_time(tmp_path):
    both = tmp_path / "both.jsonl"
    both.write_text((FIXTURES / "genai-logs.jsonl").read_text() + (FIXTURES / "genai-traces.jsonl").read_text())
    rows, _ = read(both)
    expected, _ = read(FIXTURES / "genai-traces.jsonl")
    by_id = {row["event_id"]: row for row in rows}
    assert len(rows) == len(by_id)
    assert by_id == {row["event_id"]: row for row in expected}


@pytest.mark.parametrize("spans_first", [True, False])
def test_recorded_messages_of_the_older_convention_are_joined_to_their_spans(tmp_path, spans_first):
    names = ["openai-v2-traces.jsonl", "openai-v2-logs.jsonl"]
    both = tmp_path / "both.jsonl"
    both.write_text("".join((FIXTURES / name).read_text() for name in (names if spans_first else reversed(names))))
    rows, rejected = read(both)
    assert rejected == []
    by_model = [row for row in rows if row["operation"] == "chat"]
    texts = {row["input_text"] for row in by_model}
    assert texts == {
        "How often does the tide turn?",
        "Why do tides turn?",
        "Tide table for Grimsey",
        "And the next one?",
        "Is there a berth?",
    }
    (turns,) = (row for row in rows if row["input_text"] == "And the next one?")
    assert (turns["system_prompt"], turns["turn_index"]) == (SYSTEM, 1)
    (streamed,) = (row for row in rows if row["input_text"] == "Why do tides turn?")
    assert streamed["finish_reason"] == "stop"


def test_messages_in_any_order_and_sent_twice_are_the_same_conversation(tmp_path):
    lines = [
        line
        for name in ("openai-v2-traces.jsonl", "openai-v2-logs.jsonl")
        for line in (FIXTURES / name).read_text().splitlines()
    ]
    paths = [tmp_path / "once.jsonl", tmp_path / "shuffled.jsonl"]
    paths[0].write_text("\n".join(lines))
    paths[1].write_text("\n".join([*reversed(lines), *lines]))
    once, shuffled = ({row["event_id"]: row for row in read(path)[0]} for path in paths)
    assert shuffled == once


def test_recorded_messages_without_their_spans_are_rejected_not_lost():
    path = FIXTURES / "openai-v2-logs.jsonl"
    rows, rejected = read(path)
    assert rows == []
    assert {reason for _, reason, _ in rejected} == {"unjoined-message"}


def test_recorded_openinference_gives_what_the_request_asked():
    rows, rejected = read(FIXTURES / "openinference-traces.jsonl")
    assert rejected == []
    first, streamed, tools, turns, busy, responses, embedding = rows
    assert (first["system_prompt"], first["input_text"]) == (SYSTEM, "How often does the tide turn?")
    assert (first["request_model"], first["response_model"]) == ("harbor-large", "harbor-large-2026-09-01")
    assert (streamed["stream"], streamed["end_user_id"]) == (True, "reader-7")
    assert (tools["tool_names"], tools["finish_reason"]) == (["tide_table"], "tool_calls")
    assert (turns["response_format"], turns["choice_count"]) == ("json_schema", 2)
    assert turns["input_text"] == "And the next one?"
    assert (busy["request_model"], busy["status"]) == ("harbor-busy", 429)
    assert responses["reasoning_level"] == "low"
    assert responses["issued_blocks"] == [block_digest(SEALED)]
    assert (embedding["operation"], embedding["input_text"]) == ("embeddings", "ebb and flood")


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda path: path.name)
def test_recorded_exports_are_recognised(path):
    assert "OTLP" in otel.recognise(head(path))


def test_other_records_are_not_recognised(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"event_id": "1", "request_model": "m"}\n')
    assert otel.recognise(head(path)) is None


# Names of every convention.


@pytest.mark.parametrize(("column", "names"), NAMES.items())
def test_every_name_of_a_column_is_read(tmp_path, column, names):
    samples = {"string": "x", "int64": 3, "double": 0.5, "bool": True}
    value = samples[str(EVENT_SCHEMA.field(column).type)]
    base = {key: other for key, other in CURRENT.items() if key not in names}
    for name in names:
        row = read_span(tmp_path, base | {name: value})
        assert row[column] == value, name


def test_numbers_may_be_strings_or_numbers(tmp_path):
    counted = {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 7}}
    written = span(CURRENT | {"gen_ai.usage.output_tokens": 9})
    written["attributes"].append(counted)
    written["startTimeUnixNano"] = START_NS
    (row,), _ = read_exports(tmp_path, traces(written))
    assert (row["input_tokens"], row["output_tokens"]) == (7, 9)
    assert row["time"] == datetime(2026, 9, 21, 14, 13, 20, 250_000, UTC)
    assert row["duration_ms"] == 1500


def test_the_event_is_named_by_its_trace_and_span(tmp_path):
    assert read_span(tmp_path, CURRENT)["event_id"] == "aa-01"


def test_prompts_of_the_oldest_names_are_json_in_a_string(tmp_path):
    said = {"gen_ai.prompt": json.dumps([{"role": "user", "content": "why?"}])}
    assert read_span(tmp_path, CURRENT | said)["input_text"] == "why?"


def test_prompts_flattened_into_one_attribute_for_each_leaf_are_read(tmp_path):
    said = {
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "be brief",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "why?",
        "gen_ai.completion.0.finish_reason": "stop",
        "llm.request.type": "chat",
    }
    row = read_span(tmp_path, CURRENT | said)
    assert (row["system_prompt"], row["input_text"], row["finish_reason"]) == ("be brief", "why?", "stop")


def test_ten_messages_stay_in_their_order(tmp_path):
    said = {}
    for number in range(11):
        said[f"llm.input_messages.{number}.message.role"] = "user"
        said[f"llm.input_messages.{number}.message.content"] = f"turn {number}"
    row = read_span(tmp_path, CURRENT | said)
    assert (row["input_text"], row["turn_index"]) == ("turn 10", 10)


def test_messages_that_ride_on_the_span_as_events_are_read(tmp_path):
    event = {"name": "gen_ai.content.prompt", "attributes": key_values({"gen_ai.prompt": "why?"})}
    assert read_span(tmp_path, CURRENT, events=[event])["input_text"] == "why?"


def test_structured_messages_are_read_like_json_ones(tmp_path):
    messages = [{"role": "user", "parts": [{"type": "text", "content": "why?"}]}]
    structured = span(CURRENT)
    parts = {"key": "parts", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": key_values(
        {"type": "text", "content": "why?"})}}]}}}  # fmt: skip
    message = {"kvlistValue": {"values": [*key_values({"role": "user"}), parts]}}
    structured["attributes"].append({"key": "gen_ai.input.messages", "value": {"arrayValue": {"values": [message]}}})
    (row,), _ = read_exports(tmp_path, traces(structured))
    as_text = read_span(tmp_path, CURRENT | {"gen_ai.input.messages": json.dumps(messages)})
    assert row["input_text"] == as_text["input_text"] == "why?"


def test_litellms_own_names_give_key_team_and_caller(tmp_path):
    named = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "litellm.api_key.hash": "k1",
        "litellm.team.id": "t1",
        "litellm.end_user.id": "reader",
        "metadata.requester_ip_address": "203.0.113.7",
        "llm.is_streaming": "True",
    }
    row = read_span(tmp_path, named)
    assert (row["account_id"], row["credential_id"], row["end_user_id"]) == ("t1", "k1", "reader")
    assert (row["client_ip"], row["stream"]) == ("203.0.113.7", True)


ROUTER = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "vendor/m",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.prompt": json.dumps({"messages": [{"role": "user", "content": "why?"}]}),
    "gen_ai.completion": json.dumps({"choices": [{"finish_reason": "stop", "message": {}}]}),
    "trace.metadata.openrouter.api_key_name": "key one",
    "trace.metadata.openrouter.entity_id": "org-1",
    "trace.metadata.openrouter.creator_user_id": "user-1",
}


def test_openrouter_broadcasts_name_owner_key_and_path(tmp_path):
    row = read_span(tmp_path, ROUTER)
    assert (row["account_id"], row["organization_id"], row["credential_id"]) == ("user-1", "org-1", "key one")
    assert row["access_path"] == "aggregator:openrouter"
    assert (row["input_text"], row["finish_reason"]) == ("why?", "stop")
    assert read_span(tmp_path, ROUTER | {"user.id": "u9"})["account_id"] == "u9"


@pytest.mark.parametrize("child_first", [True, False])
def test_a_routers_tries_at_providers_are_the_same_call(tmp_path, child_first):
    root = span(ROUTER, own="01")
    tries = [span(ROUTER, own=f"1{number}", parent="01") for number in range(2)]
    rows, rejected = read_exports(tmp_path, traces(*([*tries, root] if child_first else [root, *tries])))
    assert (len(rows), rejected) == (1, [])
    assert rows[0]["event_id"] == "aa-01"


def test_empty_test_payloads_and_metrics_are_passed_over(tmp_path):
    empty = ({}, {"resourceSpans": []}, {"resourceMetrics": [{"scopeMetrics": []}]})
    assert read_exports(tmp_path, *empty) == ([], [])


# Who called.


def test_tools_agents_and_web_requests_are_no_model_calls(tmp_path):
    others = [
        span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}, own="02"),
        span({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, own="03"),
        span({"openinference.span.kind": "CHAIN", "input.value": "why?"}, own="04"),
        span({"http.request.method": "POST"}, own="05"),
    ]
    rows, rejected = read_exports(tmp_path, traces(span(CURRENT), *others))
    assert (len(rows), rejected) == (1, [])


def test_a_call_takes_address_and_agent_from_the_outermost_web_request(tmp_path):
    outer = {"client.address": "203.0.113.7", "user_agent.original": "agent/1", "user.id": "acct-9"}
    inner = {"client.address": "10.0.0.1"}
    bare = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    rows, _ = read_exports(
        tmp_path,
        traces(span(bare, own="03", parent="02")),
        traces(span(inner, own="02", parent="01")),
        traces(span(outer, own="01")),
    )
    (row,) = rows
    assert (row["account_id"], row["client_ip"], row["user_agent"]) == ("acct-9", "203.0.113.7", "agent/1")


def test_a_mapped_attribute_goes_first_and_the_user_becomes_the_end_user(tmp_path):
    settings = {"fields": {"account_id": "tenant.id"}}
    row = read_span(tmp_path, CURRENT | {"tenant.id": 42}, settings=settings)
    assert (row["account_id"], row["end_user_id"]) == ("42", "acct-1")
    row = read_span(tmp_path, CURRENT, resource={"tenant.id": "t"}, settings=settings)
    assert row["account_id"] == "t"


def test_calls_of_nobody_are_rejected_one_by_one_and_end_nothing(tmp_path):
    bare = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    rows, rejected = read_exports(tmp_path, traces(span(bare, own="01")), traces(span(bare, own="02")))
    assert rows == []
    assert rejected == [(1, "missing-field", "account_id"), (2, "missing-field", "account_id")]


def test_one_call_without_anybody_is_rejected_and_the_rest_is_read(tmp_path):
    bare = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    rows, rejected = read_exports(tmp_path, traces(span(CURRENT)), traces(span(bare, own="02", trace="bb")))
    assert len(rows) == 1
    assert rejected == [(2, "missing-field", "account_id")]


# What went wrong, and what was lost.


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ({}, {}, 200),
        ({}, {"code": 1}, 200),
        ({"error.type": "429"}, {"code": 2}, 429),
        ({"error.type": "openai.RateLimitError"}, {"code": 2}, 429),
        ({"error.type": "anthropic.APIStatusError"}, {"code": 2, "message": "Error code: 529 - busy"}, 529),
        ({}, {"code": 2, "message": "RateLimitError: Error code: 429 - busy"}, 429),
        ({"http.response.status_code": 503}, {"code": 2}, 503),
        ({"error.type": "timeout"}, {"code": 2}, None),
    ],
)
def test_the_status_is_told_or_implied(tmp_path, attributes, status, expected):
    assert read_span(tmp_path, CURRENT | attributes, status=status)["status"] == expected


def test_a_refusal_is_seen_in_the_finish_reason(tmp_path):
    assert read_span(tmp_path, CURRENT | {"gen_ai.response.finish_reasons": ["refusal"]})["refused"] is True
    assert read_span(tmp_path, CURRENT | {"gen_ai.response.finish_reasons": '["stop"]'})["refused"] is False
    assert read_span(tmp_path, CURRENT)["refused"] is None


def test_messages_that_an_exporter_cut_are_read_as_far_as_they_go(tmp_path):
    whole = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "why do tides turn?"}]}])
    row = read_span(tmp_path, CURRENT | {"gen_ai.input.messages": whole[: whole.index("turn")]})
    assert (row["input_text"], row["losses"]) == ("why do tides ", ["truncated"])
    assert read_span(tmp_path, CURRENT | {"gen_ai.input.messages": whole})["losses"] is None


@given(st.data())
def test_a_json_text_cut_anywhere_never_makes_up_a_value(data):
    value = [{"role": "user", "content": 'a "quoted" \\ line\n', "n": [1, True, None]}]
    text = json.dumps(value)
    cut = closed_json(text[: data.draw(st.integers(1, len(text)))])
    for message in cut or []:
        assert value[0]["content"].startswith(message.get("content") or "")


def test_attributes_dropped_or_moved_away_are_a_loss(tmp_path):
    assert read_span(tmp_path, CURRENT, droppedAttributesCount=2)["losses"] == ["truncated"]
    moved = read_span(tmp_path, CURRENT | {"gen_ai.input.messages_ref": "s3://bucket/one"})
    assert (moved["input_text"], moved["losses"]) == (None, ["truncated"])


def test_a_redacted_text_is_absent_and_says_so(tmp_path):
    said = {
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "__REDACTED__",
    }
    row = read_span(tmp_path, CURRENT | said)
    assert (row["input_text"], row["losses"]) == (None, ["masked"])


def test_a_sampled_span_carries_its_weight(tmp_path):
    row = read_span(tmp_path, CURRENT, traceState="vendor=1,ot=rv:ab;th:c")
    assert (row["sampled_weight"], row["losses"]) == (4.0, ["sampled"])
    assert read_span(tmp_path, CURRENT, traceState="ot=th:0")["sampled_weight"] is None


def test_bad_values_are_rejected_by_column_and_never_end_the_run(tmp_path):
    rows, rejected = read_exports(
        tmp_path,
        traces(span(CURRENT)),
        traces(span(CURRENT | {"gen_ai.request.temperature": "hot"}, own="02")),
        traces(span(CURRENT, own="03", startTimeUnixNano="soon")),
        traces(span(CURRENT, own="04", startTimeUnixNano="1790000000")),
        traces(span(CURRENT, own="")),
        {"resourceSpans": "none"},
        {"resourceSpans": [{"scopeSpans": [{"spans": [7, span(CURRENT, own="05")]}]}]},
        ["no export"],
        {"kind": "something else"},
    )
    assert [row["event_id"] for row in rows] == ["aa-01", "aa-05"]
    assert sorted(rejected) == [
        (2, "wrong-type", "temperature"),
        (3, "bad-time", "time"),
        (4, "time-out-of-range", "time"),
        (5, "missing-field", "event_id"),
        (6, "wrong-type", "resourceSpans"),
        (7, "wrong-type", "spans"),
        (8, "wrong-type", "envelope"),
        (9, "wrong-type", "envelope"),
    ]


def test_a_missing_model_may_be_set_for_the_whole_log(tmp_path):
    bare = {"gen_ai.operation.name": "chat", "user.id": "a"}
    assert read_span(tmp_path, bare, settings={"model_default": "m"})["request_model"] == "m"
    rows, rejected = read_exports(tmp_path, traces(span(bare)))
    assert (rows, rejected) == ([], [(1, "missing-field", "request_model")])


def test_a_message_far_from_its_span_is_rejected_and_memory_stays_bounded(tmp_path):
    between = [traces(span(CURRENT, own=f"{number:04x}")) for number in range(otel.JOIN_CALLS_MAX)]
    late = [logs(message_event("user", "why?", own="fffe")), *between, traces(span(CURRENT, own="fffe"))]
    rows, rejected = read_exports(tmp_path, *late)
    assert len(rows) == otel.JOIN_CALLS_MAX + 1
    assert rejected == [(1, "unjoined-message", "")]


def test_attributes_nested_without_end_are_dropped():
    value = {"stringValue": "deep"}
    for _ in range(NESTING_MAX + 2):
        value = {"arrayValue": {"values": [value]}}
    plain = any_value(value)
    while isinstance(plain, list):
        plain = plain[0]
    assert plain is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "type", "text", "tool", "messages", "values", "key"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
names = st.sampled_from(
    [
        *(name for alternatives in NAMES.values() for name in alternatives),
        *("gen_ai.operation.name", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt"),
        *("gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.response.finish_reasons"),
        *("input.value", "output.value", "llm.invocation_parameters", "llm.input_messages.0.message.content"),
        *("llm.input_messages.0.message.contents.0.message_content.text", "error.type", "user.id"),
    ]
)


@given(st.dictionaries(names, json_values, max_size=6), json_values, st.booleans())
def test_no_json_makes_the_adapter_fall_over(attributes, other, as_text):
    held = {key: json.dumps(value) if as_text else value for key, value in attributes.items()}
    raw = span({}) | {"attributes": held, "status": other, "events": other, "traceState": other}
    (record,) = records(traces(raw), lambda _: None)
    row_of(Call(1, span=record), {}, ReadSettings())
    list(records(other, lambda _: None))


# The writer and the adapter.

EVENT = dict.fromkeys(EVENT_SCHEMA.names) | {
    "event_id": "e-1",
    "time": datetime(2026, 9, 21, 14, 13, 20, 250_001, UTC),
    "account_id": "acct-1",
    "end_user_id": "reader",
    "session_id": "s-1",
    "client_ip": "203.0.113.7",
    "tls_fingerprint": "t13d1516h2_8daaf6152771_b0da82dd1658",
    "user_agent": "agent/1",
    "request_model": "m",
    "response_model": "m-2026",
    "operation": "chat",
    "system_prompt": "be brief",
    "input_text": "why \U0001f30a?\n",
    "turn_index": 2,
    "tool_names": ["look", "find"],
    "response_format": "json_object",
    "temperature": 0.3,
    "top_p": 0.9,
    "choice_count": 4,
    "max_tokens": 100,
    "stream": True,
    "reasoning_level": "high",
    "input_tokens": 10,
    "output_tokens": 20,
    "reasoning_tokens": 5,
    "cached_tokens": 0,
    "status": 200,
    "finish_reason": "stop",
    "refused": False,
    "duration_ms": 1250.5,
}


def rewritten(folder, *events, **settings):
    writer.write([pa.RecordBatch.from_pylist(list(events), schema=EVENT_SCHEMA)], folder / "written")
    (path,) = sorted((folder / "written").iterdir())
    return read(path, **settings)


def test_what_the_writer_writes_the_adapter_reads_back(tmp_path):
    (row,), rejected = rewritten(tmp_path, EVENT, fields={"event_id": "gen_ai.response.id"})
    assert rejected == []
    assert row == EVENT


def test_a_written_failure_keeps_its_status(tmp_path):
    for status in (429, 529):
        failed = EVENT | {"status": status, "finish_reason": None, "refused": None}
        (row,), _ = rewritten(tmp_path, failed)
        assert (row["status"], row["finish_reason"], row["refused"]) == (status, None, None)


def test_a_written_sampling_weight_comes_back(tmp_path):
    (row,), _ = rewritten(tmp_path, EVENT | {"sampled_weight": 8.0})
    assert (row["sampled_weight"], row["losses"]) == (8.0, ["sampled"])


def test_written_spans_have_ids_of_the_right_length(tmp_path):
    (row,), _ = rewritten(tmp_path, EVENT)
    trace, _, own = row["event_id"].partition("-")
    assert (len(trace), len(own)) == (32, 16)


def test_the_dialect_declares_every_column_that_a_convention_names():
    assert set(NAMES) <= otel.DIALECT.columns
