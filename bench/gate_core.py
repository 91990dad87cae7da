"""What one decision takes inside: `Gate.decide` on a prompt of 4 KB, beside the sketch of the same prompt alone.

Callers are of three kinds: nobody known, an account that a person confirmed, and a stranger whose prompt carries a
campaign's signature. The gate is the whole of it: a snapshot of full size, the policy `strict`, a state in memory and
the metrics that a server keeps. Each call is timed by itself, clock included; the processor's time is of all together.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import uvloop

from bench import gate_world
from bench.gate_world import SECRET, Place, Size
from bench.measuring import Found, say
from stillwatch.gate.contract import Call
from stillwatch.gate.service import Gate
from stillwatch.kernels.single import call_shingles
from stillwatch.pseudonym import Key

DOOR = "bench"
TEXTS = 256
ACCOUNTS = {"unknown": 20_000, "confirmed": 2_000, "recognised": 2_000}
"""Accounts of each kind; those that are acted on stay below what the policy allows for an hour."""

KINDS = tuple(ACCOUNTS)


def measured(place: Place, size: Size, rounds: int, count: int) -> Found:
    """Return the figures of each round."""
    asked = {kind: callers(kind, size, count) for kind in KINDS}
    gate = place.gate()
    for kind in KINDS:
        uvloop.run(decided(gate, asked[kind][: max(count // 5, 1)]))  # Tables grow, caches fill.
    found = []
    for number in range(rounds):
        one: Found = {"sketch": sketched(asked["unknown"])}
        for kind in KINDS:
            one[kind] = uvloop.run(decided(gate, asked[kind]))
            one[kind]["recognise"] = recognised(gate, asked[kind])
        one["over_sketch"] = one["unknown"]["p50_us"] / one["sketch"]["p50_us"]
        say(f"core, round {number + 1}: p50 {one['unknown']['p50_us']:.1f} µs, sketch {one['sketch']['p50_us']:.1f} µs")
        found.append(one)
    return {"prompt_bytes": gate_world.PROMPT_BYTES, "decisions": count, "rounds": found}


def callers(kind: str, size: Size, count: int) -> list[Call]:
    texts = gate_world.prompts(TEXTS, template=kind == "recognised")
    held = ACCOUNTS[kind]
    names = gate_world.confirmed_accounts(held, size) if kind == "confirmed" else gate_world.strangers(held, kind)
    return gate_world.calls(names, texts, count)


async def decided(gate: Gate, calls: list[Call]) -> Found:
    decide, clock = gate.decide, time.perf_counter_ns
    waits, rungs = np.empty(len(calls)), Counter[str]()
    cpu = time.process_time()
    for at, call in enumerate(calls):
        begun = clock()
        ticket = await decide(call, DOOR)
        waits[at] = clock() - begun
        rungs[ticket.decision.rung] += 1
    return {**told(waits, time.process_time() - cpu), "rungs": dict(rungs)}


def recognised(gate: Gate, calls: list[Call]) -> Found:
    snapshot = gate.snapshot()
    assert snapshot is not None
    return each_timed(snapshot.recognise, calls)


def sketched(calls: list[Call]) -> Found:
    """Time the kernel alone, from a text to its shingles."""
    seed = np.uint64(Key.derive(SECRET, "shingles").first)
    nothing = np.zeros(0, np.uint8)

    def sketch(text: bytes) -> object:
        return call_shingles(nothing, np.frombuffer(text, np.uint8), seed)

    return each_timed(sketch, [(call.input_text or "").encode() for call in calls])


def each_timed(act: Callable[[Any], object], items: list[Any]) -> Found:
    clock, waits = time.perf_counter_ns, np.empty(len(items))
    act(items[0])
    cpu = time.process_time()
    for at, item in enumerate(items):
        begun = clock()
        act(item)
        waits[at] = clock() - begun
    return told(waits, time.process_time() - cpu)


def told(waits_ns: np.ndarray, cpu_s: float) -> Found:
    p50, p99 = np.quantile(waits_ns, (0.5, 0.99)) / 1e3
    return {"p50_us": float(p50), "p99_us": float(p99), "cpu_us": cpu_s / len(waits_ns) * 1e6}
