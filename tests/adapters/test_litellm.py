import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import litellm
from stillwatch.adapters.contract import LogFile, ReadSettings
from stillwatch.adapters.messages import block_digest
from stillwatch.adapters.source import read_head
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.writers import litellm as writer

FIXTURES = Path(__file__).parent / "fixtures" / "litellm"
SYSTEM = "You are a harbour master and answer in one sentence."
SIGNATURE = "aW52ZW50ZWQtc2lnbmF0dXJlLW9mLWEtcmVhc29uaW5nLWJsb2Nr"

PAYLOAD = {
    "id": "call-1",
    "call_type": "acompletion",
    "model": "openai/m",
    "model_group": "m",
    "startTime": 1_790_000_000.25,
    "endTime": 1_790_000_001.0,
    "metadata": {"user_api_key_hash": "k1", "user_api_key_user_id": "u1"},
    "messages": [{"role": "user", "content": "hello"}],
    "response": {},
}
ROW = {
    "request_id": "call-2",
    "call_type": "acompletion",
    "spend": 0.0,
    "api_key": "k1",
    "user": "u1",
    "model": "openai/m",
    "startTime": "2026-09-21 14:13:20.25",
    "metadata": "{}",
}


def read(path, **settings):
    rejected = []
    batches = litellm.read(LogFile(str(path), path.stat().st_size), ReadSettings(**settings), rejected.append)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return rows, [(rejection.line, rejection.reason, rejection.detail) for rejection in rejected]


def read_records(folder, *records, **settings):
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(path, **settings)


def read_one(folder, record, **settings):
    rows, rejected = read_records(folder, record, **settings)
    assert rejected == []
    return rows[0]


def head(path):
    return read_head(LogFile(str(path), path.stat().st_size))


def test_the_recorded_array_gives_every_call_of_the_real_proxy():
    rows, rejected = read(FIXTURES / "json_array.json")
    assert rejected == []
    assert [row["operation"] for row in rows] == ["chat"] * 6 + ["embeddings"] + ["chat"] * 4
    assert {row["account_id"] for row in rows} == {"account-ada", "team-quays"}
    first = rows[0]
    assert first["system_prompt"] == SYSTEM
    assert first["input_text"] == "How often does the tide turn?"
    assert (first["temperature"], first["top_p"], first["max_tokens"]) == (0.7, 0.9, 256)
    assert (first["input_tokens"], first["output_tokens"]) == (21, 9)
    assert (first["reasoning_tokens"], first["cached_tokens"]) == (2, 4)
    assert first["request_model"] == "harbor-large"
    assert first["user_agent"] == "harbour-app/2.1"
    assert first["organization_id"] == "org-harbour"
    assert first["duration_ms"] > 0


def test_the_recorded_stream_tools_turns_and_error_are_told_apart():
    rows, _ = read(FIXTURES / "json_array.json")
    streamed, tools, turns, busy, responses, embedding = rows[1:7]
    assert streamed["stream"] is True
    assert streamed["end_user_id"] == "reader-7"
    assert tools["tool_names"] == ["tide_table"]
    assert tools["finish_reason"] == "tool_calls"
    assert (turns["turn_index"], turns["choice_count"]) == (1, 2)
    assert turns["response_format"] == "json_schema"
    assert (busy["status"], busy["finish_reason"]) == (429, None)
    assert responses["system_prompt"] == SYSTEM
    assert len(responses["issued_blocks"]) == 1
    assert embedding["input_text"] == "ebb and flood"


def test_a_signed_block_that_comes_back_is_the_block_that_was_issued():
    rows, _ = read(FIXTURES / "ndjson.jsonl")
    issuing, presenting = rows[:2]
    assert issuing["issued_blocks"] == [block_digest(SIGNATURE)]
    assert presenting["presented_blocks"] == issuing["issued_blocks"]


def test_a_key_without_a_user_belongs_to_its_team():
    rows, _ = read(FIXTURES / "ndjson.jsonl")
    assert {row["account_id"] for row in rows} == {"team-quays"}
    assert len({row["credential_id"] for row in rows}) == 1


def test_one_object_a_file_reads_like_the_same_record_in_an_array():
    (single,), rejected = read(FIXTURES / "single.json")
    assert rejected == []
    rows, _ = read(FIXTURES / "json_array.json")
    assert single in rows


def test_recorded_spend_rows_tell_of_the_same_calls_as_the_payloads():
    rows, rejected = read(FIXTURES / "spend_logs.jsonl")
    assert rejected == []
    payloads, _ = read(FIXTURES / "json_array.json")
    by_id = {row["event_id"]: row for row in payloads}
    for row in rows:
        payload = by_id[row["event_id"]]
        for column in ("time", "account_id", "credential_id", "status", "input_text", "input_tokens"):
            assert row[column] == payload[column], column


def test_a_text_that_litellm_cut_loses_litellms_own_words_and_says_so():
    rows, _ = read(FIXTURES / "spend_logs.jsonl")
    cut = rows[0]
    assert cut["losses"] == ["truncated"]
    assert cut["system_prompt"].startswith("You are a harb")
    assert cut["system_prompt"].endswith("nd answer in one sentence.")
    assert "litellm" not in cut["system_prompt"]
    assert rows[1]["losses"] is None


@pytest.mark.parametrize("name", ["json_array.json", "ndjson.jsonl", "single.json"])
def test_recorded_payloads_are_recognised(name):
    assert "StandardLoggingPayload" in litellm.recognise(head(FIXTURES / name))


def test_recorded_spend_rows_are_recognised():
    assert "SpendLogs" in litellm.recognise(head(FIXTURES / "spend_logs.jsonl"))


def test_other_records_are_not_recognised(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"event_id": "1", "time": 1790000000, "account_id": "a", "request_model": "m"}\n')
    assert litellm.recognise(head(path)) is None


@pytest.mark.parametrize("user", ["default_user_id", ""])
def test_a_user_that_stands_for_every_key_is_no_account(tmp_path, user):
    metadata = {"user_api_key_hash": "k1", "user_api_key_user_id": user}
    assert read_one(tmp_path, PAYLOAD | {"metadata": metadata})["account_id"] == "k1"


def test_a_mapped_field_goes_before_the_adapters_choice(tmp_path):
    row = read_one(tmp_path, PAYLOAD, fields={"account_id": "metadata.user_api_key_hash"})
    assert row["account_id"] == "k1"


def test_a_field_is_mapped_through_json_inside_a_string(tmp_path):
    record = ROW | {"metadata": '{"requester_metadata": {"tenant": 12}}'}
    row = read_one(tmp_path, record, fields={"account_id": "metadata.requester_metadata.tenant"})
    assert row["account_id"] == "12"


def test_calls_of_nobody_are_rejected_one_by_one_and_end_nothing(tmp_path):
    rows, rejected = read_records(tmp_path, *[PAYLOAD | {"metadata": {}}] * 2)
    assert rows == []
    assert rejected == [(1, "missing-field", "account_id"), (2, "missing-field", "account_id")]


def test_one_record_without_anybody_is_rejected_and_the_rest_is_read(tmp_path):
    rows, rejected = read_records(tmp_path, PAYLOAD, PAYLOAD | {"metadata": {}})
    assert len(rows) == 1
    assert rejected == [(2, "missing-field", "account_id")]


def test_times_of_the_database_are_utc_though_they_do_not_say_so(tmp_path):
    expected = datetime(2026, 9, 21, 14, 13, 20, 250_000, UTC)
    assert read_one(tmp_path, PAYLOAD)["time"] == expected
    for text in ("2026-09-21 14:13:20.25", "2026-09-21T14:13:20.250+00:00", "2026-09-21T16:13:20.25+02:00"):
        assert read_one(tmp_path, ROW | {"startTime": text})["time"] == expected


def test_a_spend_row_without_stored_prompts_has_no_text(tmp_path):
    row = read_one(tmp_path, ROW | {"messages": "{}", "response": "{}", "proxy_server_request": "{}"})
    assert (row["input_text"], row["system_prompt"], row["turn_index"]) == (None, None, None)


def test_a_forwarding_list_gives_the_caller_not_the_balancer(tmp_path):
    record = PAYLOAD | {"requester_ip_address": "203.0.113.7, 10.0.0.1"}
    assert read_one(tmp_path, record)["client_ip"] == "203.0.113.7"


def test_a_redacted_text_is_absent_and_says_so(tmp_path):
    record = PAYLOAD | {"messages": [{"role": "user", "content": "redacted-by-litellm"}]}
    row = read_one(tmp_path, record)
    assert (row["input_text"], row["losses"]) == (None, ["masked"])


def test_calls_that_reach_no_model_are_passed_over(tmp_path):
    rows, rejected = read_records(tmp_path, PAYLOAD, PAYLOAD | {"call_type": "alist_vector_store_files"})
    assert (len(rows), rejected) == (1, [])


def test_wrong_values_are_rejected_by_column_and_never_end_the_run(tmp_path):
    rows, rejected = read_records(
        tmp_path,
        PAYLOAD,
        PAYLOAD | {"model_parameters": {"temperature": "hot"}},
        PAYLOAD | {"startTime": 1_790_000_000_250},
        PAYLOAD | {"startTime": "yesterday"},
        ["not", "a", "record"],
        PAYLOAD | {"model": None, "model_group": ""},
    )
    assert len(rows) == 1
    assert rejected[0] == (2, "wrong-type", "temperature")
    assert rejected[1][:2] == (3, "time-out-of-range")
    assert "milliseconds" in rejected[1][2]
    assert rejected[2] == (4, "bad-time", "time")
    assert (5, "wrong-type", "record") in rejected
    assert rejected[-1] == (6, "missing-field", "request_model")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*PAYLOAD, *ROW, "proxy_server_request", "end_user"]), json_values))
def test_no_json_makes_the_adapter_fall_over(record):
    litellm.row_of(record, ReadSettings(fields={"end_user_id": "metadata.a.b"}))


EVENT = dict.fromkeys(EVENT_SCHEMA.names) | {
    "event_id": "e-1",
    "time": datetime(2026, 9, 21, 14, 13, 20, 250_001, UTC),
    "account_id": "acct-1",
    "organization_id": "org-1",
    "credential_id": "key-1",
    "end_user_id": "reader",
    "session_id": "s-1",
    "client_ip": "203.0.113.7",
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
    "duration_ms": 1250.0,
}


def rewritten(folder, *events):
    writer.write([pa.RecordBatch.from_pylist(list(events), schema=EVENT_SCHEMA)], folder / "written")
    (path,) = sorted((folder / "written").iterdir())
    return read(path)


def test_what_the_writer_writes_the_adapter_reads_back(tmp_path):
    (row,), rejected = rewritten(tmp_path, EVENT)
    assert rejected == []
    assert row | {"duration_ms": round(row["duration_ms"])} == EVENT


def test_a_written_failure_keeps_its_status(tmp_path):
    failed = EVENT | {"status": 429, "finish_reason": None, "refused": None, "response_model": None}
    (row,), _ = rewritten(tmp_path, failed)
    assert (row["status"], row["finish_reason"], row["refused"]) == (429, None, None)


def test_written_opaque_blocks_stay_equal_to_each_other(tmp_path):
    issuing = EVENT | {"issued_blocks": ["ab" * 16]}
    presenting = EVENT | {"event_id": "e-2", "presented_blocks": ["ab" * 16]}
    (first, second), _ = rewritten(tmp_path, issuing, presenting)
    assert first["issued_blocks"] == second["presented_blocks"]
    assert (second["input_text"], second["turn_index"]) == (EVENT["input_text"], EVENT["turn_index"])


def test_the_dialect_declares_what_it_fills(tmp_path):
    (row,), _ = rewritten(tmp_path, EVENT | {"issued_blocks": ["a"], "presented_blocks": ["b"]})
    assert {column for column, value in row.items() if value is not None} == litellm.DIALECT.columns
