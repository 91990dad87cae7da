"""One row becomes one event, or one rejection that names the column and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.contract import LogFile, ReadSettings, Rejection
from stillwatch.event import EVENT_SCHEMA, TIME_MAX_S, TIME_MIN_S

WHOLE: dict[str, object] = {
    "event_id": "e1",
    "time": 1_790_000_000,
    "account_id": "a1",
    "request_model": "m1",
}
MOMENT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def collected(*rows: dict[str, object], **settings: Any) -> tuple[list[dict[str, Any]], list[Rejection]]:
    rejected: list[Rejection] = []
    batches = EventBatches(LogFile("log.jsonl", 0), ReadSettings(**settings), rejected.append)
    full = [batch for line, row in enumerate(rows, 1) if (batch := batches.add(line, row)) is not None]
    full += drain(batches)
    assert all(batch.schema == EVENT_SCHEMA for batch in full)
    return [row for batch in full for row in batch.to_pylist()], rejected


def one(**values: object) -> dict[str, Any]:
    (row,), rejected = collected(WHOLE | values)
    assert rejected == []
    return row


def fault(**values: object) -> tuple[str, str]:
    rows, (rejection,) = collected(WHOLE | values)
    assert rows == []
    assert rejection.line == 1
    return rejection.reason, rejection.detail


def test_a_row_needs_four_columns_and_the_rest_is_null() -> None:
    row = one(nonsense="is ignored", temperature=None)
    assert row["time"] == MOMENT
    assert {name for name, value in row.items() if value is not None} == set(WHOLE)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_required_column_that_is_null_or_gone_is_missing(name: str) -> None:
    assert fault(**{name: None}) == ("missing-field", name)
    rows, (rejection,) = collected({key: value for key, value in WHOLE.items() if key != name})
    assert rows == []
    assert (rejection.reason, rejection.detail) == ("missing-field", name)


@pytest.mark.parametrize("name", ["event_id", "account_id", "request_model"])
def test_an_empty_string_names_nothing(name: str) -> None:
    assert fault(**{name: ""}) == ("missing-field", name)


@pytest.mark.parametrize(
    "time",
    [
        1_790_000_000,
        1_790_000_000.0,
        "2026-09-21T14:13:20Z",
        "2026-09-21t14:13:20z",
        "2026-09-21 14:13:20+00:00",
        "2026-09-21T19:58:20+05:45",
        "2026-09-21T14:13:20.000000000Z",
        MOMENT,
    ],
)
def test_a_time_may_be_written_in_any_plain_way(time: object) -> None:
    assert one(time=time)["time"] == MOMENT


def test_a_time_keeps_its_microseconds() -> None:
    assert one(time="2026-09-21T14:13:20.123457Z")["time"].microsecond == 123_457
    assert one(time=1_790_000_000.123457)["time"].microsecond == 123_457


@pytest.mark.parametrize("time", ["yesterday", "2026-09-21", "2026-09-21T14:13:20", "1790000000", ""])
def test_a_text_that_is_no_moment_is_a_bad_time(time: str) -> None:
    assert fault(time=time) == ("bad-time", "time")


@pytest.mark.parametrize(
    ("time", "detail"),
    [
        (1_790_000_000_000, "time looks like milliseconds"),
        (1_790_000_000_000_000, "time looks like microseconds"),
        (1_790_000_000_000_000_000, "time looks like nanoseconds"),
        (638_515_262_815_394_150, "time looks like .NET ticks"),
        (0, "time"),
        (-1, "time"),
        (10**40, "time"),
        (float("nan"), "time"),
        ("1970-01-01T00:00:00Z", "time"),
        ("0001-01-01T00:00:00+23:00", "time"),
        ("9999-12-31T23:59:59-23:00", "time"),
    ],
)
def test_a_time_in_the_wrong_unit_is_rejected_with_the_likely_one(time: object, detail: str) -> None:
    assert fault(time=time) == ("time-out-of-range", detail)


@given(st.integers(TIME_MIN_S * 1_000_000, TIME_MAX_S * 1_000_000))
def test_every_plausible_microsecond_survives_text_and_number(micros: int) -> None:
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    assert one(time=moment.isoformat())["time"] == moment
    assert abs((one(time=micros / 1_000_000)["time"] - moment).total_seconds()) <= 1e-6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account_id", 7),
        ("status", "200"),
        ("status", 200.5),
        ("status", 2**31),
        ("status", True),
        ("input_tokens", 2**63),
        ("temperature", "0.7"),
        ("stream", 1),
        ("tool_names", "search"),
        ("tool_names", [1]),
        ("tool_names", [None]),
        ("time", True),
        ("time", {}),
        ("duration_ms", 10**400),
    ],
)
def test_a_value_of_a_wrong_type_is_rejected_by_its_column(name: str, value: object) -> None:
    assert fault(**{name: value}) == ("wrong-type", name)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [("temperature", 1, 1.0), ("status", 200.0, 200), ("input_tokens", 12.0, 12), ("tool_names", [], [])],
)
def test_a_number_may_be_written_in_its_other_form(name: str, value: object, kept: object) -> None:
    assert one(**{name: value})[name] == kept


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    row = one(input_text="cut \ud83d", tool_names=["\udc00x"])
    assert (row["input_text"], row["tool_names"]) == ("cut \ufffd", ["\ufffdx"])


def test_a_repeated_id_is_passed_on_for_the_engine_to_count_once() -> None:
    rows, rejected = collected(WHOLE, WHOLE)
    assert len(rows) == 2
    assert rejected == []


def test_a_batch_is_given_when_its_rows_are_full() -> None:
    batches = EventBatches(LogFile("log.jsonl", 0), ReadSettings(batch_rows=2), pytest.fail)
    given_rows = [batch and batch.num_rows for batch in (batches.add(line, WHOLE) for line in range(5))]
    assert given_rows == [None, 2, None, 2, None]
    assert [batch.num_rows for batch in drain(batches)] == [1]
    assert list(drain(batches)) == []


def test_a_batch_is_given_when_its_text_is_full() -> None:
    batches = EventBatches(LogFile("log.jsonl", 0), ReadSettings(), pytest.fail)
    row = WHOLE | {"input_text": "x" * 6_000_000}
    given_rows = [batch and batch.num_rows for batch in (batches.add(line, row) for line in range(3))]
    assert given_rows == [None, None, 3]


def test_settings_fill_a_missing_model_and_a_missing_weight() -> None:
    bare = {name: value for name, value in WHOLE.items() if name != "request_model"}
    rows, rejected = collected(bare, WHOLE | {"sampled_weight": 2}, model_default="m0", sampled_weight=10.0)
    assert rejected == []
    assert [(row["request_model"], row["sampled_weight"], row["losses"]) for row in rows] == [
        ("m0", 10.0, ["sampled"]),
        ("m1", 2.0, None),
    ]
