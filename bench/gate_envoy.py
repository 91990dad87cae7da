"""The Envoy door beside the least of a gRPC server: what one check takes from end to end, alone and eight at once.

Both servers have one core and the same options; the client, which is also gRPC's asyncio, has the other.
"""

from __future__ import annotations

import asyncio
import json
import time
from itertools import cycle
from typing import Any

import grpc
import numpy as np
from envoy.service.auth.v3 import external_auth_pb2 as auth
from envoy.service.auth.v3 import external_auth_pb2_grpc as auth_grpc

from bench import gate_world
from bench.gate_serve import Served, cores, on_core, serving
from bench.gate_world import Place
from bench.measuring import Found, say

AT_ONCE = (1, 8)
ACCOUNTS = 500
WARM = 0.1
"""Of the checks of a round."""


def checks() -> list[Any]:
    """Return checks with their body, as Envoy sends them."""
    texts, found = gate_world.prompts(ACCOUNTS), []
    for at, name in enumerate(gate_world.strangers(ACCOUNTS)):
        asked = auth.CheckRequest()
        http = asked.attributes.request.http
        http.method, http.path = "POST", "/v1/chat/completions"
        headers = {"x-user-id": name, "content-type": "application/json", "user-agent": "client/1.2"}
        for key, value in headers.items():
            http.headers[key] = value
        body = {"model": "model-a", "messages": [{"role": "user", "content": texts[at]}], "max_tokens": 100}
        http.raw_body = json.dumps(body).encode()
        asked.attributes.source.address.socket_address.address = f"198.51.100.{at % 250}"
        found.append(asked)
    return found


def measured(place: Place, rounds: int, count: int) -> Found:
    """Return the figures of each round, and of each number of checks at once."""
    core, other = cores()
    asked, found = checks(), []
    with (
        serving("envoy", place.folder, core) as door,
        serving("envoy-bare", place.folder, core) as bare,
        on_core(other),
    ):
        servers = {"door": door, "bare": bare}
        for number in range(rounds):
            one: Found = {}
            for at_once in AT_ONCE:
                order = list(servers) if number % 2 == 0 else list(servers)[::-1]
                one[f"at_once_{at_once}"] = {
                    name: asyncio.run(timed(servers[name], asked, count, at_once)) for name in order
                }
            pair = one["at_once_1"]
            say(f"ext_authz: p50 {pair['door']['p50_us']:.0f} µs, bare {pair['bare']['p50_us']:.0f} µs")
            found.append(one)
    return {"checks": count, "prompt_bytes": gate_world.PROMPT_BYTES, "rounds": found}


async def timed(server: Served, asked: list[Any], count: int, at_once: int) -> Found:
    turns, waits, wrong = cycle(asked), list[float](), 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = auth_grpc.AuthorizationStub(channel)

        async def one_after_another(checks_count: int) -> None:
            nonlocal wrong
            for _ in range(checks_count):
                begun = time.perf_counter()
                answer = await stub.Check(next(turns))
                waits.append(time.perf_counter() - begun)
                wrong += answer.status.code != 0

        async def all_of(total: int) -> None:
            await asyncio.gather(*(one_after_another(max(total // at_once, 1)) for _ in range(at_once)))

        await all_of(int(count * WARM))
        waits.clear()
        before, begun = server.cpu_s(), time.perf_counter()
        await all_of(count)
        seconds, spent = time.perf_counter() - begun, server.cpu_s() - before
    p50, p99 = np.quantile(waits, (0.5, 0.99)) * 1e6
    return {
        "checks": len(waits), "not_ok": wrong, "p50_us": float(p50), "p99_us": float(p99),
        "per_second": len(waits) / seconds, "cpu_us": spent / len(waits) * 1e6,
    }  # fmt: skip
