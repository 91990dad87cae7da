"""The guardrail door under the gate's own server on one core, beside a bare look-up; a snapshot swapped under calls.

Both servers get the same bytes from the same client, which has the other core, in turns. The look-up reads them and
looks at nothing: half of it is what the door is asked to reach, with a decision made. Beside prompts of 4 KB there are
short ones, since a trial of the look-up was made with such.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np

from bench import gate_world
from bench.gate_client import ask, request
from bench.gate_serve import Served, cores, on_core, serving
from bench.gate_world import NEXT_COPIES, Place
from bench.measuring import Found, say
from stillwatch.gate.guardrail import PATH

CONNECTIONS = 32
ACCOUNTS = 2_000
TEXTS = 256
PROMPT_SIZES = (200, gate_world.PROMPT_BYTES)
WARM_S = 0.5

SWAP_RATE = 1_000.0
"""Calls a second while snapshots are swapped: far from all that a core takes, so that a wait is the swap's."""

SWAP_S = 1.0
"""Between two swaps, and before the first."""

IN_FORCE_S_MAX = 60.0


def requests(size_bytes: int) -> list[bytes]:
    texts = gate_world.prompts(TEXTS, size_bytes)
    bodies = gate_world.guardrail_bodies(gate_world.strangers(ACCOUNTS), texts)
    return [request(PATH, body) for body in bodies]


def measured(place: Place, rounds: int, seconds: float) -> Found:
    """Return the figures of each round: calls a second and CPU of a call, of the door and of the look-up."""
    core, other = cores()
    asked = {size: requests(size) for size in PROMPT_SIZES}
    found: list[Found] = []
    with (
        serving("guardrail", place.folder, core) as door,
        serving("look-up", place.folder, core) as bare,
        on_core(other),
    ):
        servers = {"door": door, "bare": bare}
        for server in servers.values():
            loaded(server, asked[PROMPT_SIZES[0]], WARM_S)
        for number in range(rounds):
            order = list(servers) if number % 2 == 0 else list(servers)[::-1]
            found.append({f"prompt_{size}": pair(servers, order, asked[size], seconds) for size in PROMPT_SIZES})
    return {"connections": CONNECTIONS, "seconds": seconds, "cores": [core, other], "rounds": found}


def pair(servers: dict[str, Served], order: list[str], asked: list[bytes], seconds: float) -> Found:
    """Measure both servers in turn; the shares say how much of the look-up the door reaches."""
    found = {name: loaded(servers[name], asked, seconds) for name in order}
    door, bare = found["door"], found["bare"]
    say(f"door: {door['per_second']:,.0f} a second, look-up {bare['per_second']:,.0f}")
    return {
        **found, "share_of_bare": door["per_second"] / bare["per_second"],
        "share_of_bare_by_cpu": bare["cpu_us"] / max(door["cpu_us"], 1e-9),
    }  # fmt: skip


def loaded(server: Served, asked: list[bytes], seconds: float) -> Found:
    """Keep a server busy for some seconds."""
    before = server.cpu_s()
    taken = ask(server.port, asked, CONNECTIONS, seconds)
    spent = server.cpu_s() - before
    return {
        **taken.told(), "cpu_us": spent / max(len(taken.waits_s), 1) * 1e6, "server_cpu_share": spent / taken.wall_s
    }  # fmt: skip


def swapped(place: Place, rounds: int, swaps: int = NEXT_COPIES, rate: float = SWAP_RATE) -> Found:
    """Replace the snapshot by renaming another over it while calls come at a steady rate, and count what fails."""
    core, other = cores()
    asked = requests(gate_world.PROMPT_BYTES)
    kept = place.folder / "first.snapshot"
    shutil.copyfile(place.snapshot, kept)
    found = []
    try:
        for number in range(rounds):
            with serving("guardrail", place.folder, core) as server, on_core(other):
                ask(server.port, asked, CONNECTIONS, WARM_S)
                found.append(one_round(server, place, asked, (swaps, rate)))
                say(f"swap, round {number + 1}: {found[-1]['failed']} calls failed of {found[-1]['calls']:,}")
            replace(kept, place)
    finally:
        replace(kept, place)
        kept.unlink()
    return {"rate": rate, "swaps": swaps, "rounds": found}


def one_round(server: Served, place: Place, asked: list[bytes], how: tuple[int, float]) -> Found:
    swaps, rate = how
    quiet = ask(server.port, asked, CONNECTIONS, swaps * SWAP_S, rate)
    done: list[tuple[float, float]] = []

    def swap() -> None:
        for number in range(1, swaps + 1):
            threading.Event().wait(SWAP_S)
            before, begun = in_force(server), time.perf_counter()
            replace(place.later(number), place)
            until_in_force(server, before)
            done.append((begun, time.perf_counter()))

    swapper = threading.Thread(target=swap, daemon=True)
    swapper.start()
    during = ask(server.port, asked, CONNECTIONS, SWAP_S, rate, swapper.is_alive)
    assert len(done) == swaps, "not every snapshot came into force"
    begun = np.array(during.begun_s)
    near = np.any([(begun >= first - 0.01) & (begun <= last) for first, last in done], axis=0)
    waits = np.array(during.waits_s)[near] * 1e6
    return {
        "quiet": quiet.told(), "during": during.told(), "calls": len(during.waits_s),
        "failed": during.failed + quiet.failed, "swaps_in_force": len(done), "calls_while_swapping": len(waits),
        "p99_while_swapping_us": float(np.quantile(waits, 0.99)) if len(waits) else None,
        "in_force_seconds": float(np.median([last - first for first, last in done])),
    }  # fmt: skip


def replace(source: Path, place: Place) -> None:
    """Rename a copy of a snapshot over the one that is in force."""
    partial = place.snapshot.with_suffix(".partial")
    shutil.copyfile(source, partial)
    os.replace(partial, place.snapshot)


def in_force(server: Served) -> str:
    """Return the name of the snapshot that a server decides from."""
    connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=IN_FORCE_S_MAX)
    connection.request("GET", "/snapshot")
    told = json.loads(connection.getresponse().read())
    connection.close()
    return str(told["snapshot"])


def until_in_force(server: Served, before: str) -> None:
    """Wait until a server decides from another snapshot."""
    end = time.perf_counter() + IN_FORCE_S_MAX
    while in_force(server) == before:
        if time.perf_counter() > end:
            raise SystemExit("the snapshot did not come into force")
        threading.Event().wait(0.02)
