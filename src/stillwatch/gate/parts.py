"""What a gate is put together from, opened as its settings say.

Each part is imported where it is opened, so that a gate needs no library of a door that is off.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from stillwatch.config import read_key
from stillwatch.gate.contract import Call, Capture, Meter, Policy, Snapshot, State
from stillwatch.gate.exchange import App, CallReader
from stillwatch.gate.service import Gate
from stillwatch.gate.settings import GateSettings, read_token

RunBeside = Callable[[Gate], Awaitable[None]]
"""Work that goes on beside the answers until it is cancelled."""


class Keeper(Protocol):
    """Holds the snapshot in force, and looks for a newer one (`gate.holder.Holder`)."""

    def current(self) -> Snapshot | None: ...

    def refresh(self, now_us: int) -> bool:
        """Take a newer snapshot where there is one; keep the last good one on any fault. Returns whether it changed."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gate is put together from. `read_policy` reads the policy anew; `call_of` reads a request of headers.

    `rest` takes the requests that no door answers; `background` runs beside them; `openers` are called in the loop that
    answers before anybody is, `closers` at the end.
    """

    keeper: Keeper
    read_policy: Callable[[int], Policy]
    state: State
    key_of_block: Callable[[str], int]
    call_of: CallReader
    capture: Capture | None = None
    rest: Callable[[Gate], App] | None = None
    background: tuple[RunBeside, ...] = ()
    openers: tuple[Callable[[], Awaitable[None]], ...] = ()
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()


def now_us() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000


def real_parts(settings: GateSettings, meter: Meter) -> Parts:
    """Open what the settings name. Raises Error."""
    from stillwatch.gate.requests import Identity, call_of, is_model_path, one_caller, plain_path
    from stillwatch.gate.snapshot import key_of_block

    secret = read_key(str(settings.path(settings.key_file)))
    assert secret is not None
    identity = Identity(**settings.identity)  # type: ignore[arg-type]  # the settings checked names and types
    state = open_state(settings)
    rest: Callable[[Gate], App] | None = None
    background: list[RunBeside] = []
    openers: list[Callable[[], Awaitable[None]]] = []
    closers: list[Callable[[], Awaitable[None]]] = []
    if settings.doors.proxy:
        rest, upstream = _proxy(settings, identity)
        openers.append(upstream.open)
        closers.append(upstream.close)
    if settings.doors.envoy:
        background.append(partial(_envoy, settings, identity))
    capture: Any = None
    if settings.capture is not None:
        capture = _capture(settings, meter)
        rotate = settings.capture.rotate_seconds
        background.append(lambda _gate: capture.run(rotate))
        closers.append(capture.close)

    def header_call(path: str, headers: Sequence[tuple[str, str]], time_us: int) -> Call | None:
        if not is_model_path(plain_path(path)):
            return None
        return call_of(path, one_caller(headers, path, identity), None, identity, time_us, None)

    return Parts(
        keeper=open_keeper(settings, secret, meter),
        read_policy=partial(read_policy, settings, secret),
        state=state,
        key_of_block=key_of_block(secret),
        call_of=header_call,
        capture=capture,
        rest=rest,
        background=tuple(background),
        openers=tuple(openers),
        closers=tuple(closers),
    )


def open_keeper(settings: GateSettings, secret: bytes, meter: Meter) -> Keeper:
    """Return the keeper of the snapshot that the settings name; it has read nothing yet."""
    from stillwatch.gate.holder import Holder

    place = settings.snapshot
    memory = settings.path(place.sequence_file)
    return Holder(settings.path(place.file), public_keys(settings), secret, meter, memory)


def public_keys(settings: GateSettings) -> dict[str, bytes]:
    """Read the public keys of who may sign a snapshot. Raises Error."""
    from stillwatch.evidence.signing import read_key as read_public

    return {name: read_public(settings.path(name)) for name in settings.snapshot.keys}


def read_policy(settings: GateSettings, secret: bytes, now_us: int) -> Policy:
    """Read and compile the policy. Raises Error."""
    from stillwatch.gate.policy import load

    return load(settings.path(settings.policy.file), now_us, secret)


def open_state(settings: GateSettings) -> State:
    """Return the state that the settings name, not asked yet. Raises Error."""
    place = settings.state
    if place.url == "memory":
        from stillwatch.gate.memory import MemoryState

        return MemoryState()
    from stillwatch.gate.shared_state import SharedState

    url = place.url
    if place.password_file is not None:
        scheme, _, rest = url.partition("://")
        password = read_token(settings.path(place.password_file)).decode("utf-8", "replace")
        url = f"{scheme}://:{quote(password, safe='')}@{rest}"
    return SharedState.open(url, timeout_s=place.timeout_ms / 1000)


def _proxy(settings: GateSettings, identity: Any) -> tuple[Callable[[Gate], App], Any]:
    """Return the reverse proxy of a gate, and its upstream, which is opened before the first call."""
    from stillwatch.gate.forwarding import UpstreamSettings
    from stillwatch.gate.proxy import Proxy
    from stillwatch.gate.receiving import Bounds
    from stillwatch.gate.upstream import Upstream

    place, limits = settings.upstream, settings.limits
    assert place is not None
    upstream = Upstream(
        UpstreamSettings(
            place.url,
            connect_s=place.connect_seconds,
            read_s=place.read_seconds,
            idle_s=place.idle_seconds,
            connections_max=place.connections_max,
            trust_forwarded=place.trust_forwarded,
            reserved=place.reserved,
        )
    )
    bounds = Bounds(
        body_bytes_max=limits.body_bytes_max,
        body_s_max=limits.read_seconds,
    )
    return lambda gate: Proxy(gate, upstream, identity, bounds, place.unknown), upstream


async def _envoy(settings: GateSettings, identity: Any, gate: Gate) -> None:
    """Answer Envoy's checks until cancelled."""
    from stillwatch.gate.envoy import EnvoyDoor
    from stillwatch.gate.envoy import serve as serve_envoy

    door = EnvoyDoor(gate, identity, settings.limits.deadline_ms / 1000, now_us)
    server, _ = await serve_envoy(door, f"{settings.envoy.host}:{settings.envoy.port}")
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop(settings.limits.drain_seconds)


def _capture(settings: GateSettings, meter: Meter) -> Any:
    from stillwatch.gate.capture import Captured
    from stillwatch.gate.spool import Spool
    from stillwatch.store.place import Place

    place = settings.capture
    assert place is not None
    instance = os.urandom(8).hex()
    spool = Spool(settings.path(place.spool), instance, place.spool_bytes_max)
    where = place.dir if "://" in place.dir else str(settings.path(place.dir))
    return Captured(spool, Place.of(where), place.format, instance, meter)
