"""The least of an HTTP client, so that it is not what is measured: one thread, kept connections, no pipelining.

Without a rate each connection asks again as soon as it is answered. With one, calls are due at fixed times whatever
became of earlier ones, and are timed from then, so that a queue shows.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.measuring import Found

LATE_S = 10.0
"""A call that takes longer has failed."""

SPIN_S = 0.001
"""A poll cannot wait for less."""

RECEIVE_BYTES = 1 << 16


@dataclass(slots=True)
class Asked:
    """What became of calls. `begun_s` and `waits_s` are of those that were answered well.

    Units:  seconds; `begun_s` on the clock of `time.perf_counter`.
    """

    begun_s: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    failed: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def told(self) -> Found:
        waits = np.array(self.waits_s or [np.nan])
        p50, p99 = np.quantile(waits, (0.5, 0.99)) * 1e6
        return {
            "calls": len(self.waits_s), "failed": self.failed, "per_second": len(self.waits_s) / self.wall_s,
            "p50_us": float(p50), "p99_us": float(p99), "client_cpu_share": self.cpu_s / self.wall_s,
        }  # fmt: skip


class _Connection:
    __slots__ = ("begun", "got", "port", "socket")

    def __init__(self, port: int) -> None:
        self.port, self.begun, self.got = port, 0.0, b""
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), LATE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def request(path: str, body: bytes, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float = 0.0,
    going: Callable[[], bool] = lambda: False,
) -> Asked:  # fmt: skip
    """Send requests in turn for some seconds, and as long as it is `going`; then wait for what is open."""
    return _Client(port, requests, connections, rate).run(seconds, going)


class _Client:
    def __init__(self, port: int, requests: Sequence[bytes], connections: int, rate: float) -> None:
        self.requests, self.turn, self.rate = requests, 0, rate
        self.asked, self.poll = Asked(), select.epoll()
        self.held: dict[int, _Connection] = {}
        self.idle: deque[_Connection] = deque()
        for _ in range(connections):
            self.ready(_Connection(port))

    def ready(self, connection: _Connection) -> None:
        self.held[connection.socket.fileno()] = connection
        self.poll.register(connection.socket, select.EPOLLIN)
        self.idle.append(connection)

    def run(self, seconds: float, going: Callable[[], bool]) -> Asked:
        asked, clock = self.asked, time.perf_counter
        cpu, begun = time.process_time(), clock()
        due, end, count = begun, begun + seconds, len(self.held)
        while (now := clock()) < end or going():
            due = self.send_due(now, due) if self.rate else self.send_all(now)
            self.receive_all(due - now if self.rate and self.idle else 0.05)
        end = clock()
        while len(self.idle) < count and clock() < end + LATE_S:
            self.receive_all(0.05)
        asked.wall_s, asked.cpu_s = end - begun, time.process_time() - cpu
        asked.failed += count - len(self.idle)
        for connection in self.held.values():
            connection.socket.close()
        self.poll.close()
        return asked

    def receive_all(self, wait_s: float) -> None:
        for number, _ in self.poll.poll(wait_s if wait_s > SPIN_S else 0):
            self.receive(self.held[number])

    def send_due(self, now: float, due: float) -> float:
        while due <= now and self.idle:
            self.send(self.idle.popleft(), due)
            due += 1 / self.rate
        return due

    def send_all(self, now: float) -> float:
        while self.idle:
            self.send(self.idle.popleft(), now)
        return now

    def send(self, connection: _Connection, begun: float) -> None:
        connection.begun = begun
        self.turn = (self.turn + 1) % len(self.requests)
        try:
            connection.socket.sendall(self.requests[self.turn])
        except OSError:
            self.lost(connection)

    def receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except OSError:
            data = b""
        if not data:
            self.lost(connection)
            return
        got = connection.got + data if connection.got else data
        if not whole(got):
            connection.got = got
            return
        connection.got = b""
        if got.startswith(b"HTTP/1.1 200"):
            self.asked.begun_s.append(connection.begun)
            self.asked.waits_s.append(time.perf_counter() - connection.begun)
        else:
            self.asked.failed += 1
        self.idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        """Count a call whose connection broke, and connect again."""
        self.asked.failed += 1
        del self.held[connection.socket.fileno()]
        self.poll.unregister(connection.socket)
        connection.socket.close()
        connection.got = b""
        connection.open()
        self.ready(connection)


def whole(got: bytes) -> bool:
    """Tell whether an answer is there to its end, by its content-length."""
    at = got.find(b"\r\n\r\n")
    if at < 0:
        return False
    head = got[:at].lower()
    place = head.find(b"content-length:")
    if place < 0:
        return False
    return len(got) >= at + 4 + int(head[place + 15 :].partition(b"\r")[0])
