"""A Kafka topic as a log: one JSON record a message, read from positions that the caller keeps.

The caller's positions decide where reading goes on; the offsets of the consumer group are told to the broker
afterwards, for whoever watches the lag, and are never read. One reader takes all partitions: nothing is rebalanced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.adapters.contract import LogFile, Reject, Rejection
from stillwatch.adapters.streams import locate
from stillwatch.errors import Error

SCHEME = "kafka://"

TAKE_BYTES_MAX = 128 * 2**20
TAKE_MESSAGES_MAX = 500_000
"""What one take holds in memory: as much as a few batches of a file, and few enough takes to catch up a day."""

CONSUME_MESSAGES_MAX = 500
"""Messages asked for at a time: a take goes over its bytes by that many messages at most."""

WAIT_S = 0.5
WAITS_MAX = 20
"""Half-seconds without a message or an end before the broker counts as unreachable: ten seconds outlast an election."""

METADATA_S = 10.0

SETTINGS_BYTES_MAX = 1 << 20
"""A properties file is written by hand; a larger one is some other file."""

OURS: Mapping[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
}
"""Settings that exactly-once reading rests on: nobody commits but the caller, a lost position begins at the beginning
(calls that come twice count once), and an end says that it is one."""

DEFAULTS: Mapping[str, object] = {"group.id": "stillwatch", "log_level": 0}
"""librdkafka's own log lines stay off standard error: what matters is raised."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages of one take. `lines` are their values, each on one line; `places` their partitions and offsets.

    `positions` are the next offsets of the partitions that moved, under the names that the caller keeps them by; a
    `full` take left more behind.
    """

    source: str
    lines: tuple[bytes, ...]
    places: tuple[tuple[int, int], ...]
    positions: Mapping[str, int]
    full: bool

    @contextmanager
    def as_file(self) -> Iterator[LogFile]:
        """Lend the messages as a file of JSON lines that any adapter reads; it is in memory and touches no disk."""
        uri = f"memory://kafka/{self.source.rpartition('/')[2]}.jsonl"
        fs, path = locate(uri)
        content = b"\n".join(self.lines) + b"\n"
        fs.pipe_file(path, content)
        try:
            yield LogFile(uri, len(content))
        finally:
            fs.rm_file(path)

    def rejecting(self, file: LogFile, reject: Reject) -> Reject:
        """Return a `reject` that says partition and offset of a record where the adapter says file and line."""

        def placed(rejection: Rejection) -> None:
            if rejection.file == file.uri and 1 <= rejection.line <= len(self.places):
                partition, offset = self.places[rejection.line - 1]
                rejection = Rejection(f"{self.source}/{partition}", offset, rejection.reason, rejection.detail)
            reject(rejection)

        return placed

    def reject_empty(self, reject: Reject) -> None:
        """Reject the messages without a value, which no adapter sees."""
        for line, (partition, offset) in zip(self.lines, self.places, strict=True):
            if not line.strip():
                reject(Rejection(f"{self.source}/{partition}", offset, "empty-message"))


@dataclass(slots=True)
class _Take:
    """A take on its way."""

    lines: list[bytes] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    next: dict[int, int] = field(default_factory=dict)
    size_bytes: int = 0

    def full(self) -> bool:
        return self.size_bytes >= TAKE_BYTES_MAX or len(self.lines) >= TAKE_MESSAGES_MAX


class Topic:
    """One topic, all partitions of it."""

    def __init__(self, source: str, topic: str, consumer: Any) -> None:
        self._source, self._topic, self._consumer = source, topic, consumer
        self._cluster = ""

    @staticmethod
    def open(source: str, settings: Mapping[str, str]) -> Topic:
        """Open `kafka://BROKERS/TOPIC`; nothing is asked of the brokers yet.

        Raises:  Error kafka-source, kafka-settings, missing-extra.
        """
        brokers, topic = address(source)
        try:
            from confluent_kafka import Consumer, KafkaException
        except ImportError as error:
            raise Error(
                "missing-extra",
                "a Kafka topic cannot be read without the package confluent-kafka",
                hint='install the extra: pip install "stillwatch[kafka]"',
            ) from error
        try:
            consumer = Consumer({**DEFAULTS, **settings, **OURS, "bootstrap.servers": brokers})
        except KafkaException as error:
            raise _refused(error, settings) from None
        return Topic(source, topic, consumer)

    def take(self, positions: Mapping[str, int], note: Callable[[str], None]) -> Taken | None:
        """Read on from the caller's positions to the end of each partition or until the take is full; None for nothing.

        A partition without a position is read from its beginning. `note` hears of messages that were deleted before
        they were read, and of a topic that was begun anew.

        Raises:  Error kafka-unreachable, no-such-topic.
        """
        from confluent_kafka import TopicPartition

        begun = {partition: positions.get(self._name(partition)) for partition in self._partitions()}
        starts = [TopicPartition(self._topic, at, offset or 0) for at, offset in begun.items()]
        self._consumer.assign(starts)
        try:
            take = self._consume(begun, note)
        finally:
            # Nothing is fetched while the caller is busy with what it got.
            self._consumer.unassign()
        moved = {self._name(at): offset for at, offset in take.next.items() if offset != (begun[at] or 0)}
        if not moved:
            return None
        return Taken(self._source, tuple(take.lines), tuple(take.places), moved, take.full())

    def commit(self, taken: Taken) -> None:
        """Tell the broker how far the group is: to be called once what was taken is durable.

        Raises:  Error kafka-unreachable; what was taken stays taken, and the next commit says it again.
        """
        from confluent_kafka import KafkaException, TopicPartition

        offsets = [
            TopicPartition(self._topic, int(name.rpartition("/")[2]), offset)
            for name, offset in taken.positions.items()
        ]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise self._unreachable(error.args[0].name()) from None

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()

    def _name(self, partition: int) -> str:
        return f"kafka:{self._cluster}/{self._topic}/{partition}"

    def _partitions(self) -> list[int]:
        from confluent_kafka import KafkaException

        try:
            found = self._consumer.list_topics(self._topic, timeout=METADATA_S)
        except KafkaException as error:
            raise self._unreachable(error.args[0].name()) from None
        self._cluster = found.cluster_id or address(self._source)[0]
        topic = found.topics.get(self._topic)
        if topic is None or topic.error is not None or not topic.partitions:
            raise Error("no-such-topic", "the brokers have no such topic", where=self._source)
        return sorted(topic.partitions)

    def _consume(self, begun: Mapping[int, int | None], note: Callable[[str], None]) -> _Take:
        take, open_, waits = _Take(), set(begun), 0
        while open_ and not take.full():
            messages = self._consumer.consume(CONSUME_MESSAGES_MAX, timeout=WAIT_S)
            waits = 0 if messages else waits + 1
            if waits == WAITS_MAX:
                raise self._unreachable("no answer")
            for message in messages:
                at, offset = message.partition(), message.offset()
                if (error := message.error()) is not None:
                    if error.name() != "_PARTITION_EOF":
                        raise self._unreachable(error.name())
                    take.next[at] = offset
                    open_.discard(at)
                    continue
                if at not in take.next:
                    self._compare(at, begun[at], offset, note)
                value = (message.value() or b"").replace(b"\n", b" ").replace(b"\r", b" ")
                take.lines.append(value)
                take.places.append((at, offset))
                take.next[at] = offset + 1
                take.size_bytes += len(value)
                open_.add(at)
        return take

    def _compare(self, partition: int, wanted: int | None, got: int, note: Callable[[str], None]) -> None:
        """Say where a partition does not go on where it was left. Gaps that transactions leave are none."""
        if wanted is None or got == wanted:
            return
        where = f"{self._source}/{partition}"
        if got < wanted:
            note(f"{where} was begun anew and is read from its beginning")
            return
        from confluent_kafka import TopicPartition

        watermarks = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=METADATA_S)
        if watermarks and watermarks[0] > wanted:
            note(f"{watermarks[0] - wanted} messages of {where} were deleted before they were read")

    def _unreachable(self, why: str) -> Error:
        return Error("kafka-unreachable", f"the brokers cannot be read: {why}", where=self._source)


def is_topic(source: str) -> bool:
    """Tell whether a source is a topic and no folder."""
    return source.startswith(SCHEME)


def address(source: str) -> tuple[str, str]:
    """Split `kafka://HOST:PORT,…/TOPIC` into brokers and topic.

    Raises:  Error kafka-source.
    """
    found = re.fullmatch(r"kafka://([^/@?#]+)/([A-Za-z0-9._-]{1,249})", source)
    if not found:
        raise Error(
            "kafka-source",
            "expected kafka://HOST:PORT,…/TOPIC",
            hint="names and passwords go into the file of --kafka-config",
        )
    return found[1], found[2]


def read_settings(path: Path) -> dict[str, str]:
    """Read librdkafka settings from a properties file, `name=value` a line. No value is ever shown.

    Raises:  Error kafka-settings.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(SETTINGS_BYTES_MAX + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad("the file cannot be read", str(path)) from error
    if len(text) > SETTINGS_BYTES_MAX:
        raise _bad(f"the file is larger than {SETTINGS_BYTES_MAX >> 20} MiB", str(path))
    settings = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "!")):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not re.fullmatch(r"[a-z0-9._]+", name):
            raise _bad("expected name=value", f"{path}, line {number}")
        if name in OURS or name == "bootstrap.servers":
            raise _bad(f"{name} is not for the file to set", f"{path}, line {number}")
        settings[name] = value
    return settings


def _refused(error: Any, settings: Mapping[str, str]) -> Error:
    """Say which settings librdkafka refused. Its own words quote the values, so only names are taken from them."""
    said = str(error.args[0].str())
    named = [name for name in sorted(settings) if name in said]
    what = f"librdkafka refuses {', '.join(named)}" if named else "librdkafka refuses the settings together"
    return _bad(what, "")


def _bad(what: str, where: str) -> Error:
    return Error(
        "kafka-settings",
        what,
        hint="one librdkafka setting a line, such as security.protocol=SASL_SSL",
        where=where,
    )
