"""What a caller sends is nowhere to be read: not in the log at its most talkative, not in metrics; no key in a file."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gate.applications import served
from tests.gate.gates import ask, until
from tests.gate.providers import Provider
from tests.gate.whole_gate import (
    ADMIN_TOKEN,
    CHAT,
    CONFIRMED,
    CONFIRMED_KEY,
    DECISIONS,
    GATEWAY_TOKEN,
    Running,
    Supplier,
    free_port,
    gate,
    shipped,
)

pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")
grpc = pytest.importorskip("grpc")

KEY, PROMPT, NAME = "sk-marker-d41d8cd98f", "the-marker-of-a-prompt", "acct-marker-e9800998"

TOKEN = {"x-stillwatch-token": GATEWAY_TOKEN}


def through_the_proxy(running: Running) -> None:
    chat = json.dumps({"model": "m", "messages": [{"role": "user", "content": PROMPT}], "user": NAME}).encode()
    for key in (KEY, CONFIRMED_KEY):
        ask(running.port, "POST", CHAT, chat, {"authorization": f"Bearer {key}"})
    both = {"authorization": f"Bearer {KEY}", "x-api-key": CONFIRMED_KEY, "x-user-id": ""}
    broken = [chat[:-1], chat.replace(b'"m"', b'"m","model":"n"'), b"\xff" + chat, chat.replace(b'"m"', b'"error"')]
    broken += [chat.replace(b'"m"', f'"{model}"'.encode()) for model in ("cut", "hang", "not-json")]
    for body in (chat, *broken):
        headers = both if body is chat else {"authorization": f"Bearer {KEY}", "x-user-id": NAME}
        with contextlib.suppress(http.client.IncompleteRead):
            ask(running.port, "POST", CHAT, body, headers)
    ask(running.port, "POST", f"/v1beta/models/gemini-x:generateContent?key={KEY}", {"contents": PROMPT})
    ask(running.port, "GET", f"/v1/files/{NAME}?key={KEY}", None, {"authorization": KEY})
    ask(running.port, "GET", f"/v1/files/..%2f{NAME}", None, {"authorization": KEY})


def through_the_gateways_doors(running: Running) -> None:
    for account in (NAME, CONFIRMED):
        running.decide(account, PROMPT, credential_id=KEY, end_user_id=NAME)
        principal = {"user_api_key_user_id": account, "user_api_key_hash": KEY, "user_api_key_end_user_id": NAME}
        asked = {"input_type": "request", "texts": [PROMPT], "model": "m", "request_data": principal}
        ask(running.port, "POST", "/beta/litellm_basic_guardrail_api", asked, TOKEN)
        headers = {**TOKEN, "x-original-uri": f"{CHAT}?key={KEY}", "x-user-id": account, "authorization": KEY}
        ask(running.port, "GET", "/forward-auth/nginx", None, headers)
    for body in (
        {"account_id": NAME, KEY: PROMPT},
        {"account_id": [NAME], "input_text": PROMPT},
        {KEY: {PROMPT: NAME}},
    ):
        ask(running.port, "POST", DECISIONS, body, TOKEN)
    ask(running.port, "POST", DECISIONS, {"account_id": NAME}, {"x-stillwatch-token": KEY})
    ask(running.admin_port, "GET", f"/{NAME}?key={KEY}", None, {"authorization": f"Bearer {KEY}"})


def through_envoy(port: int) -> None:
    from envoy.service.auth.v3 import external_auth_pb2 as auth
    from envoy.service.auth.v3 import external_auth_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for body in (json.dumps({"model": "m", "messages": PROMPT}), f'{{"{PROMPT}":'):
            request = auth.CheckRequest()
            about = request.attributes.request.http
            about.path, about.raw_body = f"{CHAT}?key={KEY}", body.encode()
            about.headers["authorization"] = f"Bearer {KEY}"
            external_auth_pb2_grpc.AuthorizationStub(channel).Check(request, timeout=30)


def test_no_key_no_prompt_and_no_name_comes_into_log_or_metrics_and_no_key_into_a_file(tmp_path: Path) -> None:
    envoy_port = free_port()
    capture = '[capture]\ndir = "events"\nspool = "spool"\nformat = "jsonl"\nrotate-seconds = 3600.0\n'
    with served(Provider()) as url:
        more = f'[upstream]\nurl = "{url}"\nread-seconds = 0.5\n[envoy]\nport = {envoy_port}\n{capture}'
        Supplier(tmp_path).prepare(shipped("cautious"), proxy="true", envoy="true", more=more)
        with gate(tmp_path) as running:
            through_the_proxy(running)
            through_the_gateways_doors(running)
            through_envoy(envoy_port)
            doors = ("proxy", "decisions", "guardrail", "forward-auth", "envoy")
            until(lambda: all(f'door="{door}"' in running.metrics() for door in doors))
            metrics = running.metrics()
            spool = next((tmp_path / "spool").rglob("*.open"))
            assert (spool.stat().st_mode & 0o777, spool.parent.stat().st_mode & 0o777) == (0o600, 0o700)
            assert running.end() == 0
            log = "".join(running.lines)
    assert '"level":"debug"' in log
    secrets = (KEY, CONFIRMED_KEY, GATEWAY_TOKEN, ADMIN_TOKEN)
    for said in (*secrets, PROMPT, NAME, CONFIRMED):
        assert said not in log, said
        assert said not in metrics, said
    # Events are canonical: texts and names are what they are for. A key that a caller sent is a digest there too; what
    # a gateway calls a credential is its own word.
    proxied = [event for event in events(tmp_path) if "credential_id" not in event or event["credential_id"] != KEY]
    assert proxied
    assert not [event for event in proxied if any(secret in json.dumps(event) for secret in secrets)]


def events(folder: Path) -> list[dict[str, Any]]:
    files = (folder / "events").rglob("*.jsonl.gz")
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
