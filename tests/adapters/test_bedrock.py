import gzip
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import bedrock, bedrock_audit
from stillwatch.adapters.contract import LogFile, ReadSettings
from stillwatch.adapters.messages import block_digest
from stillwatch.adapters.source import read_head
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.writers import bedrock as writer

FIXTURES = Path(__file__).parent / "fixtures" / "bedrock"
SYSTEM = "You keep the tide tables of a small harbour."
ASKED = "When is high water on Friday?"
USER = "arn:aws:iam::111122223333:user/ada"


def file_of(path):
    return LogFile(str(path), path.stat().st_size)


def read(path, **settings):
    rejected = []
    batches = bedrock.read(file_of(path), ReadSettings(**settings), rejected.append)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return rows, [(rejection.line, rejection.reason, rejection.detail) for rejection in rejected]


def rows_of(name, **settings):
    rows, rejected = read(FIXTURES / name, **settings)
    assert rejected == []
    return {row["event_id"].removeprefix("req-"): row for row in rows}


def read_records(folder, *records, **settings):
    path = folder / "log.json"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return read(path, **settings)


def log_record(**changes):
    return json.loads((FIXTURES / "invocations.json").read_text().splitlines()[0]) | changes


def test_a_converse_call_gives_every_column_that_it_carries():
    row = rows_of("invocations.json")["converse"]
    assert row["time"] == datetime(2026, 9, 21, 14, 13, 1, tzinfo=UTC)
    assert (row["account_id"], row["organization_id"]) == (USER, "111122223333")
    assert (row["request_model"], row["operation"]) == ("amazon.nova-lite-v1:0", "chat")
    assert (row["system_prompt"], row["input_text"], row["turn_index"]) == (SYSTEM, ASKED, 1)
    assert (row["temperature"], row["top_p"], row["max_tokens"]) == (0.3, 0.9, 512)
    assert row["tool_names"] == ["tide_table", "pier_list"]
    assert row["reasoning_level"] == "low"
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (21, 9, 0)
    assert (row["status"], row["finish_reason"], row["refused"]) == (200, "end_turn", False)
    assert (row["duration_ms"], row["stream"]) == (640.0, False)
    assert row["presented_blocks"] == [block_digest("c2lnbmF0dXJlLW9uZQ==")]
    assert row["issued_blocks"] == [block_digest("c2lnbmF0dXJlLXR3bw==")]
    assert (row["session_id"], row["access_path"]) == ("s-1", "cloud:bedrock")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic", {"max_tokens": 256, "temperature": 0.2, "tool_names": ["tide_table"]}),
        ("anthropic", {"end_user_id": "reader-7", "response_model": "claude-harbour-1", "cached_tokens": 4}),
        ("claude-prompt", {"operation": "completion", "max_tokens": 300, "finish_reason": "stop_sequence"}),
        ("llama", {"operation": "completion", "turn_index": 1, "max_tokens": 128, "finish_reason": "stop"}),
        ("titan", {"max_tokens": 64, "top_p": 0.8, "finish_reason": "FINISH", "system_prompt": None}),
        ("titan-embedding", {"operation": "embeddings", "finish_reason": None, "system_prompt": None}),
        ("nova", {"operation": "chat", "max_tokens": 77, "top_p": 0.7, "finish_reason": "max_tokens"}),
        ("mistral", {"turn_index": 1, "max_tokens": 90, "finish_reason": "length", "system_prompt": None}),
        ("mistral-chat", {"operation": "chat", "finish_reason": "stop"}),
        ("cohere", {"operation": "chat", "turn_index": 1, "top_p": 0.75, "finish_reason": "COMPLETE"}),
        ("cohere-generate", {"choice_count": 3, "logprobs": True, "refused": True, "system_prompt": None}),
        ("cohere-embedding", {"operation": "embeddings", "system_prompt": None}),
        ("ai21", {"operation": "chat", "choice_count": 2, "finish_reason": "stop"}),
        ("ai21-older", {"choice_count": 2, "max_tokens": 40, "finish_reason": "endoftext", "system_prompt": None}),
        ("deepseek", {"operation": "completion", "finish_reason": "stop", "turn_index": 0}),
        ("openai", {"reasoning_level": "high", "logprobs": True, "response_format": "json_object"}),
        ("openai", {"reasoning_tokens": 5, "max_tokens": 88}),
    ],
)  # fmt: skip
def test_each_family_of_bodies_is_read(name, expected):
    row = rows_of("invocations.json")[name]
    expected = {"input_text": ASKED, "system_prompt": SYSTEM, "input_tokens": 21} | expected
    assert {column: row[column] for column in expected} == expected


@pytest.mark.parametrize("family", ["anthropic", "converse", "llama", "titan", "mistral", "cohere", "openai"])
def test_a_streamed_reply_ends_and_costs_what_its_chunks_say(family):
    row = rows_of("streams.json")[f"stream-{family}"]
    ends = {"anthropic": "end_turn", "converse": "end_turn", "titan": "FINISH", "cohere": "COMPLETE"}
    assert row["stream"] is True
    assert row["finish_reason"] == ends.get(family, "stop")
    assert (row["input_tokens"], row["output_tokens"], row["duration_ms"]) == (21, 9, 811.0)


@pytest.mark.parametrize(("whole", "streamed"), [("anthropic", "stream-anthropic"), ("converse", "stream-converse")])
def test_a_block_that_came_in_pieces_is_the_block_that_came_whole(whole, streamed):
    block = rows_of("streams.json")[streamed]["issued_blocks"]
    assert block
    assert block == rows_of("invocations.json")[whole]["issued_blocks"]


def test_a_failed_call_has_the_status_of_its_error(tmp_path):
    assert rows_of("invocations.json")["throttled"]["status"] == 429
    errors = [
        log_record(requestId="a", errorCode="AccessDeniedException"),
        log_record(requestId="b", errorCode="SomethingNewException"),
        log_record(requestId="c", errorCode="SomethingNewException", status="418"),
        log_record(requestId="d", errorCode=None, status=200),
    ]
    rows, _ = read_records(tmp_path, *errors)
    assert [row["status"] for row in rows] == [403, None, 418, 200]


def test_a_guardrail_that_intervened_counts_as_a_refusal():
    assert rows_of("invocations.json")["guarded"]["refused"] is True


def test_without_text_delivery_the_call_still_counts():
    row = rows_of("invocations.json")["no-text"]
    assert (row["input_text"], row["losses"], row["output_tokens"]) == (None, None, 9)


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("us.anthropic.claude-sonnet-4-v1:0", "anthropic.claude-sonnet-4-v1:0"),
        ("global.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0"),
        ("zai.glm-4.6", "zai.glm-4.6"),
        ("arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-8b-v1:0", "meta.llama3-8b-v1:0"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.meta.llama3-8b-v1:0", "meta.llama3-8b-v1:0"),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/ab12", "provisioned-model/ab12"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12", "application-inference-profile/ab12"),
        ("arn:aws:sagemaker:us-east-1:1:endpoint/harbour", "endpoint/harbour"),
    ],
)  # fmt: skip
def test_arns_and_inference_profiles_become_model_names(model_id, name):
    assert bedrock.model_name(model_id) == name


def test_sessions_of_a_role_are_one_account_and_their_names_are_end_users(tmp_path):
    role = "arn:aws:sts::111122223333:assumed-role/harbour-app"
    records = [log_record(requestId=name, identity={"arn": f"{role}/{name}"}) for name in ("one", "two")]
    rows, _ = read_records(tmp_path, *records)
    assert [(row["account_id"], row["end_user_id"]) for row in rows] == [(role, "one"), (role, "two")]


def test_a_person_who_signed_in_is_an_account_of_their_own():
    row = rows_of("invocations.json")["guarded"]
    assert row["account_id"].endswith("/ada@harbour.example")


def test_a_mapped_field_goes_before_the_identity_and_its_absence_is_no_reason_to_mix(tmp_path):
    mapping = {"account_id": "requestMetadata.tenant", "session_id": "requestMetadata.talk"}
    records = [log_record(requestMetadata={"tenant": "quay-4", "talk": "t"}), log_record(requestMetadata={})]
    rows, rejected = read_records(tmp_path, *records, fields=mapping)
    assert [(row["account_id"], row["session_id"]) for row in rows] == [("quay-4", "t")]
    assert rejected == [(2, "missing-field", "account_id")]


def test_calls_of_nobody_are_rejected_one_by_one_and_end_nothing(tmp_path):
    rows, rejected = read_records(tmp_path, *[log_record(identity=None)] * 2)
    assert rows == []
    assert rejected == [(1, "missing-field", "account_id"), (2, "missing-field", "account_id")]


def test_a_moved_body_beside_the_log_is_read_like_one_in_it():
    moved = rows_of("moved/log.json")["moved"]
    whole = rows_of("invocations.json")["converse"]
    columns = set(moved) - {"event_id", "time", "session_id"}
    assert {column: moved[column] for column in columns} == {column: whole[column] for column in columns}


def test_a_moved_body_is_read_below_the_root_that_stands_for_the_bucket(tmp_path):
    key = Path("AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/09/21/14/data")
    (tmp_path / "root" / key).mkdir(parents=True)
    for name in ("req-moved_input.json", "req-moved_output.json"):
        body = (FIXTURES / "moved" / "data" / name).read_bytes()
        (tmp_path / "root" / key / name).write_bytes(gzip.compress(body))
    log = tmp_path / "log.json"
    log.write_bytes((FIXTURES / "moved" / "log.json").read_bytes())
    ((row,), _) = read(log, body_root=str(tmp_path / "root"))
    assert (row["input_text"], row["losses"]) == (ASKED, None)


@pytest.mark.parametrize(
    "pointer",
    ["s3://b/gone_input.json", "s3://b/../../etc/passwd", "s3://b/x::http://h/", "file:///etc/hosts", 7, "s3://"],
)  # fmt: skip
def test_a_body_that_cannot_be_had_leaves_no_text_and_says_so(tmp_path, pointer):
    ((row,), rejected) = read_records(tmp_path, log_record(input={"inputBodyS3Path": pointer}))
    assert rejected == []
    assert (row["input_text"], row["losses"]) == (None, ["truncated"])


def test_a_broken_body_file_leaves_no_text_and_says_so(tmp_path):
    (tmp_path / "data").mkdir()
    whole = gzip.compress(json.dumps({"prompt": ASKED}).encode() * 50)
    for name, content in [("a", whole[:-20]), ("b", b"\xff\xfe"), ("c", b""), ("d", whole)]:
        (tmp_path / "data" / f"{name}_input.json").write_bytes(content)
    records = [
        log_record(requestId=name, input={"inputBodyS3Path": f"s3://b/data/{name}_input.json"}) for name in "abcd"
    ]
    rows, _ = read_records(tmp_path, *records)
    assert [(row["input_text"], row["losses"]) for row in rows] == [(None, ["truncated"])] * 4


def test_files_of_moved_bodies_in_the_folder_are_no_logs():
    body = FIXTURES / "moved" / "data" / "req-moved_input.json"
    assert read(body) == ([], [])
    assert "moved" in bedrock.recognise(read_head(file_of(body)))


def test_a_body_that_cloudwatch_cut_is_marked(tmp_path):
    cut = log_record(input={"inputBodyJson": '{"messages": [{"role": "us'})
    ((row,), _) = read_records(tmp_path, cut)
    assert (row["input_text"], row["losses"]) == (None, ["truncated"])


def test_cloudwatch_envelopes_are_opened():
    assert set(rows_of("cloudwatch.json")) == {"cw-1", "cw-2", "cw-3", "cw-4"}
    assert rows_of("cloudwatch.json")["cw-1"]["input_text"] == ASKED
    assert set(rows_of("cloudwatch-export.log")) == {"ex-0", "ex-1"}


def test_a_gzipped_log_reads_like_a_plain_one(tmp_path):
    path = tmp_path / "log.json.gz"
    path.write_bytes(gzip.compress((FIXTURES / "invocations.json").read_bytes()))
    assert read(path) == read(FIXTURES / "invocations.json")


@pytest.mark.parametrize("name", ["invocations.json", "streams.json", "cloudwatch.json"])
def test_logs_are_recognised(name):
    assert "ModelInvocationLog" in bedrock.recognise(read_head(file_of(FIXTURES / name)))


def test_audit_events_are_not_taken_for_the_log():
    assert bedrock.recognise(read_head(file_of(FIXTURES / "cloudtrail.json"))) is None


def test_bad_records_are_rejected_by_line_and_column(tmp_path):
    rows, rejected = read_records(
        tmp_path,
        log_record(),
        log_record(requestId=None),
        log_record(timestamp="yesterday"),
        log_record(timestamp=1_790_000_000_000),
        ["not", "a", "record"],
        log_record(modelId=None),
        log_record(input={"inputTokenCount": "many"}),
        log_record(input={"inputBodyJson": {"messages": [], "temperature": {"hot": 1}}}),
        {},
    )
    assert len(rows) == 1
    assert (2, "missing-field", "event_id") in rejected
    assert (3, "bad-time", "time") in rejected
    assert (4, "time-out-of-range", "time looks like milliseconds") in rejected
    assert (5, "wrong-type", "record") in rejected
    assert (6, "missing-field", "request_model") in rejected
    assert (7, "wrong-type", "input_tokens") in rejected
    assert (8, "wrong-type", "temperature") in rejected
    assert rejected[-1][:2] == (9, "missing-field")


def audit_event(request_id, address="203.0.113.7", agent="sdk/1", key="AKIA1", source="bedrock.amazonaws.com"):
    return {
        "eventSource": source,
        "requestID": request_id,
        "sourceIPAddress": address,
        "userAgent": agent,
        "userIdentity": {"accessKeyId": key},
    }


def companion(path, *events):
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return file_of(path)


def test_the_audit_log_tells_address_agent_and_key():
    trail = (file_of(FIXTURES / "cloudtrail.json"),)
    rows = rows_of("invocations.json", companions=trail)
    columns = ("client_ip", "user_agent", "credential_id")
    told = {name: tuple(row[column] for column in columns) for name, row in rows.items()}
    assert told["converse"] == ("203.0.113.7", "aws-sdk-python/1.40 md/Botocore", "AKIAINVENTED0000001")
    assert told["anthropic"][:2] == ("198.51.100.4", "claude-cli/2")
    assert told["llama"][0] is None, "a service's name is no address"
    assert told["titan"] == (None, None, None), "an event of another service"
    assert told["nova"] == (None, None, None)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda event: event,
        lambda event: {"CloudTrailEvent": json.dumps(event)},
        lambda event: {"source": "aws.bedrock", "detail": event},
        lambda event: {"message": json.dumps(event), "timestamp": 1},
    ],
    ids=["plain", "lookup-events", "eventbridge", "cloudwatch"],
)
def test_audit_events_are_found_in_their_envelopes(tmp_path, wrap):
    files = (companion(tmp_path / "trail.jsonl", wrap(audit_event("req-1"))),)
    ((row,), rejected) = read_records(tmp_path, log_record(requestId="req-1"), companions=files)
    assert rejected == []
    assert (row["client_ip"], row["user_agent"], row["credential_id"]) == ("203.0.113.7", "sdk/1", "AKIA1")


def test_an_audit_file_larger_than_one_read_is_joined_whole(tmp_path):
    events = [audit_event(f"req-{n}", f"203.0.113.{n % 250}", "a" * 300) for n in range(6000)]
    path = tmp_path / "trail.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"Records": events}, indent=1).encode()))
    index = bedrock_audit.load((file_of(path),))
    assert len(index) == 6000
    assert [index.caller(f"req-{n}")[0] for n in (0, 249, 5999)] == [f"203.0.113.{n % 250}" for n in (0, 249, 5999)]
    assert index.caller("req-6000") == bedrock_audit.NOBODY


def test_the_join_does_not_depend_on_the_order_of_the_events(tmp_path):
    events = [audit_event(f"req-{n % 40}", f"203.0.113.{n % 7}", f"sdk/{n % 3}") for n in range(200)]
    answers = []
    for seed in range(3):
        random.Random(seed).shuffle(events)
        index = bedrock_audit.load((companion(tmp_path / f"trail-{seed}.jsonl", *events),))
        answers.append([index.caller(f"req-{n}") for n in range(40)])
    assert answers[0] == answers[1] == answers[2]
    assert bedrock_audit.NOBODY not in answers[0]


def test_bad_audit_records_are_reported_once_for_all_files_of_a_log(tmp_path):
    trail = tmp_path / "trail.jsonl"
    trail.write_text(json.dumps(audit_event("req-1")) + "\nbroken\n[1]\n")
    settings = ReadSettings(companions=(file_of(trail),))
    rejected = []
    reject = rejected.append
    for _ in range(3):
        list(bedrock.read(file_of(FIXTURES / "streams.json"), settings, reject))
    assert [(rejection.line, rejection.reason) for rejection in rejected] == [(2, "not-json"), (3, "wrong-type")]


def test_an_audit_file_that_was_cut_is_reported_and_joined_as_far_as_it_goes(tmp_path):
    randomness = random.Random(0)
    agents = ["".join(randomness.choices("abcdefghijklmnop", k=200)) for _ in range(200)]
    events = [audit_event(f"req-{n}", agent=agent) for n, agent in enumerate(agents)]
    path = tmp_path / "trail.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"Records": events}).encode())[:-2000])
    index = bedrock_audit.load((file_of(path),))
    assert [rejection.reason for rejection in index.rejections] == ["file-cut"]
    assert index.caller("req-0")[0] == "203.0.113.7"


def test_an_audit_file_that_breaks_off_is_reported(tmp_path):
    path = tmp_path / "trail.json"
    path.write_text('{"Records": [' + json.dumps(audit_event("req-1")) + ", {broken")
    index = bedrock_audit.load((file_of(path),))
    assert [rejection.reason for rejection in index.rejections] == ["not-json"]
    assert len(index) == 1


@pytest.mark.parametrize(("bound", "kept"), [("AUDIT_EVENTS_MAX", 3), ("CALLERS_MAX", 3)])
def test_audit_events_beyond_the_bound_are_counted_and_reported(tmp_path, monkeypatch, bound, kept):
    monkeypatch.setattr(bedrock_audit, bound, kept)
    events = [audit_event(f"req-{n}", f"203.0.113.{n}") for n in range(10)]
    index = bedrock_audit.load((companion(tmp_path / "trail.jsonl", *events),))
    assert len(index) == kept
    assert [rejection.reason for rejection in index.rejections] == ["too-many-audit-events"]
    assert index.rejections[0].detail.startswith("7 ")


def test_a_flood_of_bad_audit_records_is_listed_up_to_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(bedrock_audit, "REJECTIONS_MAX", 5)
    index = bedrock_audit.load((companion(tmp_path / "trail.jsonl", *range(20)),))
    assert [rejection.reason for rejection in index.rejections[-2:]] == ["wrong-type", "more-rejected"]
    assert len(index.rejections) == 6


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def bodies(*keys):
    return json_values | st.dictionaries(st.sampled_from(keys), json_values, max_size=4)


requests = bodies(
    "messages", "system", "prompt", "inputText", "message", "chat_history", "texts", "inferenceConfig", "toolConfig",
    "additionalModelRequestFields", "textGenerationConfig", "return_likelihoods", "tools", "thinking", "preamble",
)  # fmt: skip
chunks = bodies(
    "type", "message", "delta", "index", "choices", "contentBlockDelta", "messageStop", "metadata", "outputs",
    "content_block", "usage", "amazon-bedrock-invocationMetrics", "event_type", "generation", "response",
)  # fmt: skip
replies = st.lists(chunks, max_size=4) | bodies(
    "output", "stopReason", "usage", "metrics", "choices", "outputs", "results", "generations", "completions",
    "finish_reason", "stop_reason", "content", "amazon-bedrock-invocationMetrics", "amazon-bedrock-guardrailAction",
)  # fmt: skip
records = st.fixed_dictionaries(
    {
        "requestId": st.just("r") | json_values,
        "timestamp": st.just("2026-09-21T14:13:20Z") | json_values,
        "modelId": st.just("amazon.nova-lite-v1:0") | st.text(max_size=4).map("arn:{}".format) | json_values,
        "identity": st.just({"arn": USER}) | json_values,
        "operation": st.sampled_from(["Converse", "InvokeModelWithResponseStream"]) | json_values,
    },
    optional={
        "input": st.fixed_dictionaries({"inputBodyJson": requests, "inputTokenCount": json_values}) | json_values,
        "output": st.fixed_dictionaries({"outputBodyJson": replies}) | json_values,
        "errorCode": json_values,
        "status": json_values,
        "requestMetadata": json_values,
        "logEvents": json_values,
        "message": json_values,
    },
)


@given(st.lists(records | json_values, max_size=3))
def test_no_json_makes_the_adapter_fall_over(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("fuzz") / "log.json"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    read(path, fields={"end_user_id": "requestMetadata.a.0.b"})


@pytest.mark.parametrize("depth", [100, 900, 3000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"parts":', "}"), ('{"text":', "}")])
def test_no_depth_of_nesting_makes_the_adapter_fall_over(tmp_path, depth, opening, closing):
    deep = opening * depth + "1" + closing * depth
    body = f'{{"messages": [{{"role": "user", "content": {deep}}}]}}'
    texts = [
        json.dumps(log_record(input={"inputBodyJson": 7})).replace(": 7}", f": {body}}}"),
        json.dumps(log_record(input={"inputBodyJson": body})),
        json.dumps(log_record(input={"inputBodyJson": {"messages": [], "temperature": deep}})),
    ]
    path = tmp_path / "log.json"
    path.write_text("\n".join([*texts, json.dumps(log_record(requestId="last"))]))
    rows, rejected = read(path)
    assert len(rows) + len(rejected) == 4
    assert rows[-1]["event_id"] == "last"


@given(json_values)
def test_no_audit_event_makes_the_join_fall_over(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("fuzz") / "trail.json"
    path.write_text(json.dumps({"Records": [value, {"eventSource": "bedrock.amazonaws.com", "requestID": value}]}))
    bedrock_audit.load((file_of(path),))


EVENT = dict.fromkeys(EVENT_SCHEMA.names) | {
    "event_id": "e-1",
    "time": datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
    "account_id": "acct-1",
    "organization_id": "org-1",
    "credential_id": "key-1",
    "end_user_id": "reader",
    "session_id": "s-1",
    "access_path": "cloud:bedrock",
    "client_ip": "203.0.113.7",
    "user_agent": "agent/1",
    "request_model": "harbor-large",
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
    "cached_tokens": 0,
    "status": 200,
    "finish_reason": "end_turn",
    "refused": False,
    "duration_ms": 1250.0,
}


def rewritten(folder, *events, fields=writer.FIELDS):
    writer.write([pa.RecordBatch.from_pylist(list(events), schema=EVENT_SCHEMA)], folder / "written")
    (path,) = sorted((folder / "written").iterdir())
    trail = (file_of(folder / writer.AUDIT_FOLDER / writer.AUDIT_FILE),)
    rows, rejected = read(path, companions=trail, fields=fields)
    assert rejected == []
    return rows


def test_what_the_writer_writes_the_adapter_reads_back(tmp_path):
    (row,) = rewritten(tmp_path, EVENT)
    assert row == EVENT


def test_a_written_account_is_an_aws_identity_where_no_field_is_mapped(tmp_path):
    (row,) = rewritten(tmp_path, EVENT, fields={})
    assert row["account_id"] == f"arn:aws:iam::{row['organization_id']}:user/acct-1"


def test_written_streams_completions_and_embeddings_keep_their_kind(tmp_path):
    kinds = [("chat", True), ("completion", False), ("completion", True), ("embeddings", False)]
    events = [
        EVENT | {"event_id": f"e-{n}", "operation": operation, "stream": stream}
        for n, (operation, stream) in enumerate(kinds)
    ]
    rows = rewritten(tmp_path, *events)
    assert [(row["operation"], row["stream"]) for row in rows] == kinds
    assert {row["input_text"] for row in rows} == {EVENT["input_text"]}


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_a_written_failure_keeps_its_status(tmp_path, status):
    (row,) = rewritten(tmp_path, EVENT | {"status": status, "finish_reason": None, "refused": None})
    assert (row["status"], row["finish_reason"], row["refused"]) == (status, None, None)


def test_a_written_refusal_stays_one(tmp_path):
    (row,) = rewritten(tmp_path, EVENT | {"refused": True, "finish_reason": "stop"})
    assert row["refused"] is True


def test_written_opaque_blocks_stay_equal_to_each_other(tmp_path):
    issuing = EVENT | {"issued_blocks": ["ab" * 16]}
    presenting = EVENT | {"event_id": "e-2", "presented_blocks": ["ab" * 16]}
    first, second = rewritten(tmp_path, issuing, presenting)
    assert first["issued_blocks"] == second["presented_blocks"]
    assert (second["input_text"], second["turn_index"]) == (EVENT["input_text"], EVENT["turn_index"])


def test_the_dialect_declares_what_it_fills(tmp_path):
    (written,) = rewritten(tmp_path, EVENT | {"issued_blocks": ["a"], "presented_blocks": ["b"]})
    rows = [written, *rows_of("invocations.json").values()]
    filled = {column for row in rows for column, value in row.items() if value is not None}
    assert filled == bedrock.DIALECT.columns
