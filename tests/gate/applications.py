"""Servers that a test starts: any ASGI application on a free loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn

PATIENCE_S = 20.0


def until(condition: Callable[[], object], told: str) -> None:
    """Wait until something holds, and fail with what was told where it does not in good time."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, told
        pause.wait(0.005)


@contextlib.contextmanager
def served(app: object, **options: object) -> Iterator[str]:
    """Serve an application, and give its address."""
    # Replies that are broken off on purpose are no news to who reads the tests.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(app, **{"host": "127.0.0.1", "port": 0, "log_config": None, "access_log": False, **options})
    # As the gate's own server does: who forwards for whom is the gate's to judge.
    config.proxy_headers = config.server_header = config.date_header = False
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the server did not start")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the server did not stop"
