"""Record what the real LiteLLM proxy and the real OpenTelemetry instrumentations write.

Run by hand, never by a test: `python tools/record_fixtures.py` (needs `uv` and a package index; about
1 GB of throw-away environments in a temporary folder). It starts a fake model provider on loopback,
drives it with the official `openai` and `anthropic` clients through

- `opentelemetry-instrumentation-genai-openai` and `-genai-anthropic` (today's GenAI names),
- `opentelemetry-instrumentation-openai-v2` (the older names, one log event per message),
- `openinference-instrumentation-openai` (OpenInference names),
- the LiteLLM proxy with its `generic_api` callback in all three layouts, and its spend-log rows,

and writes `tests/adapters/fixtures/{otel,litellm}/`. Every prompt, key and name is invented; paths of
this machine are replaced and the recording is refused if one remains. To stay small, LiteLLM's price
table of each model loses its empty entries, tracebacks are emptied, and only some of its records are
kept in each layout; nothing else is touched.

LiteLLM stays pinned: releases 1.82.7 and 1.82.8 were malicious (OSV MAL-2026-2144), and nothing of it
is ever imported by Stillwatch.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "recording"
FIXTURES = HERE.parent / "tests" / "adapters" / "fixtures"
sys.path.insert(0, str(PROGRAMS))

from upstream import Collected, Upstream, collector, serve  # noqa: E402

LITELLM = ("litellm[proxy]==1.109.1", "openai==3.54.0", "anthropic==2.12.0")
LITELLM_OVERRIDES = ("certifi>=2026.7", "litellm-proxy-extras>=0.4.110")
"""1.109.1 asks for a certificate bundle and a set of database migrations newer than the index had when
this was recorded; neither is used here (loopback without TLS, no database)."""

FILE_EXPORT = (
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-exporter-otlp-json-file==0.66b1",
    "opentelemetry-processor-baggage==0.66b1",
    "anthropic==2.12.0",
)
INSTRUMENTATIONS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "genai": (
        (
            "opentelemetry-instrumentation-genai-openai==1.3b0",
            "opentelemetry-instrumentation-genai-anthropic==1.3b0",
            "openai==3.54.0",
        ),
        {
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT",
            "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true",
        },
    ),
    "openai-v2": (
        # The last release of the older package works with the older helper package and client only.
        (
            "opentelemetry-instrumentation-openai-v2==2.4b0",
            "opentelemetry-util-genai==0.4b0",
            "openai==2.54.0",
            "httpx",
        ),
        {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"},
    ),
    "openinference": (("openinference-instrumentation-openai==0.1.66", "openai==3.54.0"), {}),
}
"""By name: what to install, and how content capture is switched on."""

CONFIG = """
model_list:
  - model_name: harbor-large
    litellm_params: {{model: openai/harbor-large, api_base: "{upstream}/v1", api_key: sk-upstream}}
  - model_name: harbor-busy
    litellm_params: {{model: openai/harbor-busy, api_base: "{upstream}/v1", api_key: sk-upstream}}
  - model_name: harbor-embed
    litellm_params: {{model: openai/harbor-embed, api_base: "{upstream}/v1", api_key: sk-upstream}}
  - model_name: quay-medium
    litellm_params: {{model: anthropic/quay-medium, api_base: "{upstream}", api_key: sk-upstream}}
  - model_name: quay-busy
    litellm_params: {{model: anthropic/quay-busy, api_base: "{upstream}", api_key: sk-upstream}}
litellm_settings:
  callbacks: ["array", "lines", "single", "litellm_hooks.rows"]
  num_retries: 0
  drop_params: true
callback_settings:
  array: {{callback_type: generic_api, endpoint: "{collector}/json_array", headers: {{x-kind: array}}}}
  lines:
    callback_type: generic_api
    endpoint: "{collector}/ndjson"
    log_format: ndjson
    headers: {{x-kind: lines}}
  single:
    callback_type: generic_api
    endpoint: "{collector}/single"
    log_format: single
    headers: {{x-kind: one}}
general_settings:
  custom_auth: litellm_hooks.custom_auth
  store_prompts_in_spend_logs: true
"""
STARTUP_S_MAX = 180
"""The proxy imports for half a minute on two busy cores; beyond three minutes it is not coming up."""

FLUSH_S = 12
"""The generic_api callback sends what it has every five seconds."""

MACHINE = re.compile(r"/(?:tmp|home|root|Users|work|opt|usr)/")


def main() -> None:
    """Record both families of fixtures."""
    upstream_server, upstream = serve(Upstream)
    with tempfile.TemporaryDirectory(prefix="stillwatch-record-") as folder:
        room = Path(folder)
        record_otel(room, upstream)
        record_litellm(room, upstream)
    upstream_server.shutdown()


def record_otel(room: Path, upstream: str) -> None:
    """Run the instrumented program under each instrumentation."""
    for name, (packages, switches) in INSTRUMENTATIONS.items():
        python = environment(room / name, (*packages, *FILE_EXPORT))
        traces, logs = room / f"{name}-traces.jsonl", room / f"{name}-logs.jsonl"
        arguments = [str(PROGRAMS / "otel_program.py"), name, upstream, str(traces), str(logs)]
        subprocess.run([str(python), *arguments], env=child_environment(room) | switches, check=True)
        for path in (traces, logs):
            if path.stat().st_size:
                keep(f"otel/{path.name}", path.read_text(), room, upstream)


def record_litellm(room: Path, upstream: str) -> None:
    """Run the proxy, its clients, and keep what its callbacks posted."""
    python = environment(room / "litellm", LITELLM, LITELLM_OVERRIDES)
    collected = Collected()
    collector_server, collect = serve(collector(collected))
    # LiteLLM looks for the modules it is told to load beside its configuration.
    config = room / "config.yaml"
    config.write_text(CONFIG.format(upstream=upstream, collector=collect))
    (room / "litellm_hooks.py").write_text((PROGRAMS / "litellm_hooks.py").read_text())
    port = free_port()
    proxy = f"http://127.0.0.1:{port}"
    command = [str(python.parent / "litellm"), "--config", str(config), "--port", str(port)]
    env = child_environment(room) | {
        "COLLECTOR": collect,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}",
        # Short, so that the recording holds what LiteLLM makes of a long prompt.
        "MAX_STRING_LENGTH_PROMPT_IN_DB": "40",
    }
    with (room / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--telemetry", "False"], env=env, stdout=log, stderr=log
        )
        try:
            await_proxy(proxy, process, room / "proxy.log")
            subprocess.run([str(python), str(PROGRAMS / "litellm_program.py"), proxy], env=env, check=True)
            time.sleep(FLUSH_S)
        finally:
            process.terminate()
            process.wait(timeout=60)
    collector_server.shutdown()
    posted = {path: [body.decode() for body in bodies] for path, bodies in collected.bodies.items()}
    everything = [record for body in posted["/json_array"] for record in json.loads(body)]
    by_anthropic = [record for record in json_lines(posted["/ndjson"]) if "anthropic" in record["call_type"]]
    rows = json_lines(posted["/spend"])
    unlike = [rows[0], *(row for row in rows if row["status"] == "failure")][:2] + rows[-3:-2]
    addresses = (upstream, proxy)
    keep("litellm/json_array.json", json.dumps([trimmed(one) for one in everything]), room, *addresses)
    keep("litellm/ndjson.jsonl", lines_of(by_anthropic), room, *addresses)
    first = trimmed(json.loads(posted["/single"][0]))
    keep("litellm/single.json", json.dumps(first, indent=2) + "\n", room, *addresses)
    keep("litellm/spend_logs.jsonl", lines_of(unlike), room, *addresses)


def json_lines(bodies: list[str]) -> list[dict[str, Any]]:
    """Return the records of bodies that hold one JSON value a line."""
    return [json.loads(line) for body in bodies for line in body.splitlines() if line]


def lines_of(records: list[dict[str, Any]]) -> str:
    """Return the records one a line."""
    return "".join(json.dumps(trimmed(record)) + "\n" for record in records)


def trimmed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the empty entries of its price table and without tracebacks."""
    kept = dict(record)
    if isinstance(record.get("metadata"), str):
        kept["metadata"] = json.dumps(trimmed(json.loads(record["metadata"])))
    table = (record.get("model_map_information") or {}).get("model_map_value")
    if table:
        table = {key: value for key, value in table.items() if value is not None}
        kept["model_map_information"] = record["model_map_information"] | {"model_map_value": table}
    if (record.get("error_information") or {}).get("traceback"):
        kept["error_information"] = record["error_information"] | {"traceback": ""}
    return kept


def environment(folder: Path, packages: tuple[str, ...], overrides: tuple[str, ...] = ()) -> Path:
    """Make a virtual environment with the packages and return its Python."""
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    command = ["uv", "pip", "install", "--quiet", "--python", str(python), "--prerelease", "allow"]
    if overrides:
        file = folder / "overrides.txt"
        file.write_text("\n".join(overrides) + "\n")
        command = [*command[:-2], "--override", str(file)]
    subprocess.run([*command, *packages], check=True)
    return python


def child_environment(room: Path) -> dict[str, str]:
    """Return an environment without anything of this machine but the search path."""
    return {"PATH": os.environ["PATH"], "HOME": str(room), "PYTHONPATH": str(room)}


def await_proxy(proxy: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the proxy answers, or raise with the end of its log."""
    until = time.monotonic() + STARTUP_S_MAX
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{proxy}/health/liveliness", timeout=2):
                return
        except OSError:
            time.sleep(1)
    raise SystemExit(f"the proxy did not come up:\n{log.read_text()[-3000:]}")


def keep(name: str, text: str, room: Path, *addresses: str) -> None:
    """Write one fixture without paths, ports or the name of this machine."""
    # A traceback names files of the environment and of the interpreter that made it.
    text = re.sub(r"/[\w./+-]*/site-packages/", "site-packages/", text)
    text = re.sub(r"/[\w./+-]*/lib/python3\.\d+/", "python/", text)
    text = text.replace(str(room), "ROOM")
    for number, address in enumerate(addresses):
        port = address.rsplit(":", 1)[1]
        text = re.sub(rf"\b{port}\b", str(8080 + number), text)
    found = MACHINE.search(text)
    if found or socket.gethostname() in text:
        place = found.start() if found else text.index(socket.gethostname())
        raise SystemExit(f"{name} names this machine: {text[max(place - 80, 0) : place + 80]!r}")
    target = FIXTURES / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    sys.stdout.write(f"{name}: {len(text)} characters\n")


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
