"""The gate's server: the doors on one port, what operators need on another, no framework between (ASGI, uvicorn).

Every request gets an answer in time: what a door cannot decide is what the policy chose for it. The one importer of
uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stillwatch.errors import Error
from stillwatch.gate.contract import Decision, Meter
from stillwatch.gate.exchange import (
    JSON,
    Answer,
    App,
    Asked,
    Door,
    Receive,
    Scope,
    Send,
    UnreadableError,
    body_of,
    headers_of,
    reply,
)
from stillwatch.gate.settings import Limits

TOKEN_HEADER = "x-stillwatch-token"  # noqa: S105  # the name of a header

BACKLOG_MAX = 4_096
"""Connections that wait for the server to look: a burst of a second."""

KEEP_ALIVE_SECONDS_MAX = 75
"""A gateway keeps its connections for a minute or so; a shorter time here would close one under its next call."""


@dataclass(slots=True)
class Public:
    """The doors, as an ASGI application. `rest` takes what no door answers: the reverse proxy, where it is on.

    `without_answer` returns what the policy chose for what could not be decided; `trace` is told the traceparent.
    """

    doors: Sequence[Door]
    limits: Limits
    meter: Meter
    without_answer: Callable[[str], Decision]
    token: bytes | None = None
    rest: App | None = None
    trace: Callable[[str], object] | None = None
    open_count: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        door = self._door(scope["path"])
        if door is None and self.rest is not None:
            try:
                await self.rest(scope, receive, send)
            except Exception:
                self.meter.alarm("exchange-broken")
                raise
            return
        self.open_count += 1
        try:
            answer = await self._answer(door, scope, receive)
            if answer.delay_ms:
                await asyncio.sleep(answer.delay_ms / 1000)
            await reply(send, answer)
        finally:
            self.open_count -= 1

    def _door(self, path: str) -> Door | None:
        for door in self.doors:
            if path.startswith(door.prefix):
                return door
        return None

    async def _answer(self, door: Door | None, scope: Scope, receive: Receive) -> Answer:
        """Return the door's answer, or what stands for it."""
        if door is None:
            return _problem(404, "no-such-path")
        asked: Asked | None = None
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                asked = await self._asked(scope, receive)
            if self.open_count > self.limits.concurrency_max:
                return self._unanswered(door, "overloaded")
            return await door.answer(asked)
        except UnreadableError as error:
            if error.code == "body-too-large":
                # The gateway let it through and will send it on: that is a call which was not decided.
                return self._unanswered(door, error.code)
            return _problem(error.status, error.code)
        except TimeoutError:
            return _problem(408, "body-too-slow") if asked is None else self._unanswered(door, "internal-error")
        except Exception:  # noqa: BLE001  # whatever it was, the gateway has an answer
            return self._unanswered(door, "internal-error")

    async def _asked(self, scope: Scope, receive: Receive) -> Asked:
        headers = headers_of(scope, self.limits.headers_count_max, self.limits.header_bytes_max)
        if not self._may_ask(headers):
            raise UnreadableError(401, "no-token")
        if self.trace is not None:
            self.trace(headers.get("traceparent", ""))
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > self.limits.body_bytes_max:
            raise UnreadableError(413, "body-too-large")
        body = await body_of(receive, self.limits.body_bytes_max)
        return Asked(scope["method"], scope["path"], headers, body, scope["headers"])

    def _may_ask(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a gateway asks. Where callers reach the port too, it is one that has a token, or nobody."""
        if self.token is None:
            return self.rest is None
        return _holds(headers.get(TOKEN_HEADER, ""), self.token)

    def _unanswered(self, door: Door, ident: str) -> Answer:
        self.meter.alarm(ident)
        return door.unanswered(self.without_answer(ident))


@dataclass(slots=True)
class Admin:
    """What operators look at, as an ASGI application of its own port.

    `expose` returns metrics, `facts` what is in force, `problem` why the gate is not ready (empty where it is);
    `reload` reads policy and snapshot again. With a token everything but the two health paths needs it; `reload`
    always does.
    """

    expose: Callable[[], tuple[bytes, str]]
    facts: Callable[[], dict[str, object]]
    problem: Callable[[], str]
    reload: Callable[[], Awaitable[dict[str, object]]]
    token: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await reply(send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            headers = headers_of(scope, 200, 65_536)
            await body_of(receive, 65_536)
        except UnreadableError as error:
            return _problem(error.status, error.code)
        path, method = scope["path"], scope["method"]
        if path == "/healthz":
            return _json({"status": "live"})
        if path == "/readyz":
            problem = self.problem()
            return _json({"status": problem or "ready"}, 503 if problem else 200)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        allowed = self.token is not None and scheme.lower() == "bearer" and _holds(given.strip(), self.token)
        if path == "/reload":
            if not allowed:
                return _problem(401, "no-token")
            return _problem(405, "expected-post") if method != "POST" else _json(await self.reload())
        if self.token is not None and not allowed:
            return _problem(401, "no-token")
        if path == "/metrics":
            text, kind = self.expose()
            return Answer(200, text, ((b"content-type", kind.encode()),))
        return _json(self.facts()) if path == "/snapshot" else _problem(404, "no-such-path")


@dataclass(slots=True)
class Running:
    """What a server tells of itself while it runs. Set `stop` to end it; `draining` once it takes no new calls."""

    public_port: int = 0
    admin_port: int = 0
    draining: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)


async def serve(
    public: tuple[App, socket.socket],
    admin: tuple[App, socket.socket],
    running: Running,
    limits: Limits,
    on_hangup: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Serve both until SIGTERM, SIGINT or `running.stop`; open calls then have `drain_seconds` of the limits to end.

    The admin port is the last to close, so that a drain can be watched.
    """
    running.public_port, running.admin_port = public[1].getsockname()[1], admin[1].getsockname()[1]
    outer, inner = (_server(app, limits) for app in (public[0], admin[0]))
    tasks = [asyncio.create_task(outer.serve([public[1]])), asyncio.create_task(inner.serve([admin[1]]))]
    hangups: set[asyncio.Task[object]] = set()

    def hang_up() -> None:
        if on_hangup is not None:
            task = asyncio.ensure_future(on_hangup())
            hangups.add(task)
            task.add_done_callback(hangups.discard)

    with _signals({signal.SIGTERM: running.stop.set, signal.SIGINT: running.stop.set, signal.SIGHUP: hang_up}):
        while not (outer.started and inner.started):
            if any(task.done() for task in tasks):
                break
            await asyncio.sleep(0.005)
        running.started.set()
        stop = asyncio.create_task(running.stop.wait())
        await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        running.draining = True
        outer.should_exit = True
        await tasks[0]
        inner.should_exit = True
        await tasks[1]


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that holds an address.

    Raises:  Error `address-taken`.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.socket(family, kind, proto)
    except OSError as error:
        raise _taken(host, port) from error
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.listen(BACKLOG_MAX)
    except OSError as error:
        held.close()
        raise _taken(host, port) from error
    held.setblocking(False)
    return held


def run(main: Awaitable[None]) -> None:
    """Run a coroutine on uvloop."""
    import uvloop

    async def awaited() -> None:
        await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(awaited())


def _bounded(limits: Limits) -> type[HttpToolsProtocol]:
    """Return a protocol that gives up a connection whose request has no whole head in time or within its bound.

    uvicorn and its parser wait for ever for a head, and keep whatever it grows to.
    """

    class Bounded(HttpToolsProtocol):
        head_bytes = 0
        timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
            super().connection_made(transport)
            # Gateways open connections ahead of their calls.
            self.timer = self.loop.call_later(KEEP_ALIVE_SECONDS_MAX, transport.close)

        def data_received(self, data: bytes) -> None:
            waiting = self.timer is not None
            super().data_received(data)
            if waiting and self.timer is not None:
                self.head_bytes += len(data)
                if self.head_bytes > limits.header_bytes_max:
                    self.transport.close()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._head_is_whole()
            self.timer = self.loop.call_later(limits.read_seconds, self.transport.close)

        def on_headers_complete(self) -> None:
            self._head_is_whole()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_whole()
            super().connection_lost(exc)

        def _head_is_whole(self) -> None:
            self.head_bytes = 0
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    return Bounded


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs several."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _server(app: App, limits: Limits) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=_bounded(limits),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        # Its warnings and tracebacks can quote a request; what matters of them is counted here.
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS_MAX,
        timeout_graceful_shutdown=limits.drain_seconds,
    )
    return _Server(config)


@contextlib.contextmanager
def _signals(handlers: dict[signal.Signals, Callable[[], object]]) -> Generator[None, None, None]:
    """Handle signals while it lasts; a server in a thread of a test has none."""
    loop = asyncio.get_running_loop()
    held = []
    for number, handler in handlers.items():
        try:
            loop.add_signal_handler(number, handler)
        except (RuntimeError, ValueError):
            continue
        held.append(number)
    try:
        yield
    finally:
        for number in held:
            loop.remove_signal_handler(number)


def _holds(given: str, token: bytes) -> bool:
    return hmac.compare_digest(given.encode("latin-1", "replace"), token)


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value), (JSON,))


def _problem(status: int, code: str) -> Answer:
    return _json({"error": {"code": code}}, status)


def _taken(host: str, port: int) -> Error:
    return Error(
        "address-taken",
        "nothing can listen there",
        hint="see what listens there already, or whether this machine has that address",
        where=f"{host}:{port}",
    )
