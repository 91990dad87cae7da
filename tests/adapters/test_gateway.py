"""Access logs of Envoy AI Gateway, of Kong, and of anything else through a field map."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import gateway
from stillwatch.adapters.contract import ReadSettings, Rejection
from stillwatch.adapters.source import list_files, read_head
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.writers import gateway as writer

MOMENT = datetime(2026, 9, 21, 14, 13, 20, 123_000, tzinfo=UTC)

ENVOY: dict[str, Any] = {
    "start_time": "2026-09-21T14:13:20.123Z",
    "method": "POST",
    "x-envoy-origin-path": "/v1/chat/completions",
    "path": "/v1/chat/completions",
    "response_code": 200,
    "response_flags": "-",
    "duration": 1834,
    "bytes_received": 702,
    "bytes_sent": 1540,
    "x-request-id": "6f3a7e0e-8f51-4a0a-9b53-0a4b21f3a001",
    "x-forwarded-for": "203.0.113.9, 10.0.0.4",
    "downstream_remote_address": "198.51.100.7:50112",
    "user-agent": "openai-python/2.8",
    "x-consumer-id": "tenant-a",
    "gen_ai.request.model": "m1",
    "gen_ai.response.model": "m1-2026",
    "gen_ai.provider.name": "backend-a",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 45,
    "gen_ai.usage.total_tokens": 165,
}

KONG: dict[str, Any] = {
    "started_at": 1_790_000_000_123,
    "client_ip": "203.0.113.9",
    "request": {
        "id": "9d3c1e57f0c2a41ba1b2c3d4e5f60718",
        "method": "POST",
        "uri": "/ai/v1/chat/completions?debug=1",
        "headers": {"user-agent": "openai-python/2.8", "host": "gateway.example"},
    },
    "response": {"status": 200, "headers": {}},
    "latencies": {"request": 1834, "proxy": 1800, "kong": 34},
    "consumer": {"id": "c-7", "username": "tenant-a"},
    "workspace": "w-1",
    "ai": {
        "proxy": {
            "meta": {"provider_name": "openai", "request_model": "m1", "response_model": "m1-2026"},
            "usage": {"prompt_tokens": 120, "completion_tokens": 45, "total_tokens": 165},
        }
    },
}


def read(path: Path, **settings: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    rejected: list[Rejection] = []
    rows = [
        row
        for file in list_files([str(path)])
        for batch in gateway.read(file, ReadSettings(**settings), rejected.append)
        for row in batch.to_pylist()
    ]
    return rows, [(one.line, one.reason, one.detail) for one in rejected]


def logged(folder: Path, *records: object) -> Path:
    path = folder / "access.log"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def one(folder: Path, record: object, **settings: Any) -> dict[str, Any]:
    (row,), rejected = read(logged(folder, record), **settings)
    assert rejected == []
    return row


def filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def test_an_envoy_line_gives_its_call(tmp_path: Path) -> None:
    assert filled(one(tmp_path, ENVOY)) == {
        "event_id": "6f3a7e0e-8f51-4a0a-9b53-0a4b21f3a001",
        "time": MOMENT,
        "account_id": "tenant-a",
        "client_ip": "203.0.113.9",
        "user_agent": "openai-python/2.8",
        "request_model": "m1",
        "response_model": "m1-2026",
        "operation": "chat",
        "input_tokens": 120,
        "output_tokens": 45,
        "status": 200,
        "duration_ms": 1834.0,
    }


def test_a_kong_line_gives_its_call(tmp_path: Path) -> None:
    assert filled(one(tmp_path, KONG)) == {
        "event_id": "9d3c1e57f0c2a41ba1b2c3d4e5f60718",
        "time": MOMENT,
        "account_id": "c-7",
        "organization_id": "w-1",
        "client_ip": "203.0.113.9",
        "user_agent": "openai-python/2.8",
        "request_model": "m1",
        "response_model": "m1-2026",
        "operation": "chat",
        "input_tokens": 120,
        "output_tokens": 45,
        "status": 200,
        "duration_ms": 1834.0,
    }


def test_both_spellings_of_kongs_token_counts_are_read(tmp_path: Path) -> None:
    proxy = KONG["ai"]["proxy"] | {"usage": {"prompt_token": 3, "completion_token": 5}}
    row = one(tmp_path, KONG | {"ai": {"ai-proxy-advanced": proxy}})
    assert (row["input_tokens"], row["output_tokens"]) == (3, 5)


@pytest.mark.parametrize("as_text", [True, False])
def test_kongs_payloads_are_read_where_they_are_logged(tmp_path: Path, as_text: bool) -> None:
    asked = {
        "model": "alias",
        "temperature": 0.2,
        "messages": [
            {"role": "system", "content": "Answer in rhyme."},
            {"role": "user", "content": "Tell me of tides."},
        ],
    }
    answered = {"model": "m1-2026", "choices": [{"finish_reason": "stop", "message": {"content": "…"}}]}
    write = json.dumps if as_text else (lambda body: body)
    proxy = KONG["ai"]["proxy"] | {"payload": {"request": write(asked), "response": write(answered)}}
    row = one(tmp_path, KONG | {"ai": {"proxy": proxy}})
    assert (row["system_prompt"], row["input_text"]) == ("Answer in rhyme.", "Tell me of tides.")
    assert (row["turn_index"], row["temperature"], row["finish_reason"]) == (0, 0.2, "stop")
    assert row["request_model"] == "m1"


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"x-forwarded-for": "2001:db8::7, 10.0.0.4"}, "2001:db8::7"),
        ({"x-forwarded-for": "-"}, "198.51.100.7"),
        ({"x-forwarded-for": None, "downstream_remote_address": "[2001:db8::7]:443"}, "2001:db8::7"),
        ({"x-forwarded-for": "", "downstream_remote_address": "-"}, None),
    ],
)
def test_the_address_is_the_first_one_without_its_port(
    tmp_path: Path, fields: dict[str, Any], address: str | None
) -> None:
    assert one(tmp_path, ENVOY | fields)["client_ip"] == address


def test_numbers_may_be_written_as_text(tmp_path: Path) -> None:
    texts = {name: str(value) if isinstance(value, int) else value for name, value in ENVOY.items()}
    assert one(tmp_path, texts) == one(tmp_path, ENVOY)


def test_an_api_key_stands_for_its_owner_by_digest_only(tmp_path: Path) -> None:
    record = {name: value for name, value in ENVOY.items() if name != "x-consumer-id"}
    row = one(tmp_path, record | {"x-api-key": "sk-invented-secret"})
    assert row["account_id"].startswith("key:")
    assert "invented" not in str(row)
    again = one(tmp_path, record | {"x-api-key": "sk-invented-secret", "x-request-id": "other"})
    assert again["account_id"] == row["account_id"]


def test_a_line_about_no_model_call_is_passed_over(tmp_path: Path) -> None:
    health = {"start_time": "2026-09-21T14:13:20Z", "path": "/healthz", "gen_ai.request.model": "-"}
    rows, rejected = read(logged(tmp_path, health, ENVOY, health))
    assert len(rows) == 1
    assert rejected == []


def test_a_file_without_any_model_call_is_one_rejection(tmp_path: Path) -> None:
    rows, rejected = read(logged(tmp_path, {"path": "/healthz"}, {"path": "/healthz"}))
    assert rows == []
    assert rejected == [(1, "no-model-calls", "request_model")]


def test_calls_of_nobody_are_rejected_one_by_one_and_end_nothing(tmp_path: Path) -> None:
    record = {name: value for name, value in ENVOY.items() if name != "x-consumer-id"}
    rows, rejected = read(logged(tmp_path, record, record))
    assert rows == []
    assert rejected == [(1, "missing-field", "account_id"), (2, "missing-field", "account_id")]


def test_any_json_access_log_is_read_through_a_field_map(tmp_path: Path) -> None:
    record = {
        "ts": "1790000000.123",
        "rid": 77,
        "tenant": {"id.v2": "t-1", "plan": "pro"},
        "upstream": {"llm": {"name": "m1"}},
        "http": {"status": "429", "streamed": "true"},
    }
    fields = {
        "time": "ts",
        "event_id": "rid",
        "account_id": "tenant.id.v2",
        "request_model": "upstream.llm.name",
        "status": "http.status",
        "stream": "http.streamed",
    }
    assert filled(one(tmp_path, record, fields=fields)) == {
        "event_id": "77",
        "time": MOMENT,
        "account_id": "t-1",
        "request_model": "m1",
        "status": 429,
        "stream": True,
    }


def test_a_mapped_field_goes_before_what_the_dialect_guesses(tmp_path: Path) -> None:
    row = one(tmp_path, ENVOY | {"team": {"id": "t-9"}}, fields={"account_id": "team.id"})
    assert row["account_id"] == "t-9"


def test_a_field_is_mapped_through_json_inside_a_string(tmp_path: Path) -> None:
    row = one(tmp_path, ENVOY | {"claims": '{"groups": [{"id": 9}]}'}, fields={"account_id": "claims.groups.0.id"})
    assert row["account_id"] == "9"


@pytest.mark.parametrize("nothing", ["-", "", None, {}, {"id": "t-9"}])
def test_a_mapped_field_without_a_value_is_not_replaced_by_a_guess(tmp_path: Path, nothing: object) -> None:
    rows, rejected = read(logged(tmp_path, ENVOY | {"team": nothing}), fields={"account_id": "team"})
    assert rows == []
    assert rejected == [(1, "missing-field", "account_id")]


def test_a_line_without_an_id_gets_one_from_its_content(tmp_path: Path) -> None:
    record = {name: value for name, value in ENVOY.items() if name != "x-request-id"}
    first, second, third = read(logged(tmp_path, record, record | {"duration": 1}, record))[0]
    assert first["event_id"] == third["event_id"] != second["event_id"]


def test_bad_lines_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = [[1], ENVOY | {"start_time": "noon"}, ENVOY | {"start_time": None}, ENVOY | {"response_code": "OK"}]
    rows, rejected = read(logged(tmp_path, *bad, ENVOY))
    assert len(rows) == 1
    assert rejected == [
        (1, "wrong-type", "record"),
        (2, "bad-time", "time"),
        (3, "missing-field", "time"),
        (4, "wrong-type", "status"),
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["ai", "proxy", "meta", "payload", "request", "usage", "time", "model", "consumer"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_shape_of_record_makes_reading_fail(tmp_path_factory: pytest.TempPathFactory, record: object) -> None:
    path = logged(tmp_path_factory.mktemp("shape"), ENVOY, KONG, record)
    rows, _ = read(path, model_default="m0")
    assert len(rows) >= 2
    for file in list_files([str(path)]):
        gateway.recognise(read_head(file))


def test_what_the_simulation_writes_is_read_back(tmp_path: Path) -> None:
    event = {
        "event_id": "e1",
        "time": MOMENT,
        "account_id": "a1",
        "organization_id": "o1",
        "credential_id": "k1",
        "end_user_id": "u1",
        "session_id": "s1",
        "client_ip": "203.0.113.9",
        "tls_fingerprint": "t13d1516h2",
        "user_agent": "client/1",
        "request_model": "m1",
        "response_model": "m1-2026",
        "operation": "completion",
        "input_tokens": 7,
        "output_tokens": 0,
        "status": 429,
        "duration_ms": 12.0,
    }
    bare = {name: event[name] for name in ("event_id", "time", "account_id", "request_model")}
    table = pa.Table.from_pylist([event | {"input_text": "not carried"}, bare], schema=EVENT_SCHEMA)
    writer.write(table.to_batches(), tmp_path)
    rows, rejected = read(tmp_path)
    assert rejected == []
    assert [filled(row) for row in rows] == [event, bare]
    assert set(event) <= gateway.DIALECT.columns
    (file,) = list_files([str(tmp_path)])
    assert gateway.recognise(read_head(file)) is not None


@pytest.mark.parametrize("record", [ENVOY, KONG], ids=["envoy", "kong"])
def test_a_log_is_recognised_by_one_call_among_other_lines(tmp_path: Path, record: object) -> None:
    (file,) = list_files([str(logged(tmp_path, {"path": "/healthz"}, record))])
    assert gateway.recognise(read_head(file)) is not None


def test_another_json_log_is_not_recognised(tmp_path: Path) -> None:
    (file,) = list_files([str(logged(tmp_path, {"model": "m1", "status": 200, "ai": {"x": 1}}))])
    assert gateway.recognise(read_head(file)) is None
