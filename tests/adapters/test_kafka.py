from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.adapters import canonical, kafka
from stillwatch.adapters.contract import ReadSettings, Rejection
from stillwatch.adapters.kafka import Topic, address, read_settings
from stillwatch.errors import Error
from tests.adapters.brokers import KINDS, Broker, started
from tests.house.repository import ROOT


def record(n: int) -> dict[str, object]:
    return {"event_id": f"e{n}", "time": 1_780_000_000 + n, "account_id": f"a{n % 7}", "request_model": "m"}


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with started(request.param, tmp_path) as one:
        one.create()
        yield one


@pytest.fixture
def topic(broker: Broker) -> Iterator[Topic]:
    one = Topic.open(broker.source(), {})
    yield one
    one.close()


def read(topic: Topic, positions: dict[str, int], rejected: list[Rejection], notes: list[str]) -> list[str]:
    """Take what there is, and move the positions as a caller who keeps them does."""
    taken = topic.take(positions, notes.append)
    if taken is None:
        return []
    taken.reject_empty(rejected.append)
    with taken.as_file() as file:
        batches = list(canonical.read(file, ReadSettings(), taken.rejecting(file, rejected.append)))
    positions.update(taken.positions)
    topic.commit(taken)
    return [ident for batch in batches for ident in batch["event_id"].to_pylist()]


def test_every_message_is_read_once_and_the_group_is_told_afterwards(broker: Broker, topic: Topic) -> None:
    positions: dict[str, int] = {}
    broker.send([record(n) for n in range(300)])
    assert sorted(read(topic, positions, [], [])) == sorted(f"e{n}" for n in range(300))
    assert sorted(positions.values()) == [75, 75, 75, 75]
    assert broker.committed() == [75, 75, 75, 75]
    assert read(topic, positions, [], []) == []
    broker.send([record(n) for n in range(300, 310)])
    assert sorted(read(topic, positions, [], [])) == [f"e{n}" for n in range(300, 310)]


def test_the_callers_positions_win_over_the_groups_offsets(broker: Broker, topic: Topic) -> None:
    positions: dict[str, int] = {}
    broker.send([record(n) for n in range(40)])
    read(topic, positions, [], [])
    again = Topic.open(broker.source(), {})
    assert len(read(again, {}, [], [])) == 40, "a new store reads all"
    half = dict.fromkeys(positions, 5)
    assert len(read(again, half, [], [])) == 20
    again.close()


def test_a_bad_message_is_rejected_by_partition_and_offset_and_ends_nothing(broker: Broker, topic: Topic) -> None:
    spread = b'{\n"event_id": "e9",\r\n"time": 1780000009, "account_id": "a", "request_model": "m"\n}'
    nameless = {"event_id": "x", "time": 1_780_000_000, "request_model": "m"}
    broker.send([record(0), b"no JSON", None, spread, record(4), nameless])
    rejected: list[Rejection] = []
    assert sorted(read(topic, {}, rejected, [])) == ["e0", "e4", "e9"]
    said = sorted((each.file.rpartition("/")[2], each.line, each.reason, each.detail) for each in rejected)
    assert said == [
        ("1", 0, "not-json", ""),
        ("1", 1, "missing-field", "account_id"),
        ("2", 0, "empty-message", ""),
    ]


def test_a_take_that_is_full_goes_on_where_it_ended(
    broker: Broker, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "TAKE_MESSAGES_MAX", 100)
    monkeypatch.setattr(kafka, "CONSUME_MESSAGES_MAX", 50)
    broker.send([record(n) for n in range(300)])
    positions: dict[str, int] = {}
    parts = []
    while got := read(topic, positions, [], []):
        parts.append(got)
    assert len(parts) >= 3
    assert sorted(ident for part in parts for ident in part) == sorted(f"e{n}" for n in range(300))


@pytest.mark.parametrize("broker", ["mock"], indirect=True)
def test_a_partition_that_was_begun_anew_is_read_from_its_beginning_and_that_is_said(
    broker: Broker, topic: Topic
) -> None:
    """Apache Kafka and the mock say that an offset is out of range; Tansu says nothing."""
    broker.send([record(n) for n in range(40)])
    positions: dict[str, int] = {}
    read(topic, positions, [], [])
    notes: list[str] = []
    assert len(read(topic, dict.fromkeys(positions, 5000), [], notes)) == 40
    assert len(notes) == 4
    assert "begun anew" in notes[0]


def test_a_topic_that_is_not_there_is_no_empty_topic(broker: Broker) -> None:
    one = Topic.open(broker.source("nowhere"), {})
    with pytest.raises(Error) as refused:
        one.take({}, print)
    assert refused.value.ident == "no-such-topic"
    one.close()


def test_brokers_that_do_not_answer_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("confluent_kafka")
    monkeypatch.setattr(kafka, "METADATA_S", 1.0)
    one = Topic.open("kafka://127.0.0.1:1/calls", {})
    with pytest.raises(Error) as refused:
        one.take({}, print)
    assert refused.value.ident == "kafka-unreachable"
    one.close()


@pytest.mark.parametrize("source", ["kafka://", "kafka://host", "kafka://host/", "kafka://user:secret@host/topic"])
def test_an_address_has_brokers_and_a_topic_and_no_password(source: str) -> None:
    with pytest.raises(Error) as refused:
        address(source)
    assert refused.value.ident == "kafka-source"
    assert "secret" not in str(refused.value)
    assert address("kafka://a:9092,b:9092/calls.v1") == ("a:9092,b:9092", "calls.v1")


def test_settings_are_read_from_a_properties_file(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# ours\nsecurity.protocol=SASL_SSL\n\nsasl.password = a=b \n")
    assert read_settings(file) == {"security.protocol": "SASL_SSL", "sasl.password": "a=b"}


@pytest.mark.parametrize(
    "text", ["hunter2", "sasl.password hunter2", "enable.auto.commit=true", "bootstrap.servers=hunter2", "\xff=hunter2"]
)
def test_a_settings_file_that_is_wrong_is_refused_without_a_value(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text(text)
    with pytest.raises(Error) as refused:
        read_settings(file)
    assert refused.value.ident == "kafka-settings"
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("settings", [{"sasl.pasword": "hunter2"}, {"security.protocol": "hunter2"}])
def test_what_the_library_refuses_is_named_without_its_value(settings: dict[str, str]) -> None:
    pytest.importorskip("confluent_kafka")
    with pytest.raises(Error) as refused:
        Topic.open("kafka://127.0.0.1:1/calls", settings)
    assert refused.value.ident == "kafka-settings"
    assert next(iter(settings)) in str(refused.value)
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"
    assert refused.value.__cause__ is None


def test_without_the_library_it_is_said_which_extra_is_missing() -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stderr) == (0, "")


WITHOUT = """
import sys
sys.modules["confluent_kafka"] = None
from stillwatch.adapters.kafka import Topic
from stillwatch.errors import Error
try:
    Topic.open("kafka://127.0.0.1:1/calls", {})
except Error as error:
    assert error.ident == "missing-extra" and "stillwatch[kafka]" in error.hint
else:
    raise SystemExit("no error")
"""
