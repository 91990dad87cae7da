"""The gate's proxy beside LiteLLM's, before the same upstream: calls a second, and CPU of a call.

Each has one core to itself; the upstream, which answers at once with a fixed reply, and the client share the other. As
many calls are under way as there are connections, each followed by the next. LiteLLM has one worker, one model, no
database and no guardrail; the gate decides every call from a snapshot of full size.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.gate_client import ask
from bench.gate_proxy import PROMPT_BYTES, cpu_s, request_to, served
from bench.gate_serve import cores, on_core
from bench.gate_world import Place
from bench.measuring import Found, say

CONNECTIONS = 16
KEY = "sk-of-measurements"
START_SECONDS_MAX = 300
WARM_S = 3.0

CONFIG = """
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_key: none, api_base: "http://127.0.0.1:{port}/v1"}}
general_settings: {{master_key: {key}}}
"""


def measured(place: Place, program: Path, rounds: int, seconds: float) -> Found:
    """Return the figures of each round, the two in turns."""
    core, other = cores()
    found: list[Found] = []
    with (
        served("direct", core=other) as (_, upstream),
        served("on", upstream, place.folder, core) as (own, own_port),
        litellm(program, place.folder, upstream, core) as (theirs, their_port),
        on_core(other),
    ):
        # The same bytes for both: the key that LiteLLM asks for is one that the gate takes a digest of.
        asked = [request_to(own_port).replace(b"Bearer sk-1\r", f"Bearer {KEY}\r".encode())]
        servers = {"own": (own.pid, own_port), "litellm": (theirs.pid, their_port)}
        for pid, port in servers.values():
            loaded(pid, port, asked, WARM_S if seconds > WARM_S else seconds)
        for number in range(rounds):
            order = list(servers) if number % 2 == 0 else list(servers)[::-1]
            one: Found = {name: loaded(*servers[name], asked, seconds) for name in order}
            one["times_as_many"] = one["own"]["per_second"] / max(one["litellm"]["per_second"], 1e-9)
            one["times_the_cpu"] = one["litellm"]["cpu_ms"] / max(one["own"]["cpu_ms"], 1e-9)
            say(f"proxy: {one['own']['per_second']:,.0f} a second, LiteLLM {one['litellm']['per_second']:,.1f}")
            found.append(one)
    return {"connections": CONNECTIONS, "prompt_bytes": PROMPT_BYTES, "version": version(program), "rounds": found}


def loaded(pid: int, port: int, asked: list[bytes], seconds: float) -> Found:
    before = cpu_s(pid)
    taken = ask(port, asked, CONNECTIONS, seconds)
    return {**taken.told(), "cpu_ms": (cpu_s(pid) - before) / max(len(taken.waits_s), 1) * 1e3}


@contextlib.contextmanager
def litellm(program: Path, folder: Path, upstream: int, core: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start LiteLLM's proxy before an upstream, on one core."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config, log = folder / "litellm.yaml", folder / "litellm.log"
    config.write_text(CONFIG.format(port=upstream, key=KEY), encoding="utf-8")
    command = [program.absolute(), "--config", config.absolute(), "--host", "127.0.0.1", "--port", str(port)]
    # The price list of models comes with the package; nothing is fetched.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
    with log.open("w") as kept, on_core(core):
        # A process begins on the core of who starts it.
        process = subprocess.Popen(command, stdout=kept, stderr=kept, cwd=folder, env=environment)
    try:
        until_open(process, port, log)
        yield process, port
    finally:
        process.kill()
        process.wait()


def until_open(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS_MAX
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"LiteLLM did not start; see {log}")
        time.sleep(0.5)


def version(program: Path) -> str:
    command = [program.parent / "python", "-c", "from importlib.metadata import version; print(version('litellm'))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
