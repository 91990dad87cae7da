"""What passes the gate becomes a log that detection reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.adapters import canonical
from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.source import list_files
from stillwatch.event import EVENT_SCHEMA
from stillwatch.gate.capture import Captured, Form
from stillwatch.gate.contract import CALL_COLUMNS, REPLY_COLUMNS, Call, Decision, Recognition, Reply, Ticket
from stillwatch.gate.spool import SPOOL_BYTES_MIN, Spool
from stillwatch.store.place import Place

CALL = Call(
    time_us=1_790_000_000_123_456,
    account_id="account-1",
    request_model="model-a",
    client_ip="203.0.113.7",
    input_text="a question\nof two lines, with “quotes”",
    tool_names=("search", "fetch"),
    temperature=0.7,
    max_tokens=100,
    stream=True,
    presented_blocks=("b" * 32,),
)
REPLY = Reply(status=200, output_tokens=17, duration_ms=12.5, issued_blocks=("c" * 32,), refused=False)


class Counting:
    """A meter of the test's own: what was counted, by name."""

    def __init__(self) -> None:
        self.alarms = Counter[str]()

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        raise AssertionError("nothing is decided here")

    def alarm(self, ident: str) -> None:
        self.alarms[ident] += 1


def ticket_of(call: Call) -> Ticket:
    return Ticket(call, Recognition(1), Decision())


def captured(folder: Path, form: Form, meter: Counting, bytes_max: int = SPOOL_BYTES_MIN) -> Captured:
    spool = Spool(folder / "spool", "i1", bytes_max)
    return Captured(spool, Place.of(str(folder / "events")), form, "i1", meter)


def events_in(folder: Path) -> list[dict[str, object]]:
    rejected: list[object] = []
    rows = []
    for file in list_files([str(folder / "events")]):
        for batch in canonical.read(file, ReadSettings(), rejected.append):
            rows += batch.to_pylist()
    assert not rejected
    return rows


def test_every_column_of_a_call_and_a_reply_is_a_canonical_one() -> None:
    assert {*CALL_COLUMNS, *REPLY_COLUMNS} <= set(EVENT_SCHEMA.names)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_captured_call_is_a_canonical_event_with_all_that_was_known(tmp_path: Path, form: Form) -> None:
    meter = Counting()
    capture = captured(tmp_path, form, meter)
    capture.keep(ticket_of(CALL), REPLY)
    assert capture.hand_on() == 1
    (event,) = events_in(tmp_path)
    assert event["event_id"] == "i1-1"
    assert int(event["time"].timestamp() * 1_000_000) == CALL.time_us  # type: ignore[attr-defined]
    assert event["input_text"] == CALL.input_text
    assert event["tool_names"] == ["search", "fetch"]
    assert event["presented_blocks"] == ["b" * 32]
    assert event["issued_blocks"] == ["c" * 32]
    assert (event["status"], event["output_tokens"], event["refused"]) == (200, 17, False)
    assert event["organization_id"] is None
    assert not meter.alarms


def test_files_lie_by_day_and_hour_of_their_first_event(tmp_path: Path) -> None:
    capture = captured(tmp_path, "parquet", Counting())
    capture.keep(ticket_of(CALL), REPLY)
    capture.hand_on()
    (file,) = (tmp_path / "events").rglob("*.parquet")
    assert file.relative_to(tmp_path / "events").parts[:2] == ("2026-09-21", "14")
    assert pq.read_schema(file).equals(EVENT_SCHEMA)


def test_a_full_spool_drops_events_and_counts_them_and_calls_go_on(tmp_path: Path) -> None:
    meter = Counting()
    capture = captured(tmp_path, "jsonl", meter)
    call = Call(CALL.time_us, "account-1", "model-a", input_text="x" * 300_000)
    for _ in range(6):
        capture.keep(ticket_of(call), REPLY)
    capture.hand_on()
    assert len(events_in(tmp_path)) == 3
    assert meter.alarms == {"capture-dropped": 3}


def test_events_wait_in_the_spool_while_the_destination_is_away(tmp_path: Path) -> None:
    meter = Counting()
    (tmp_path / "events").write_text("a file where a folder should be")
    capture = captured(tmp_path, "jsonl", meter)
    capture.keep(ticket_of(CALL), REPLY)
    assert capture.hand_on() == 0
    assert meter.alarms == {"capture-destination-away": 1}
    (tmp_path / "events").unlink()
    assert capture.hand_on() == 1
    assert len(events_in(tmp_path)) == 1


def test_a_segment_that_was_written_but_not_deleted_is_no_second_event(tmp_path: Path) -> None:
    capture = captured(tmp_path, "jsonl", Counting())
    capture.keep(ticket_of(CALL), REPLY)
    (segment,) = (tmp_path / "spool" / "i1").glob("*.open")
    data = segment.read_bytes()
    capture.hand_on()
    segment.with_suffix(".jsonl").write_bytes(data)
    assert capture.hand_on() == 1
    assert len(events_in(tmp_path)) == 1


def test_the_half_line_of_a_killed_process_is_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    meter = Counting()
    capture = captured(tmp_path, "parquet", meter)
    capture.keep(ticket_of(CALL), REPLY)
    (segment,) = (tmp_path / "spool" / "i1").glob("*.open")
    segment.write_bytes(segment.read_bytes() + b'{"event_id": "half')
    capture.hand_on()
    assert meter.alarms["capture-torn"] == 1
    assert sum(meter.alarms.values()) <= 2
    (file,) = (tmp_path / "events").rglob("*.parquet")
    assert pq.read_table(file).num_rows == 1


def test_a_call_without_an_account_is_no_event(tmp_path: Path) -> None:
    meter = Counting()
    capture = captured(tmp_path, "jsonl", meter)
    capture.keep(ticket_of(Call(1, "", "model-a")), REPLY)
    assert meter.alarms == {"capture-no-principal": 1}
