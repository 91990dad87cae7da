"""A gate that really listens, in a thread of the test, and the plainest client to ask it with."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from stillwatch.gate import server
from stillwatch.gate.assembly import Assembly, sockets_of

START_SECONDS = 20


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@contextlib.contextmanager
def serving(assembly: Assembly) -> Iterator[Assembly]:
    """Serve until the block ends; what the server raised is raised here."""
    faults: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []
    public, admin = sockets_of(assembly.settings)

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await assembly.run(public, admin)

    def run() -> None:
        try:
            server.run(main())
        except BaseException as fault:  # noqa: BLE001  # it is raised again in the test's own thread
            faults.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: assembly.running.started.is_set() or bool(faults), START_SECONDS)
    try:
        yield assembly
    finally:
        if thread.is_alive():
            loops[0].call_soon_threadsafe(assembly.running.stop.set)
        thread.join(START_SECONDS)
    if faults:
        raise faults[0]


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Look again and again whether something has come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.005)


def ask(port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """Ask a server of this machine; a body that is no bytes is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, path, data, dict(headers or {}))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, found, response.read())
    finally:
        connection.close()


def free_port() -> int:
    """Return a port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    """Tell whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
