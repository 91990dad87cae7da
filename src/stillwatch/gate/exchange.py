"""One HTTP exchange of a door: a bounded request in, a short answer out (ASGI 3, no framework).

A door knows `Asked` and `Answer` and no socket; the server reads the one and sends the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stillwatch.gate.contract import Call, Decision

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CallReader = Callable[[str, Sequence[tuple[str, str]], int], Call | None]
"""Path, headers and time of a request whose body is not seen → its call, None where the path is no model call's.

Names of headers are in lower case, a pair for each line. Raises Error where they name two callers.
"""

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")


class UnreadableError(Exception):
    """A request that no door can read: the status and the code that it is answered with."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Asked:
    """One request as a door sees it: names of headers in lower case, of equal names the first that says anything.

    `lines` are the headers as they came, for a door that passes judgement on whoever wrote them.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    lines: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door answers. It is sent after the delay of the decision, if it has one.

    Units:   delay_ms are milliseconds.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    delay_ms: int = 0


class Door(Protocol):
    """One way in. `prefix` is the path, or the beginning of the paths, that it answers."""

    prefix: str

    async def answer(self, asked: Asked) -> Answer:
        """Answer one request. Raises UnreadableError for one that it cannot read."""
        ...

    def unanswered(self, decision: Decision) -> Answer:
        """Say what the policy chose for a request that could not be decided."""
        ...

    async def close(self) -> None:
        """Hand in what is still open."""
        ...


def headers_of(scope: Scope, count_max: int, bytes_max: int) -> dict[str, str]:
    """Return the headers of a request. Raises UnreadableError where there are too many."""
    raw = scope["headers"]
    if len(raw) > count_max or sum([len(name) + len(value) for name, value in raw]) > bytes_max:
        raise UnreadableError(431, "headers-too-large")
    found: dict[str, str] = {}
    for name, value in raw:
        if value:
            found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


async def body_of(receive: Receive, bytes_max: int) -> bytes:
    """Return the body of a request. Raises UnreadableError where it is too large or its sender went away."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(body) > bytes_max:
            raise UnreadableError(413, "body-too-large")
        return body
    parts, size = [body], len(body)
    while message["type"] == "http.request":
        if size > bytes_max:
            raise UnreadableError(413, "body-too-large")
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    raise UnreadableError(400, "client-gone")


async def reply(send: Send, answer: Answer) -> None:
    """Send an answer whole."""
    length = (b"content-length", str(len(answer.body)).encode())
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
    await send({"type": "http.response.body", "body": answer.body})
