"""What the gate's proxy adds to a call: the same proxy with decisions on and off, in one run, in turns.

Client, upstream and both proxies are processes of their own on the same machine, so that they share its cores: the
figures hold for that. Calls begin at fixed times whatever became of earlier ones, and are timed from then, so that a
queue shows. The policy and the state here are the least that decides, unless a folder of `bench.gate_world` brings a
whole gate: a snapshot of full size, the policy `strict`, a state in memory and metrics.

    python -m bench.gate_proxy --rate 1000 --rounds 4
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROMPT_BYTES = 4096
SERVERS = ("direct", "off", "on")
"""The upstream itself, the proxy that forwards and decides nothing, the proxy that decides."""

CONNECTIONS_MAX = 512
"""Calls in flight; where they do not suffice the machine is too slow for the rate, and the figures say so."""

ROUND_SECONDS = 2.0
CALL_SECONDS_MAX = 10.0
"""A call that takes longer has failed."""

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "six " * 60}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
}


def measure(
    rate: int = 1000, rounds: int = 4, round_s: float = ROUND_SECONDS, folder: Path | None = None
) -> dict[str, Any]:
    """Ask each server in turns at one rate, and return latencies, what decisions add, and the CPU of a call.

    Units:  ms of latency; cpu_us are microseconds of one server's CPU for a call.
    """
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        processes, ports = {}, {}
        for name in SERVERS:
            started = stack.enter_context(served(name, ports.get("direct", 0), folder))
            processes[name], ports[name] = started
        taken: dict[str, list[float]] = {name: [] for name in SERVERS}
        failed = dict.fromkeys(SERVERS, 0)
        spent_s = dict.fromkeys(SERVERS, 0.0)
        for name in SERVERS:
            asyncio.run(_calls(ports[name], 200, 0.5))  # connections, caches
        for turn in range(rounds):
            for name in SERVERS if turn % 2 == 0 else SERVERS[::-1]:
                begun_s = cpu_s(processes[name].pid)
                latencies, lost = asyncio.run(_calls(ports[name], rate, round_s))
                taken[name] += latencies
                failed[name] += lost
                spent_s[name] += cpu_s(processes[name].pid) - begun_s
    found = {
        name: {
            "calls": len(taken[name]),
            "failed": failed[name],
            "p50_ms": _quantile(taken[name], 0.5),
            "p99_ms": _quantile(taken[name], 0.99),
            "cpu_us": round(spent_s[name] / max(len(taken[name]), 1) * 1e6, 1),
        }
        for name in SERVERS
    }
    return {
        "rate": rate,
        "prompt_bytes": PROMPT_BYTES,
        **found,
        "added_p50_ms": round(found["on"]["p50_ms"] - found["off"]["p50_ms"], 3),
        "added_p99_ms": round(found["on"]["p99_ms"] - found["off"]["p99_ms"], 3),
        "cores": os.cpu_count(),
        "load_before": round(load_before, 2),
    }


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values) or [float("nan")]
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3, 3)


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(
    name: str, upstream_port: int = 0, folder: Path | None = None, core: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a server, kept to one core where one is named; yield its process and its port."""
    command = [sys.executable, "-m", "bench.gate_proxy", "--serve", name, "--upstream-port", str(upstream_port)]
    command += [] if folder is None else ["--folder", str(folder)]
    command += [] if core is None else ["--core", str(core)]
    # The very sources that this process imports.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


async def _calls(port: int, rate: int, seconds: float) -> tuple[list[float], int]:
    """Begin calls at a steady rate; return the seconds that each took from its due time, and how many failed."""
    request = request_to(port)
    loop = asyncio.get_running_loop()
    client = _Client(port, request)
    count = int(rate * seconds)
    begun = loop.time() + 0.05
    running: set[asyncio.Task[float | None]] = set()
    results: list[asyncio.Task[float | None]] = []
    for at in range(count):
        due = begun + at / rate
        # Timers of the loop are a millisecond coarse: calls that are due together begin together.
        if (early := due - loop.time()) > 0.0005:
            await asyncio.wait({loop.create_future()}, timeout=early)
        task = loop.create_task(client.call(due))
        results.append(task)
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.wait(results, timeout=CALL_SECONDS_MAX)
    client.close()
    taken = [task.result() if task.done() else None for task in results]
    return [each for each in taken if each is not None], sum(each is None for each in taken)


def request_to(port: int) -> bytes:
    words = ("tide harbour moon pilot buoy channel depth chart " * 100)[:PROMPT_BYTES]
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": words}], "max_tokens": 100, "temperature": 0.5}
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer sk-1\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class _Client:
    """The least of an HTTP client, so that it takes little of the cores that it shares."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._places = asyncio.Semaphore(CONNECTIONS_MAX)

    async def call(self, due: float) -> float | None:
        async with self._places:
            try:
                reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(port=self._port)
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                await reader.readexactly(length)
            except (OSError, ValueError, asyncio.IncompleteReadError):
                return None
            taken = asyncio.get_running_loop().time() - due
            self._idle.append((reader, writer))
            return taken if head.startswith(b"HTTP/1.1 200") else None

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


def _serve(name: str, upstream_port: int, folder: Path | None) -> None:
    import uvicorn

    from stillwatch.gate.forwarding import UpstreamSettings
    from stillwatch.gate.proxy import Proxy
    from stillwatch.gate.server import run as run_server
    from stillwatch.gate.upstream import Upstream

    settings = UpstreamSettings(f"http://127.0.0.1:{upstream_port or 9}")
    app: Any = {
        "direct": lambda: _answering(json.dumps(REPLY).encode()),
        "off": lambda: Upstream(settings),
        "on": lambda: Proxy(_gate() if folder is None else _whole_gate(folder), Upstream(settings)),
    }[name]()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off", proxy_headers=False
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.wait({serving}, timeout=0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await serving

    run_server(run())


def _whole_gate(folder: Path) -> Any:
    from bench.gate_world import Place

    return Place(folder).gate()


def _gate() -> Any:
    from stillwatch.gate.contract import Decision, Observed
    from stillwatch.gate.service import Gate

    class Allowing:
        ident = "allowing"

        def decide(self, call: Any, recognition: Any, observed: Any) -> Decision:
            return Decision()

        def without_answer(self, ident: str) -> Decision:
            return Decision(error=ident)

    class Forgetting:
        async def observe(self, call: Any, recognition: Any) -> Observed:
            return Observed()

        async def record(self, outcome: Any) -> None:
            return None

        async def close(self) -> None:
            return None

    class Silent:
        def decided(self, door: str, decision: Any, seconds: float) -> None:
            return None

        def alarm(self, ident: str) -> None:
            return None

    policy = Allowing()
    return Gate(lambda: None, lambda: policy, Forgetting(), Silent(), hash)


def _answering(body: bytes) -> Any:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            continue
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="of bench.gate_world")
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--upstream-port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        if options.core is not None:
            os.sched_setaffinity(0, {options.core})
        _serve(options.serve, options.upstream_port, options.folder)
    else:
        begun = time.perf_counter()
        found = measure(options.rate, options.rounds, folder=options.folder)
        print(json.dumps({**found, "seconds": round(time.perf_counter() - begun, 1)}))


if __name__ == "__main__":
    main()
