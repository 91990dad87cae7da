"""The client of the gate's measurements counts what fails, and takes an answer for whole only at its end."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator

from bench.gate_client import ask, request, whole

REQUEST = request("/path", b'{"a": 1}')

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"
BADLY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@contextlib.contextmanager
def answering(*pieces: bytes) -> Iterator[int]:
    """Serve connections that answer each request with these pieces; without any they are closed."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(1 << 16):
                if not pieces:
                    return
                for piece in pieces:
                    self.request.sendall(piece)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_in_pieces_is_one_answer() -> None:
    with answering(WELL[:30], WELL[30:]) as port:
        asked = ask(port, [REQUEST], 2, 0.1)
    assert asked.failed == 0
    assert asked.waits_s
    assert len(asked.begun_s) == len(asked.waits_s)


def test_an_answer_that_is_no_success_and_a_connection_that_breaks_have_failed() -> None:
    for pieces in ((BADLY,), ()):
        with answering(*pieces) as port:
            asked = ask(port, [REQUEST], 1, 0.05)
        assert asked.failed > 0
        assert not asked.waits_s


def test_calls_at_a_rate_are_as_many_as_are_due() -> None:
    with answering(WELL) as port:
        asked = ask(port, [REQUEST], 8, 0.5, rate=100)
    assert 45 <= len(asked.waits_s) + asked.failed <= 51


def test_it_goes_on_as_long_as_it_is_told_to() -> None:
    turns = iter([True] * 20)
    with answering(WELL) as port:
        asked = ask(port, [REQUEST], 1, 0.0, going=lambda: next(turns, False))
    assert asked.waits_s


def test_an_answer_is_whole_at_its_length() -> None:
    assert whole(WELL)
    assert not whole(WELL[:-1])
    assert not whole(WELL[:20])
