"""What remembering costs a gate: the state in memory, and the shared one beside a bare PING of the same server.

    .venv/bin/python -m bench.gate_state                              five rounds
    .venv/bin/python -m bench.gate_state --rounds 1 --calls 20000     a glance
    .venv/bin/python -m bench.gate_state --out build/bench/gate_state/result.json

In memory a call is `observe` and the `record` after its decision, timed on the processor's clock, so that a busy
machine says much the same as a quiet one. An ordinary call is one of nobody known. A campaign's call carries a
signature, two reasoning blocks and a grant, and its reply, with tokens and a new block, is recorded as well.

The shared state is asked over the loopback, one call after another and many at once. Each round times bare PINGs and
`observe` in turn; the ratio is of one such pair. A PING has a connection of its own, as the client's pool gives it,
while questions that come together share a round trip, so that the ratio can be above one. The server is started here
and keeps nothing on disk. There is one event loop, and the server has the other core, if it is free.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis.asyncio
import uvloop

from bench.measuring import Found, machine, median, say, write_result
from stillwatch.gate.contract import Call, Decision, Outcome, Recognition, State
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.shared_state import SharedState

BEGIN_US = 1_790_000_000_000_000
ACCOUNTS = 20_000
MANY = 32
"""Calls at once from one process: as many as a gate of some thousand calls a second has under way."""

TIMEOUT_S = 5.0
"""A late answer is to be counted here, and not to be given up."""

TARGET_MEMORY_US = 5.0

Ask = Callable[[], Awaitable[Any]]


def known(at: int, ordinary: bool) -> Recognition:
    key = at % ACCOUNTS * 0x9E3779B97F4A7C15 % 2**64 + 1
    if ordinary:
        return Recognition(account_key=key, organization_key=key // 2 + 1, model_key=5)
    return Recognition(
        account_key=key, model_key=5, tier="recognised", cluster=1, campaign_id=f"c-{at % 50:016x}",
        signature=f"f-{at % 500:016x}", signature_hits=9, block_keys=(at * 2 + 1, at * 2 - 1), grant_id=f"g-{at % 9}",
        grant_calls_max=10**9, grant_output_tokens_max=10**12,
    )  # fmt: skip


def work(calls: int, ordinary: bool) -> list[tuple[Call, Recognition, list[Outcome]]]:
    found = []
    for at in range(calls):
        time_us = BEGIN_US + at * 1_000
        who = known(at, ordinary)
        outcomes = [Outcome(time_us, who, Decision())]
        if not ordinary:
            outcomes.append(Outcome(time_us, who, Decision(), output_tokens=400, issued_block_keys=(at * 2 + 1,)))
        found.append((Call(time_us, "account", "model"), who, outcomes))
    return found


async def play(state: State, calls: list[tuple[Call, Recognition, list[Outcome]]]) -> float:
    observe, record = state.observe, state.record
    begun = time.process_time()
    for call, who, outcomes in calls:
        await observe(call, who)
        for outcome in outcomes:
            await record(outcome)
    return (time.process_time() - begun) / len(calls) * 1e6


def in_memory(calls: int, rounds: int) -> Found:
    found: Found = {}
    for name, ordinary in (("ordinary", True), ("campaign", False)):
        asked = work(calls, ordinary)
        state = MemoryState()
        uvloop.run(play(state, asked))  # Tables grow once.
        took = [uvloop.run(play(state, asked)) for _ in range(rounds)]
        found[name] = {"us": median(took), "us_all": [round(us, 2) for us in took]}
        say(f"memory, {name}: {median(took):.2f} µs a call")
    return found


async def timed(ask: Ask, asks: int, at_once: int) -> Found:
    waits: list[float] = []

    async def one_after_another() -> None:
        for _ in range(asks // at_once):
            begun = time.perf_counter()
            await ask()
            waits.append(time.perf_counter() - begun)

    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    cut = statistics.quantiles(waits, n=100)
    return {
        "per_second": len(waits) / seconds, "p50_us": cut[49] * 1e6, "p99_us": cut[98] * 1e6,
        "cpu_us": cpu / len(waits) * 1e6,
    }  # fmt: skip


async def shared(url: str, asks: int, rounds: int) -> Found:
    state = SharedState.open(url, timeout_s=TIMEOUT_S)
    client = redis.asyncio.Redis.from_url(url, protocol=2)
    calls = work(asks, ordinary=True)
    turn = 0

    async def observe() -> None:
        nonlocal turn
        turn = (turn + 1) % len(calls)
        call, who, _ = calls[turn]
        seen = await state.observe(call, who)
        assert seen.available

    found: Found = {}
    for at_once in (1, MANY):
        for ask in (client.ping, observe):
            await timed(ask, max(at_once * 4, asks // 10), at_once)  # Connections are made once.
        pairs = []
        for _ in range(rounds):
            ping = await timed(client.ping, asks, at_once)
            own = await timed(observe, asks, at_once)
            pairs.append({"ping": ping, "observe": own, "ratio": own["per_second"] / ping["per_second"]})
        middle = sorted(pairs, key=lambda pair: pair["ratio"])[len(pairs) // 2]
        found[f"at_once_{at_once}"] = {"middle": middle, "rounds": pairs}
        for name in ("ping", "observe"):
            one = middle[name]
            say(
                f"redis, {at_once} at once, {name}: {one['per_second']:,.0f} a second, "
                f"p50 {one['p50_us']:.0f} µs, p99 {one['p99_us']:.0f} µs, {one['cpu_us']:.0f} µs of CPU here"
            )
        say(f"redis, {at_once} at once: {middle['ratio']:.2f} of bare PINGs")
    await state.close()
    await client.aclose()
    return found


@contextmanager
def server() -> Iterator[str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise SystemExit("install redis: apt-get install -y redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            uvloop.run(_answers(f"redis://127.0.0.1:{port}/0"))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            started.kill()
            started.wait()


async def _answers(url: str) -> None:
    for _ in range(500):
        try:
            async with redis.asyncio.Redis.from_url(url) as client:
                await client.ping()
            return
        except redis.exceptions.ConnectionError:
            await asyncio.sleep(0.02)
    raise SystemExit("redis does not answer")


def run(main: Coroutine[Any, Any, Found]) -> Found:
    found: Found = uvloop.run(main)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--asks", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    memory = in_memory(asked.calls, asked.rounds)
    with server() as url:
        over_redis = run(shared(url, asked.asks, asked.rounds))
    result = {
        "machine": machine(Path.cwd()),
        "memory": memory,
        "memory_target_us": TARGET_MEMORY_US,
        "memory_holds": memory["ordinary"]["us"] <= TARGET_MEMORY_US,
        "redis": over_redis,
    }
    if asked.out:
        write_result(asked.out, result)


if __name__ == "__main__":
    main()
