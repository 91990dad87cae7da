"""The canonical table from JSON lines and from Parquet means the same, and bad rows are named by number."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters import canonical
from stillwatch.adapters.contract import LogFile, ReadSettings, Rejection
from stillwatch.adapters.parquet import TEXT_BYTES_MAX
from stillwatch.adapters.source import list_files, read_head
from stillwatch.errors import Error
from stillwatch.event import EVENT_REQUIRED, EVENT_SCHEMA, TIME, TIME_MAX_S, TIME_MIN_S
from stillwatch.lab.writers import canonical as writer

MOMENT = datetime(2026, 9, 21, 14, 13, 20, 123_456, tzinfo=UTC)
WHOLE: dict[str, Any] = {"event_id": "e1", "time": MOMENT, "account_id": "a1", "request_model": "m1"}
FULL: dict[str, Any] = WHOLE | {
    "organization_id": "o1",
    "credential_id": "k1",
    "end_user_id": "u1",
    "session_id": "s1",
    "access_path": "api",
    "client_ip": "203.0.113.7",
    "client_asn": 64500,
    "tls_fingerprint": "t13d1516h2",
    "user_agent": "client/1",
    "response_model": "m1-large",
    "operation": "chat",
    "system_prompt": "Answer in rhyme.",
    "input_text": "naïve \U0001f600",
    "turn_index": 2,
    "tool_names": ["search", "run"],
    "response_format": "json_schema",
    "temperature": 0.7,
    "top_p": 1.0,
    "choice_count": 2,
    "max_tokens": 512,
    "logprobs": True,
    "stream": False,
    "reasoning_level": "high",
    "input_tokens": 11,
    "output_tokens": 13,
    "reasoning_tokens": 17,
    "cached_tokens": 0,
    "status": 200,
    "finish_reason": "stop",
    "refused": False,
    "duration_ms": 12.5,
    "presented_blocks": [],
    "issued_blocks": ["b1"],
    "sampled_weight": 10.0,
    "losses": ["sampled"],
}


def table(rows: list[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows], schema=EVENT_SCHEMA)


def read(path: Path, **settings: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    rejected: list[Rejection] = []
    rows = []
    for file in list_files([str(path)]):
        for batch in canonical.read(file, ReadSettings(**settings), rejected.append):
            assert batch.schema == EVENT_SCHEMA
            batch.validate(full=True)
            rows += batch.to_pylist()
    return rows, [(one.line, one.reason, one.detail) for one in rejected]


def read_columns(folder: Path, **columns: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    """Write a Parquet file of three good rows with some columns replaced, and read it."""
    path = folder / "part.parquet"
    good = {
        "event_id": pa.array(["e1", "e2", "e3"]),
        "time": pa.array([MOMENT] * 3, TIME),
        "account_id": pa.array(["a1"] * 3),
        "request_model": pa.array(["m1"] * 3),
    }
    pq.write_table(pa.table(good | columns), path)
    return read(path)


def test_every_column_comes_back_from_parquet_and_from_json(tmp_path: Path) -> None:
    rows = table([FULL, WHOLE])
    assert set(FULL) == set(EVENT_SCHEMA.names)
    writer.write(rows.to_batches(), tmp_path / "parquet")
    writer.write_json(rows.to_batches(), tmp_path / "json")
    for folder in ("parquet", "json"):
        assert read(tmp_path / folder) == (rows.to_pylist(), [])


@pytest.mark.parametrize("batch_rows", [1, 7, 100])
def test_the_size_of_batches_does_not_change_what_is_read(tmp_path: Path, batch_rows: int) -> None:
    rows = [FULL | {"event_id": f"e{number}", "account_id": f"a{number % 3}"} for number in range(40)]
    pq.write_table(table(rows), tmp_path / "part.parquet", row_group_size=9)
    assert read(tmp_path, batch_rows=batch_rows)[0] == rows


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "event_id": st.text(min_size=1, max_size=5),
                "account_id": st.text(min_size=1, max_size=5),
                "request_model": st.text(min_size=1, max_size=5),
                "time": st.integers(TIME_MIN_S * 10**6, TIME_MAX_S * 10**6),
            },
            optional={
                "input_text": st.text(max_size=20),
                "turn_index": st.integers(-(2**31), 2**31 - 1),
                "input_tokens": st.integers(-(2**63), 2**63 - 1),
                "temperature": st.floats(allow_nan=False, allow_infinity=False),
                "tool_names": st.lists(st.text(max_size=3), max_size=3),
                "stream": st.booleans(),
            },
        ),
        min_size=1,
        max_size=6,
    )
)
def test_json_and_parquet_of_the_same_events_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder, events = tmp_path_factory.mktemp("same"), table(rows)
    writer.write(events.to_batches(), folder / "parquet")
    writer.write_json(events.to_batches(), folder / "json")
    assert read(folder / "parquet") == read(folder / "json") == (events.to_pylist(), [])


# JSON


def test_bad_lines_are_rejected_by_number_and_column_and_the_rest_is_read(tmp_path: Path) -> None:
    good = {"event_id": "e", "time": 1_790_000_000, "account_id": "a", "request_model": "m"}
    lines = [
        json.dumps(good),
        '{"event_id": "e", "time"',
        json.dumps(good | {"account_id": None}),
        json.dumps(good | {"status": "200"}),
        json.dumps(good | {"time": 1_790_000_000_000}),
        json.dumps(good | {"time": "noon"}),
        "[]",
        "7",
        json.dumps(good | {"status": 200.0, "extra": [1]}),
    ]
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    rows, rejected = read(tmp_path)
    assert [row["status"] for row in rows] == [None, 200]
    assert rejected == [
        (2, "not-json", ""),
        (3, "missing-field", "account_id"),
        (4, "wrong-type", "status"),
        (5, "time-out-of-range", "time looks like milliseconds"),
        (6, "bad-time", "time"),
        (7, "wrong-type", "record"),
        (8, "wrong-type", "record"),
    ]


def test_columns_may_go_by_other_names(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"event_id":"e","time":1790000000,"tenant":"t","request_model":"m"}\n')
    pq.write_table(
        pa.table({"event_id": ["e"], "time": [1_790_000_000], "tenant": ["t"], "request_model": ["m"]}),
        tmp_path / "part.parquet",
    )
    rows, rejected = read(tmp_path, fields={"account_id": "tenant"})
    assert [row["account_id"] for row in rows] == ["t", "t"]
    assert rejected == []


def test_settings_fill_model_and_weight_in_parquet_as_in_json(tmp_path: Path) -> None:
    rows = [
        {"event_id": "e1", "time": 1_790_000_000, "account_id": "a", "losses": ["masked"]},
        {
            "event_id": "e2",
            "time": 1_790_000_000,
            "account_id": "a",
            "request_model": "",
            "sampled_weight": 3.0,
        },
    ]
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "parquet").mkdir()
    types = [("time", pa.int64()), ("losses", pa.list_(pa.string())), ("sampled_weight", pa.float64())]
    texts = [(name, pa.string()) for name in ("event_id", "account_id", "request_model")]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(types + texts)), tmp_path / "parquet" / "a.parquet")
    from_json, from_parquet = (
        read(tmp_path / kind, model_default="m0", sampled_weight=8.0) for kind in ("json", "parquet")
    )
    assert from_json == from_parquet
    assert [(row["request_model"], row["sampled_weight"], row["losses"]) for row in from_json[0]] == [
        ("m0", 8.0, ["masked", "sampled"]),
        ("m0", 3.0, None),
    ]


# Parquet


@pytest.mark.parametrize(
    "time",
    [
        pa.array([MOMENT] * 3, pa.timestamp("ns", "UTC")),
        pa.array([MOMENT] * 3, pa.timestamp("us", "Asia/Kathmandu")),
        pa.array([MOMENT.replace(tzinfo=None)] * 3, pa.timestamp("us")),
        pa.array([MOMENT.timestamp()] * 3, pa.float64()),
        pa.array(["2026-09-21T14:13:20.123456Z"] * 3),
        pa.array(["2026-09-21T19:58:20.123456+05:45"] * 3),
        pa.array(["2026-09-21T14:13:20.123456Z"] * 3).dictionary_encode(),
    ],
    ids=["nanoseconds", "other zone", "no zone", "float", "text", "text with offset", "dictionary"],
)
def test_a_time_column_may_have_any_plain_type(tmp_path: Path, time: pa.Array) -> None:
    rows, rejected = read_columns(tmp_path, time=time)
    assert [row["time"] for row in rows] == [MOMENT] * 3
    assert rejected == []


@pytest.mark.parametrize(
    ("times", "reason", "detail"),
    [
        ([None, 1_790_000_000], "missing-field", "time"),
        ([1_790_000_000_000, 1_790_000_000], "time-out-of-range", "time looks like milliseconds"),
        ([638_515_262_815_394_150, 1_790_000_000], "time-out-of-range", "time looks like .NET ticks"),
        ([-(2**63), 1_790_000_000], "time-out-of-range", "time"),
        ([float("nan"), 1.79e9], "time-out-of-range", "time"),
        (["noon", "2026-09-21T14:13:20Z"], "bad-time", "time"),
        (["2026-09-21T14:13:20", "2026-09-21T14:13:20Z"], "bad-time", "time"),
    ],
)
def test_a_bad_time_costs_its_row_only(tmp_path: Path, times: list[Any], reason: str, detail: str) -> None:
    rows, rejected = read_columns(tmp_path, time=pa.array([times[1], times[0], times[1]]))
    assert [row["event_id"] for row in rows] == ["e1", "e3"]
    assert rejected == [(2, reason, detail)]


def test_a_time_beyond_any_integer_costs_its_row_only(tmp_path: Path) -> None:
    times = pa.array([1_790_000_000, 2**64 - 1, 1_790_000_000], pa.uint64())
    assert read_columns(tmp_path, time=times)[1] == [(2, "time-out-of-range", "time")]


def test_rows_are_numbered_through_batches_and_row_groups(tmp_path: Path) -> None:
    rows = [WHOLE | {"event_id": "" if number in (5, 23) else f"e{number}"} for number in range(1, 31)]
    pq.write_table(table(rows), tmp_path / "part.parquet", row_group_size=8)
    found, rejected = read(tmp_path, batch_rows=3)
    assert len(found) == 28
    assert rejected == [(5, "missing-field", "event_id"), (23, "missing-field", "event_id")]


@pytest.mark.parametrize(
    ("name", "array", "kept"),
    [
        ("input_text", pa.array(["a", None, "b"], pa.large_string()), ["a", None, "b"]),
        ("input_text", pa.array(["a", None, "b"], pa.string_view()), ["a", None, "b"]),
        ("input_text", pa.array([b"a", None, b"b"], pa.binary()), ["a", None, "b"]),
        ("input_text", pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        ("input_text", pa.nulls(3), [None] * 3),
        ("status", pa.array([200, None, 500], pa.int16()), [200, None, 500]),
        ("status", pa.array([200, None, 500], pa.uint64()), [200, None, 500]),
        ("status", pa.array([200.0, None, float("nan")]), [200, None, None]),
        ("temperature", pa.array([1, None, 0], pa.int32()), [1.0, None, 0.0]),
        ("temperature", pa.array([0.5, float("nan"), float("inf")], pa.float32()), [0.5, None, None]),
        ("tool_names", pa.array([["a"], None, []], pa.large_list(pa.large_string())), [["a"], None, []]),
        ("tool_names", pa.array([[], None, []], pa.list_(pa.null())), [[], None, []]),
        ("stream", pa.array([True, None, False]), [True, None, False]),
    ],
    ids=[
        "large text",
        "text view",
        "binary",
        "dictionary",
        "null",
        "small integer",
        "unsigned",
        "float integer",
        "integer float",
        "small float",
        "large lists",
        "empty lists",
        "bool",
    ],
)
def test_a_column_may_have_any_type_that_means_the_same(
    tmp_path: Path, name: str, array: pa.Array, kept: list[Any]
) -> None:
    rows, rejected = read_columns(tmp_path, **{name: array})
    assert [row[name] for row in rows] == kept
    assert rejected == []


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("status", pa.array([200, 2**31, 500], pa.int64()), "wrong-type"),
        ("status", pa.array([200.0, 0.5, 500.0]), "wrong-type"),
        ("input_tokens", pa.array([1, 2**63, 2], pa.uint64()), "wrong-type"),
        ("input_tokens", pa.array([1.0, 1e300, 2.0]), "wrong-type"),
        ("input_text", pa.array([b"a", b"\xff", b"b"], pa.binary()), "broken-utf8"),
    ],
)
def test_a_value_that_does_not_fit_costs_its_row_only(tmp_path: Path, name: str, array: pa.Array, reason: str) -> None:
    rows, rejected = read_columns(tmp_path, **{name: array})
    assert [row["event_id"] for row in rows] == ["e1", "e3"]
    assert rejected == [(2, reason, name)]


def test_broken_utf8_in_a_text_column_is_found(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xff", b"b"], pa.binary()).buffers())
    rows, rejected = read_columns(tmp_path, input_text=broken)
    assert [row["input_text"] for row in rows] == ["a", "b"]
    assert rejected == [(2, "broken-utf8", "input_text")]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("account_id", pa.array([1, 2, 3])),
        ("status", pa.array(["200"] * 3)),
        ("time", pa.array([True] * 3)),
        ("stream", pa.array([1, 0, 1])),
        ("tool_names", pa.array(["search"] * 3)),
        ("temperature", pa.array(["hot"] * 3)),
    ],
)
def test_a_column_of_a_wrong_type_is_an_error_that_names_both_types(tmp_path: Path, name: str, array: pa.Array) -> None:
    with pytest.raises(Error, match=f"column {name} is {array.type}, expected") as caught:
        read_columns(tmp_path, **{name: array})
    assert caught.value.ident == "wrong-column-type"


def test_one_large_prompt_shared_by_many_rows_still_gives_small_batches(tmp_path: Path) -> None:
    text = "x" * 100_000
    rows = [WHOLE | {"event_id": f"e{number}", "system_prompt": text} for number in range(1000)]
    pq.write_table(table(rows), tmp_path / "part.parquet", compression="zstd")
    (file,) = list_files([str(tmp_path)])
    seen = 0
    for batch in canonical.read(file, ReadSettings(), pytest.fail):
        seen += batch.num_rows
        assert pc.sum(pc.binary_length(batch.column("system_prompt"))).as_py() <= TEXT_BYTES_MAX
    assert seen == 1000


@pytest.mark.parametrize("kept", [0.1, 0.9, 1.0])
def test_a_damaged_parquet_file_is_one_rejection(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "part.parquet"
    pq.write_table(table([FULL] * 1000), path)
    octets = bytearray(path.read_bytes()[: int(path.stat().st_size * kept)])
    octets[40:300] = b"x" * 260
    path.write_bytes(octets)
    rows, rejected = read(path)
    assert rows == []
    assert [reason for _, reason, _ in rejected] == ["file-damaged"]


def test_parquet_inside_gzip_is_read_too(tmp_path: Path) -> None:
    pq.write_table(table([FULL]), tmp_path / "plain")
    (tmp_path / "part.parquet.gz").write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    assert read(tmp_path) == ([FULL], [])


# Recognition


@pytest.mark.parametrize(("name", "fits"), [("event_id", False), ("time", False), ("status", True)])
def test_a_table_is_recognised_by_its_required_columns(tmp_path: Path, name: str, fits: bool) -> None:
    rows = table([FULL]).drop_columns([name])
    pq.write_table(rows, tmp_path / "part.parquet")
    (tmp_path / "log.jsonl").write_text(json.dumps({key: str(FULL[key]) for key in rows.column_names}))
    for file in list_files([str(tmp_path)]):
        assert (canonical.recognise(read_head(file)) is not None) is fits


def test_an_unreadable_file_is_not_recognised(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    assert canonical.recognise(read_head(LogFile(str(path), 3))) is None


def test_of_columns_that_nobody_looks_at_only_the_required_ones_are_read(tmp_path: Path) -> None:
    pq.write_table(table([FULL, WHOLE]), tmp_path / "events.parquet")
    whole, _ = read(tmp_path / "events.parquet")
    some, rejected = read(tmp_path / "events.parquet", columns=frozenset({"input_text", "system_prompt"}))
    kept = {*EVENT_REQUIRED, "input_text", "system_prompt"}
    assert some == [{name: value if name in kept else None for name, value in row.items()} for row in whole]
    assert not rejected
