import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import raw_pairs
from stillwatch.adapters.contract import LogFile, ReadSettings
from stillwatch.adapters.messages import block_digest
from stillwatch.adapters.source import read_head
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.writers import raw_pairs as writer

FIXTURES = Path(__file__).parent / "fixtures" / "raw_pairs"
SYSTEM = "You keep the tide tables of a small harbour."
ASKED = "When is high water on Friday?"


def file_of(path):
    return LogFile(str(path), path.stat().st_size)


def read(path, **settings):
    rejected = []
    batches = raw_pairs.read(file_of(path), ReadSettings(**settings), rejected.append)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return rows, [(rejection.line, rejection.reason, rejection.detail) for rejection in rejected]


def rows_of(name, **settings):
    rows, rejected = read(FIXTURES / name, **settings)
    assert rejected == []
    return {row["event_id"]: row for row in rows}


def read_records(folder, *records, **settings):
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(path, **settings)


def read_one(folder, record, **settings):
    rows, rejected = read_records(folder, record, **settings)
    assert rejected == []
    return rows[0]


def pair(headers=None, body=None, reply=None, **changes):
    body = {"model": "m", "messages": [{"role": "user", "content": ASKED}]} if body is None else body
    return {
        "time": 1_790_000_000.5,
        "request": {"path": "/v1/chat/completions", "headers": headers or {"x-user-id": "ada"}, "body": body},
        "response": {"status": 200, "body": {} if reply is None else reply},
    } | changes


def test_a_chat_call_gives_every_column_that_it_carries():
    row = rows_of("middleware.jsonl")["p-chat"]
    assert row["time"] == datetime(2026, 9, 21, 14, 13, 20, 250_000, UTC)
    assert (row["request_model"], row["response_model"]) == ("harbor-large", "harbor-large-2026-08")
    assert (row["system_prompt"], row["input_text"], row["turn_index"]) == (SYSTEM, ASKED, 1)
    assert (row["temperature"], row["top_p"], row["choice_count"], row["max_tokens"]) == (0.7, 0.9, 2, 256)
    assert (row["logprobs"], row["response_format"], row["reasoning_level"]) == (True, "json_schema", "low")
    assert row["tool_names"] == ["tide_table"]
    assert (row["input_tokens"], row["output_tokens"]) == (21, 9)
    assert (row["reasoning_tokens"], row["cached_tokens"]) == (2, 4)
    assert (row["status"], row["finish_reason"], row["refused"], row["stream"]) == (200, "stop", False, False)
    assert (row["client_ip"], row["user_agent"]) == ("198.51.100.20", "harbour-app/2.1")
    assert (row["end_user_id"], row["duration_ms"], row["operation"]) == ("reader-7", 640.5, "chat")


@pytest.mark.parametrize(
    ("streamed", "whole"),
    [
        ("p-chat-text", "p-chat"),
        ("p-responses-stream", "p-responses"),
        ("p-anthropic-stream", "p-anthropic"),
    ],
)
def test_a_streamed_pair_tells_the_same_as_a_whole_one(streamed, whole):
    rows = rows_of("middleware.jsonl")
    assert rows[streamed]["stream"] is True
    columns = set(EVENT_SCHEMA.names) - {"event_id", "stream", "cached_tokens"}
    assert {c: rows[streamed][c] for c in columns} == {c: rows[whole][c] for c in columns}


def test_encrypted_reasoning_of_responses_is_known_by_its_digest():
    row = rows_of("middleware.jsonl")["p-responses"]
    assert row["presented_blocks"] == [block_digest("ZW5jcnlwdGVkLW9uZQ==")]
    assert row["issued_blocks"] == [block_digest("ZW5jcnlwdGVkLXR3bw==")]
    assert (row["session_id"], row["end_user_id"]) == ("conv_1", "reader-9")
    assert (row["max_tokens"], row["finish_reason"]) == (300, "stop")


def test_an_anthropic_call_has_its_user_signed_blocks_and_owner():
    row = rows_of("middleware.jsonl")["p-anthropic"]
    assert row["presented_blocks"] == [block_digest("c2lnLWE="), block_digest("cmVkYWN0ZWQ=")]
    assert row["issued_blocks"] == [block_digest("c2lnLWE=")]
    assert (row["account_id"], row["organization_id"]) == ("ada", "org-harbour")
    assert (row["end_user_id"], row["response_format"]) == ("reader-8", "json_schema")


def test_embeddings_and_completions_have_their_own_operation():
    rows = rows_of("middleware.jsonl")
    assert (rows["p-embeddings"]["operation"], rows["p-embeddings"]["input_text"]) == ("embeddings", ASKED)
    completion = rows["p-completion"]
    assert (completion["operation"], completion["finish_reason"]) == ("completion", "length")
    assert (completion["input_text"], completion["turn_index"]) == (ASKED, 1)


def test_a_failed_call_keeps_its_status_and_what_was_asked():
    row = rows_of("middleware.jsonl")["p-error"]
    assert (row["status"], row["input_text"], row["finish_reason"]) == (429, ASKED, None)


def test_requests_that_reach_no_model_are_passed_over(tmp_path):
    assert "p-models" not in rows_of("middleware.jsonl")
    paths = ["/health", "/v1/messages/count_tokens", "/v1/models", "/v1/models/m", "/v1/responses/resp_1"]
    bodies = [{}, {"model": "m", "messages": []}, None, None, None]
    records = [
        pair() | {"request": {"path": path, "headers": {}, "body": body}}
        for path, body in zip(paths, bodies, strict=True)
    ]
    assert read_records(tmp_path, *records) == ([], [(1, "no-model-calls", "request_model")])


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/openai/deployments/harbor-2/chat/completions?api-version=1", "harbor-2"),
        ("/v1beta/models/harbor-3:generateContent", "harbor-3"),
    ],
)
def test_a_model_that_only_the_path_names_is_found(tmp_path, path, model):
    body = {"messages": [{"role": "user", "content": ASKED}]}
    record = pair() | {"request": {"path": path, "headers": {"api-key": "k-1"}, "body": body}}
    assert read_one(tmp_path, record)["request_model"] == model


def test_a_key_stands_for_its_owner_by_digest_and_is_nowhere_kept(tmp_path):
    keys = [
        {"Authorization": "Bearer sk-invented-1"},
        {"authorization": "bearer sk-invented-1"},
        {"X-API-Key": "sk-invented-1"},
        {"Authorization": "Bearer sk-invented-2"},
    ]
    rows, _ = read_records(tmp_path, *(pair(headers) for headers in keys))
    accounts = [row["account_id"] for row in rows]
    assert accounts[0] == accounts[1] == accounts[2] != accounts[3]
    assert [row["credential_id"] for row in rows] == accounts
    assert "sk-invented" not in str(rows)


def test_the_key_goes_before_the_user_that_the_request_names(tmp_path):
    body = {"model": "m", "messages": [{"role": "user", "content": ASKED}], "user": "reader"}
    with_key = read_one(tmp_path, pair({"authorization": "Bearer sk-invented-1"}, body))
    assert with_key["account_id"].startswith("key:")
    assert with_key["end_user_id"] == "reader"
    without = read_one(tmp_path, pair({"accept": "*/*"}, body))
    assert (without["account_id"], without["end_user_id"]) == ("reader", None)


@pytest.mark.parametrize("mask", ["Bearer ***", "Bearer sk-****abcd", "[REDACTED]", "<masked>", "Bearer xxxxxxxx"])
def test_a_masked_key_is_no_account(tmp_path, mask):
    row = read_one(tmp_path, pair({"authorization": mask, "x-user-id": "ada"}))
    assert (row["account_id"], row["credential_id"], row["losses"]) == ("ada", None, ["masked"])
    rows, rejected = read_records(tmp_path, pair({"authorization": mask}))
    assert rows == []
    assert rejected == [(1, "missing-field", "account_id")]


def test_a_mapped_field_goes_first_and_finds_headers_in_any_case(tmp_path):
    record = pair({"X-Tenant": "quay-4", "x-user-id": "ada"}) | {"talk": {"id": 7}}
    fields = {"account_id": "request.headers.x-tenant", "session_id": "talk.id", "client_asn": "talk.id"}
    row = read_one(tmp_path, record, fields=fields)
    assert (row["account_id"], row["session_id"], row["client_asn"]) == ("quay-4", "7", 7)
    _, rejected = read_records(tmp_path, record, pair(), fields=fields)
    assert rejected == [(2, "missing-field", "account_id")]


def test_headers_may_be_pairs_as_asgi_keeps_them(tmp_path):
    headers = [["X-User-Id", "ada"], ["user-agent", "agent/1"], ["broken"], [1, 2]]
    row = read_one(tmp_path, pair(headers))
    assert (row["account_id"], row["user_agent"]) == ("ada", "agent/1")


@pytest.mark.parametrize(
    ("forwarded", "client", "address"),
    [
        ("198.51.100.20, 10.0.0.1", "203.0.113.9:5123", "198.51.100.20"),
        (None, "203.0.113.9:5123", "203.0.113.9"),
        (None, ["203.0.113.9", 5123], "203.0.113.9"),
        (None, {"host": "203.0.113.9", "port": 5123}, "203.0.113.9"),
        ("[2001:db8::7]:443", None, "2001:db8::7"),
        ("2001:db8::7", None, "2001:db8::7"),
        ("unknown", "203.0.113.9", None),
        (None, None, None),
    ],
)
def test_the_address_is_the_first_hop_or_the_peer(tmp_path, forwarded, client, address):
    headers = {"x-user-id": "ada"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
    assert read_one(tmp_path, pair(headers, client=client))["client_ip"] == address


def test_an_edge_may_tell_fingerprint_and_network(tmp_path):
    row = read_one(tmp_path, pair(client={"host": "203.0.113.9", "ja4": "t13d1516h2", "asn": 64500}))
    assert (row["tls_fingerprint"], row["client_asn"]) == ("t13d1516h2", 64500)


def test_an_id_that_the_caller_chose_does_not_make_two_calls_one(tmp_path):
    headers = {"x-user-id": "ada", "x-request-id": "always-the-same"}
    rows, _ = read_records(tmp_path, pair(headers), pair(headers, time=1_790_000_001))
    assert len({row["event_id"] for row in rows}) == 2
    again, _ = read_records(tmp_path, pair(headers), pair(headers))
    assert len({row["event_id"] for row in again}) == 1, "the same record twice is one call"


def test_the_upstreams_id_is_the_event(tmp_path):
    record = pair()
    record["response"]["headers"] = {"X-Request-Id": "up-1"}
    assert read_one(tmp_path, record)["event_id"] == "up-1"
    assert read_one(tmp_path, pair(reply={"id": "chatcmpl-1"}))["event_id"] == "chatcmpl-1"


def test_a_body_that_was_cut_is_marked_and_the_model_of_the_reply_stands_in(tmp_path):
    row = read_one(tmp_path, pair(body='{"model": "m", "messages": [{"rol', reply={"model": "m-2026"}))
    assert (row["request_model"], row["input_text"], row["losses"]) == ("m-2026", None, ["truncated"])


def test_a_stream_that_breaks_off_has_no_ending(tmp_path):
    text = 'data: {"choices":[{"index":0,"delta":{"content":"At"}}],"model":"m-2026"}\n\ndata: {"ch'
    row = read_one(tmp_path, pair(reply=text))
    assert (row["finish_reason"], row["response_model"], row["stream"]) == (None, "m-2026", True)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_event_streams_are_read_with_comments_and_any_line_end(tmp_path, newline):
    lines = [
        ": keep-alive",
        "",
        "event: message",
        'data: {"choices": [{"index": 0, "delta": {"content": "a\u2028b"},',
        'data: "finish_reason": "stop"}]}',
        "",
        "data: [DONE]",
        "",
    ]
    row = read_one(tmp_path, pair(reply=newline.join(lines)))
    assert (row["finish_reason"], row["stream"]) == ("stop", True)


def test_a_refusal_in_a_stream_is_one(tmp_path):
    text = 'data: {"choices":[{"index":0,"delta":{"refusal":"no"},"finish_reason":"stop"}]}\n\n'
    assert read_one(tmp_path, pair(reply=text))["refused"] is True


def test_opaque_details_that_come_in_pieces_are_one_block(tmp_path):
    pieces = [{"type": "reasoning.encrypted", "index": 0, "data": data} for data in ("b3Bh", "cXVl")]
    chunks = [{"choices": [{"index": 0, "delta": {"reasoning_details": [piece]}}]} for piece in pieces]
    assert read_one(tmp_path, pair(reply=chunks))["issued_blocks"] == [block_digest("b3BhcXVl")]


def test_a_responses_stream_without_its_last_event_still_tells_its_blocks(tmp_path):
    item = {"type": "reasoning", "encrypted_content": "b3BhcXVl"}
    reply = [{"type": "response.output_item.done", "item": item}]
    assert read_one(tmp_path, pair(reply=reply))["issued_blocks"] == [block_digest("b3BhcXVl")]


def test_helicone_exports_are_read_whole_and_streamed():
    rows = rows_of("helicone.jsonl")
    whole, streamed = rows["h-1"], rows["h-2"]
    assert (whole["account_id"], whole["session_id"], whole["organization_id"]) == ("ada", "s-1", "org-harbour")
    assert whole["time"] == datetime(2026, 9, 21, 14, 13, 20, 250_000, UTC)
    assert (whole["request_model"], whole["duration_ms"], whole["status"]) == ("harbor-large", 640.0, 200)
    assert (streamed["stream"], streamed["finish_reason"], streamed["output_tokens"]) == (True, "stop", 9)
    assert {row["input_text"] for row in rows.values()} == {ASKED}


def test_portkey_exports_are_read_with_metadata_as_lists():
    row = rows_of("portkey.jsonl")["k-1"]
    assert (row["account_id"], row["session_id"], row["credential_id"]) == ("ada", "s-1", "vk-1")
    assert (row["request_model"], row["response_model"]) == ("harbor-large", "harbor-large-2026-08")
    assert (row["duration_ms"], row["status"], row["stream"]) == (640.0, 200, False)
    assert (row["input_text"], row["finish_reason"]) == (ASKED, "stop")


def test_portkey_columns_may_be_flat(tmp_path):
    body = {"model": "m", "messages": [{"role": "user", "content": ASKED}]}
    flat = {"id": "k-2", "created_at": "2026-09-21T14:13:20Z", "ai_model": "m-2026", "virtual_key": "vk-1"}
    row = read_one(tmp_path, flat | {"request.body": json.dumps(body), "response.body": "{}"})
    assert (row["account_id"], row["input_text"], row["response_model"]) == ("vk-1", ASKED, "m-2026")


def test_langfuse_generations_are_calls_and_spans_are_not():
    rows = rows_of("langfuse.jsonl")
    assert set(rows) == {"l-1", "l-2"}
    call = rows["l-1"]
    assert (call["system_prompt"], call["input_text"], call["turn_index"]) == (SYSTEM, ASKED, 1)
    assert (call["account_id"], call["session_id"]) == ("ada", "s-1")
    assert (call["temperature"], call["max_tokens"], call["tool_names"]) == (0.7, 256, ["tide_table"])
    assert (call["input_tokens"], call["output_tokens"], call["cached_tokens"]) == (21, 9, 4)
    assert (call["duration_ms"], call["status"], call["stream"]) == (640.0, 200, None)
    assert (rows["l-2"]["status"], rows["l-2"]["tool_names"]) == (None, ["tide_table"])


def test_langfuse_parquet_reads_like_its_json_lines(tmp_path):
    records = [json.loads(line) for line in (FIXTURES / "langfuse.jsonl").read_text().splitlines()]
    usage = pa.map_(pa.string(), pa.int64())
    table = pa.table(
        {
            name: pa.array([record.get(name) for record in records], pa.string())
            for name in ("id", "trace_id", "type", "level", "input", "output", "provided_model_name")
        }
        | {
            "model_parameters": pa.array([record.get("model_parameters") for record in records], pa.string()),
            "user_id": pa.array([record.get("user_id") for record in records], pa.string()),
            "session_id": pa.array([record.get("session_id") for record in records], pa.string()),
            "usage_details": pa.array([list((record.get("usage_details") or {}).items()) for record in records], usage),
            "tool_definitions": pa.array(
                [json.dumps(record.get("tool_definitions")) for record in records], pa.string()
            ),
        }
        | {
            name: pa.array(
                [datetime.fromisoformat(record.get(name, "2026-09-21 00:00:00")) for record in records],
                pa.timestamp("us"),
            )
            for name in ("start_time", "end_time")
        }
    )
    path = tmp_path / "observations.parquet"
    pq.write_table(table, path)
    assert "Langfuse" in raw_pairs.recognise(read_head(file_of(path)))
    assert read(path) == read(FIXTURES / "langfuse.jsonl")


@pytest.mark.parametrize(
    ("name", "writer_name"),
    [
        ("middleware.jsonl", "middleware"),
        ("helicone.jsonl", "helicone"),
        ("portkey.jsonl", "portkey"),
        ("langfuse.jsonl", "langfuse"),
    ],
)
def test_each_writer_is_recognised(name, writer_name):
    assert writer_name in raw_pairs.recognise(read_head(file_of(FIXTURES / name)))


def test_an_access_log_with_objects_of_these_names_is_no_pair(tmp_path):
    path = tmp_path / "access.jsonl"
    path.write_text('{"request": {"uri": "/v1", "headers": {}}, "response": {"status": 200}, "service": {}}\n')
    assert raw_pairs.recognise(read_head(file_of(path))) is None


def test_bad_records_are_rejected_by_line_and_column(tmp_path):
    rows, rejected = read_records(
        tmp_path,
        pair(),
        pair(time="yesterday"),
        pair(time=1_790_000_000_000),
        ["not", "a", "record"],
        {"something": "else"},
        pair(body={"model": "m", "messages": [], "temperature": {"hot": 1}}),
        pair(body={"messages": []}),
        pair({"accept": "*/*"}),
    )
    assert len(rows) == 1
    assert sorted(rejected) == [
        (2, "bad-time", "time"),
        (3, "time-out-of-range", "time looks like milliseconds"),
        (4, "wrong-type", "record"),
        (5, "missing-field", "request"),
        (6, "wrong-type", "temperature"),
        (7, "missing-field", "request_model"),
        (8, "missing-field", "account_id"),
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def objects(*keys):
    return json_values | st.dictionaries(st.sampled_from(keys), json_values, max_size=4)


chunks = objects(
    "type", "choices", "delta", "index", "message", "content_block", "usage", "response", "item", "data", "model",
)  # fmt: skip
bodies = objects(
    "model", "messages", "input", "prompt", "system", "tools", "thinking", "metadata", "conversation", "text", "user",
)  # fmt: skip
replies = st.lists(chunks, max_size=4) | objects("choices", "output", "usage", "content", "streamed_data", "id")
pairs = st.fixed_dictionaries(
    {
        "time": st.just(1_790_000_000) | json_values,
        "request": st.fixed_dictionaries(
            {"headers": st.just({"x-user-id": "ada"}) | json_values, "body": bodies}, optional={"path": json_values}
        ),
        "response": st.fixed_dictionaries({"body": replies}, optional={"status": json_values}) | json_values,
    },
    optional={"client": json_values, "ai_model": json_values, "metadata": objects("key", "value")},
)
exports = st.dictionaries(
    st.sampled_from(
        [
            "type", "id", "trace_id", "start_time", "end_time", "input", "output", "model_parameters", "usage_details",
            "tool_definitions", "user_id", "request_created_at", "request_body", "response_body", "request_path",
        ]
    ),
    st.just("GENERATION") | json_values,
)  # fmt: skip


@given(st.lists(pairs | exports | json_values, max_size=3))
def test_no_json_makes_the_adapter_fall_over(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("fuzz") / "pairs.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    read(path, fields={"end_user_id": "request.headers.a.0.b"})


EVENT = dict.fromkeys(EVENT_SCHEMA.names) | {
    "event_id": "e-1",
    "time": datetime(2026, 9, 21, 14, 13, 20, 250_001, UTC),
    "account_id": "acct-1",
    "organization_id": "org-1",
    "credential_id": "key-1",
    "end_user_id": "reader",
    "session_id": "s-1",
    "client_ip": "203.0.113.7",
    "client_asn": 64500,
    "tls_fingerprint": "t13d1516h2",
    "user_agent": "agent/1",
    "request_model": "m",
    "response_model": "m-2026",
    "operation": "chat",
    "system_prompt": "be brief",
    "input_text": "why \U0001f30a?\n",
    "turn_index": 2,
    "tool_names": ["look", "find"],
    "response_format": "json_schema",
    "temperature": 0.3,
    "top_p": 0.9,
    "choice_count": 4,
    "max_tokens": 100,
    "logprobs": True,
    "stream": False,
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


def rewritten(folder, *events):
    writer.write([pa.RecordBatch.from_pylist(list(events), schema=EVENT_SCHEMA)], folder / "written")
    (path,) = sorted((folder / "written").iterdir())
    rows, rejected = read(path)
    assert rejected == []
    return rows


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_writer_writes_the_adapter_reads_back(tmp_path, stream):
    (row,) = rewritten(tmp_path, EVENT | {"stream": stream})
    assert row == EVENT | {"stream": stream}


def test_written_completions_and_embeddings_keep_their_kind(tmp_path):
    kinds = ["completion", "embeddings"]
    rows = rewritten(tmp_path, *(EVENT | {"event_id": kind, "operation": kind} for kind in kinds))
    assert [row["operation"] for row in rows] == kinds
    assert {row["input_text"] for row in rows} == {EVENT["input_text"]}


def test_a_written_failure_keeps_its_status(tmp_path):
    (row,) = rewritten(tmp_path, EVENT | {"status": 429, "finish_reason": None, "refused": None})
    assert (row["status"], row["finish_reason"], row["refused"]) == (429, None, None)


@pytest.mark.parametrize("stream", [False, True])
def test_a_written_refusal_stays_one(tmp_path, stream):
    (row,) = rewritten(tmp_path, EVENT | {"refused": True, "stream": stream})
    assert (row["refused"], row["finish_reason"]) == (True, "stop")


def test_written_opaque_blocks_stay_equal_to_each_other(tmp_path):
    issuing = EVENT | {"issued_blocks": ["ab" * 16], "stream": True}
    presenting = EVENT | {"event_id": "e-2", "presented_blocks": ["ab" * 16]}
    first, second = rewritten(tmp_path, issuing, presenting)
    assert first["issued_blocks"] == second["presented_blocks"]
    assert (second["input_text"], second["turn_index"]) == (EVENT["input_text"], EVENT["turn_index"])


def test_the_dialect_declares_what_it_fills(tmp_path):
    (row,) = rewritten(tmp_path, EVENT | {"issued_blocks": ["a"], "presented_blocks": ["b"]})
    assert {column for column, value in row.items() if value is not None} == raw_pairs.DIALECT.columns
