"""Settings → a gate that answers: its parts are put together, its doors hung, and what is in force is kept fresh."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillwatch import __version__
from stillwatch.errors import Error
from stillwatch.gate.contract import Meter, Policy, Snapshot
from stillwatch.gate.exchange import Door
from stillwatch.gate.forward_auth import ForwardAuth
from stillwatch.gate.guardrail import Guardrail
from stillwatch.gate.metering import Meters
from stillwatch.gate.metrics import Metrics
from stillwatch.gate.neutral import Decisions
from stillwatch.gate.parts import Parts, now_us, real_parts
from stillwatch.gate.server import Admin, Public, Running, listening, serve
from stillwatch.gate.service import Gate
from stillwatch.gate.settings import GateSettings, read_token
from stillwatch.gate.telling import Teller

if TYPE_CHECKING:
    from stillwatch.gate.tracing import Tracer

US = 1_000_000


@dataclass(slots=True)
class PolicyKeeper:
    """Holds the policy in force; one that cannot be read leaves the last good one in its place."""

    read: Callable[[int], Policy]
    policy: Policy

    def current(self) -> Policy:
        """Return the policy in force."""
        return self.policy

    def refresh(self, now_us: int) -> bool:
        """Read the policy again. Raises Error where it cannot be."""
        self.policy = self.read(now_us)
        return True


@dataclass(slots=True)
class Told:
    """Who is told of what a gate does."""

    metrics: Metrics
    teller: Teller
    meter: Meter
    tracer: Tracer | None = None


@dataclass(slots=True)
class Assembly:
    """A gate with its doors, ready to be served."""

    settings: GateSettings
    parts: Parts
    gate: Gate
    policy: PolicyKeeper
    told: Told
    doors: tuple[Door, ...]
    now_us: Callable[[], int]
    running: Running = field(default_factory=Running)

    def public(self) -> Public:
        """Return what gateways speak to."""
        tracer = self.told.tracer
        trace: Callable[[str], object] | None = None
        if tracer is not None:
            from stillwatch.gate.tracing import TRACEPARENT

            trace = TRACEPARENT.set
        return Public(
            self.doors,
            self.settings.limits,
            self.told.meter,
            lambda ident: self.policy.current().without_answer(ident),
            token=_token(self.settings, self.settings.listen.token_file),
            rest=self.parts.rest(self.gate) if self.parts.rest else None,
            trace=trace,
        )

    def admin(self) -> Admin:
        """Return what operators speak to."""
        token = _token(self.settings, self.settings.admin.token_file)
        return Admin(self.told.metrics.expose, self.facts, self.problem, self.reload, token)

    def facts(self) -> dict[str, object]:
        """Return what is in force."""
        snapshot = self.parts.keeper.current()
        return {
            "snapshot": snapshot.ident if snapshot else None,
            "snapshot_sequence": _said(snapshot, "sequence"),
            "snapshot_age_seconds": self._snapshot_age(),
            "policy": self.policy.current().ident,
            "version": __version__,
        }

    def problem(self) -> str:
        """Return why the gate should get no calls now; empty where nothing is wrong."""
        if self.running.draining:
            return "draining"
        return "" if self.parts.keeper.current() is not None else "no-snapshot"

    async def reload(self) -> dict[str, object]:
        """Read policy and snapshot again, calls going on meanwhile; what is bad leaves the last good one in force."""
        read = await asyncio.to_thread(self._refresh, self.policy.refresh)
        await asyncio.to_thread(self._refresh, self.parts.keeper.refresh)
        self.told.teller.say("info", "reloaded", policy=self.policy.current().ident)
        return {**self.facts(), "policy_read": read}

    async def run(self, public: socket.socket, admin: socket.socket) -> None:
        """Serve until a signal says to stop, then finish what is open and close every part."""
        for ready in self.parts.openers:
            await ready()
        public_app = self.public()
        self.told.metrics.show("open_requests", "Requests being answered", lambda: public_app.open_count)
        tasks = [asyncio.create_task(self._refreshed())]
        tasks += [asyncio.ensure_future(each(self.gate)) for each in self.parts.background]
        for task in tasks:
            # None of them ends by itself: one that does has failed, and its error ends the gate.
            task.add_done_callback(lambda _: self.running.stop.set())
        (host, port), (_, admin_port) = public.getsockname()[:2], admin.getsockname()[:2]
        self.told.teller.say("info", "listening", address=f"{host}:{port}", port=admin_port, version=__version__)
        try:
            await serve(
                (public_app, public),
                (self.admin(), admin),
                self.running,
                self.settings.limits,
                self.reload,
            )
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()
            self.told.teller.say("info", "stopped")
        for each in ended:
            if isinstance(each, Exception):
                raise each

    async def close(self) -> None:
        """Hand in what is open and close every part."""
        for door in self.doors:
            await door.close()
        for close in self.parts.closers:
            await close()
        await self.parts.state.close()
        if self.told.tracer is not None:
            await asyncio.to_thread(self.told.tracer.close)

    async def _refreshed(self) -> None:
        """Look for a newer snapshot every few seconds, in a thread: to verify one takes longer than a call may."""
        while True:
            await asyncio.sleep(self.settings.snapshot.refresh_seconds)
            if await asyncio.to_thread(self._refresh, self.parts.keeper.refresh):
                snapshot = self.parts.keeper.current()
                self.told.teller.say("info", "snapshot-in-force", snapshot=snapshot.ident if snapshot else "")

    def _refresh(self, refresh: Callable[[int], bool]) -> bool:
        """Look for something newer; whatever is wrong with it is an alarm, and what was in force stays."""
        try:
            return refresh(self.now_us())
        except Error as error:
            self.told.meter.alarm(error.ident)
        except Exception:  # noqa: BLE001  # calls go on with what is in force
            self.told.meter.alarm("refresh-failed")
        return False

    def _snapshot_age(self) -> float:
        created = _said(self.parts.keeper.current(), "created_us")
        return round((self.now_us() - created) / US, 1) if created >= 0 else -1.0

    def show(self) -> None:
        """Show in the metrics what is in force."""
        metrics, keeper = self.told.metrics, self.parts.keeper
        metrics.show(
            "snapshot_sequence", "Sequence of the snapshot in force", lambda: _said(keeper.current(), "sequence")
        )
        metrics.show("snapshot_age_seconds", "Age of the snapshot in force, -1 without one", self._snapshot_age)
        figures = getattr(self.parts.state, "figures", None)
        if figures is not None:
            metrics.show_figures("state", "What the state counts of itself", figures)


def told_by(settings: GateSettings, write: Callable[[str], object], now_us: Callable[[], int]) -> Told:
    """Return who is told: metrics and the log always, a collector where one is named."""
    metrics = Metrics()
    teller = Teller(write, lambda: _rfc3339(now_us()), settings.telemetry.log_level)
    endpoint = settings.telemetry.otlp_endpoint
    if endpoint is None:
        return Told(metrics, teller, Meters(metrics, teller))
    from stillwatch.gate.tracing import Tracer

    tracer = Tracer(endpoint, __version__, lambda: now_us() * 1000)
    return Told(metrics, teller, Meters(metrics, teller, tracer), tracer)


def put_together(settings: GateSettings, parts: Parts, told: Told, now_us: Callable[[], int]) -> Assembly:
    """Hang the doors that are on before a gate of these parts.

    Raises:  what reading the policy raises; a gate does not start without one.
    """
    policy = PolicyKeeper(parts.read_policy, parts.read_policy(now_us()))
    # Half of the deadline: the rest is for the work, and for the way back.
    wait_s = settings.limits.deadline_ms / 2000
    gate = Gate(
        parts.keeper.current, policy.current, parts.state, told.meter, parts.key_of_block, parts.capture, wait_s
    )
    parts.keeper.refresh(now_us())
    assembly = Assembly(settings, parts, gate, policy, told, tuple(_doors(settings, gate, parts, now_us)), now_us)
    assembly.show()
    return assembly


def assemble(settings: GateSettings, write: Callable[[str], object]) -> Assembly:
    """Open the real parts and put them together. Call it where an event loop runs.

    Raises:  Error, where a key, the policy or the state's address is bad.
    """
    told = told_by(settings, write, now_us)
    return put_together(settings, real_parts(settings, told.meter), told, now_us)


def sockets_of(settings: GateSettings) -> tuple[socket.socket, socket.socket]:
    """Return the two sockets to serve on. Raises Error `address-taken`."""
    public = listening(settings.listen.host, settings.listen.port)
    try:
        return public, listening(settings.admin.host, settings.admin.port)
    except Error:
        public.close()
        raise


def _doors(settings: GateSettings, gate: Gate, parts: Parts, now_us: Callable[[], int]) -> list[Door]:
    on = settings.doors
    headers = {column: names for column, names in settings.identity.items() if not isinstance(names, bool)}
    headers.pop("key", None)
    doors: list[Door] = []
    if on.guardrail:
        doors.append(Guardrail(gate, {"user_agent": ("user-agent",), **headers}, now_us))
    if on.decisions:
        doors.append(Decisions(gate, now_us, lambda: os.urandom(16).hex()))
    if on.forward_auth:
        doors.append(ForwardAuth(gate, parts.call_of, now_us))
    return doors


def _token(settings: GateSettings, file: str | None) -> bytes | None:
    return None if file is None else read_token(settings.path(file))


def _said(snapshot: Snapshot | None, name: str) -> int:
    """Return a number of a snapshot's head, -1 without one."""
    value = getattr(getattr(snapshot, "head", None), name, -1)
    return value if isinstance(value, int) else -1


def _rfc3339(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / US, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
