"""Servers under measurement, each a process of its own, kept to one core.

guardrail     the gate's own server, from the settings of a folder of `bench.gate_world`
look-up       the same server before the least of an application: a value from a dict, and an answer of the same size
envoy         the gate's Envoy door
envoy-bare    the same gRPC server before the least of an answer
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gate_proxy import cpu_s

NAMES = ("guardrail", "look-up", "envoy", "envoy-bare")

KNOWN = 100_000
"""Names in the table of the look-up."""

DEADLINE_S = 1.0
"""A late answer is to be measured here, and not to be given up."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    pid: int
    port: int
    admin_port: int

    def cpu_s(self) -> float:
        return cpu_s(self.pid)


def cores() -> tuple[int, int]:
    """Return the core of what is measured and the core of what asks it: the same one where there is no other."""
    held = sorted(os.sched_getaffinity(0))
    return held[0], held[-1]


@contextlib.contextmanager
def on_core(number: int) -> Iterator[None]:
    """Keep this thread to one core for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def serving(name: str, folder: Path, core: int) -> Iterator[Served]:
    """Start a server; it is killed at the end."""
    command = [sys.executable, "-m", "bench.gate_serve", name, "--folder", str(folder), "--core", str(core)]
    # The very sources that this process imports.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{name} did not start; see {folder / f'{name}.log'}")
        ports = json.loads(line)
        yield Served(process.pid, ports["port"], ports["admin_port"])
    finally:
        process.kill()
        process.wait()


def tell_ports(port: int, admin_port: int = 0) -> None:
    print(json.dumps({"port": port, "admin_port": admin_port}), flush=True)


async def tell_when_started(running: Any) -> None:
    await running.started.wait()
    tell_ports(running.public_port, running.admin_port)


async def guardrail(folder: Path) -> None:
    from bench.gate_world import Place
    from stillwatch.gate import assembly
    from stillwatch.gate.settings import load

    settings = load(Place(folder).settings)
    public, admin = assembly.sockets_of(settings)
    gate = assembly.assemble(settings, sys.stderr.write)
    await asyncio.gather(tell_when_started(gate.running), gate.run(public, admin))


async def look_up(folder: Path) -> None:
    from stillwatch.gate.guardrail import PASS
    from stillwatch.gate.server import Running, listening, serve
    from stillwatch.gate.settings import Limits

    body = PASS.body
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    known = {f"call-{at}".encode(): body for at in range(KNOWN)}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            continue
        answer = known.get(scope["query_string"], body)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    running = Running()
    places = listening("127.0.0.1", 0), listening("127.0.0.1", 0)
    limits = Limits(drain_seconds=1)
    await asyncio.gather(tell_when_started(running), serve((app, places[0]), (app, places[1]), running, limits))


async def envoy(folder: Path) -> None:
    from bench.gate_world import Place, now_us
    from stillwatch.gate.envoy import EnvoyDoor, serve
    from stillwatch.gate.requests import Identity

    server, port = await serve(EnvoyDoor(Place(folder).gate(), Identity(), DEADLINE_S, now_us), "127.0.0.1:0")
    tell_ports(port)
    await server.wait_for_termination()


async def envoy_bare(folder: Path) -> None:
    from envoy.service.auth.v3 import external_auth_pb2 as auth
    from envoy.service.auth.v3 import external_auth_pb2_grpc as auth_grpc
    from google.rpc import status_pb2

    from stillwatch.gate.envoy import serve

    class Bare(auth_grpc.AuthorizationServicer):  # type: ignore[misc]  # its package ships no types
        async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802  # the name of the published service
            return auth.CheckResponse(status=status_pb2.Status(code=0), ok_response=auth.OkHttpResponse())

    server, port = await serve(Bare(), "127.0.0.1:0")  # type: ignore[arg-type]  # it answers the same service
    tell_ports(port)
    await server.wait_for_termination()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--core", type=int, required=True)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {asked.core})
    act = {"guardrail": guardrail, "look-up": look_up, "envoy": envoy, "envoy-bare": envoy_bare}[asked.name]
    from stillwatch.gate import server

    # gRPC brings its own threads; its asyncio is the plain one, as where it stands alone.
    if asked.name.startswith("envoy"):
        asyncio.run(act(asked.folder))
    else:
        server.run(act(asked.folder))


if __name__ == "__main__":
    main()
