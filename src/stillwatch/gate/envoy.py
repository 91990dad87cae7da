"""The Envoy door: `envoy.service.auth.v3.Authorization`, with headers only or with the body.

Every check is answered, within its deadline and with status OK or a denial: Envoy does not open on a failed gRPC call
with status 14 (envoyproxy/envoy#34705), so that an error of ours is an answer with a header that says so. What this
door cannot do to a body (cap, strip) it tells in headers and dynamic metadata, for who stands behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import msgspec
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2 as auth
from envoy.service.auth.v3 import external_auth_pb2_grpc as auth_grpc
from envoy.type.v3 import http_status_pb2
from google.protobuf import struct_pb2
from google.rpc import status_pb2

from stillwatch.errors import Error
from stillwatch.gate.answers import PREFIX, left_to_others, worded
from stillwatch.gate.contract import Call, Decision, Reply
from stillwatch.gate.forwarding import RESERVED_PREFIX, spelt_alike
from stillwatch.gate.requests import Identity, call_of, is_model_path, one_caller, parsed, plain_path
from stillwatch.gate.service import Gate

DOOR = "envoy"

OK, PERMISSION_DENIED = 0, 7

MESSAGE_BYTES_MAX = 8 << 20
"""A check with its body: more than Envoy's own `max_request_bytes` is worth holding for a decision."""

PARTIAL_BODY = "x-envoy-auth-partial-body"
"""Set by Envoy where it cut the body: half a text is no text that could be recognised."""

TOLD = ("max-tokens", "max-choices", "strip", "route", "error")
"""What is told in headers `x-stillwatch-…`; those that are not set are taken out, since a caller can write them too."""

ANSWER_SHARE = 0.8
"""Of the deadline: what is left is for the way back."""


class EnvoyDoor(auth_grpc.AuthorizationServicer):  # type: ignore[misc]  # its package ships no types
    """Answers checks. `now_us` tells the time in microseconds since the epoch."""

    def __init__(self, gate: Gate, identity: Identity, deadline_s: float, now_us: Callable[[], int]) -> None:
        self._gate, self._identity, self._now_us = gate, identity, now_us
        self._deadline_s = deadline_s

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802  # the name of the published service
        """Answer one check."""
        left = context.time_remaining()
        deadline_s = self._deadline_s if left is None else min(self._deadline_s, left)
        try:
            async with asyncio.timeout(ANSWER_SHARE * deadline_s):
                return await self._answer(request)
        except TimeoutError:
            return self._without_answer("deadline", request)
        except Error as error:
            return _refused(400, {"code": error.ident, "message": error.message})
        except Exception:  # noqa: BLE001  # whatever it is, the check has an answer
            return self._without_answer("internal-error", request)

    async def _answer(self, request: Any) -> Any:
        call = self._call(request)
        if call is None:
            return _allowed(Decision(), request)
        ticket = await self._gate.decide(call, DOOR)
        decision = ticket.decision
        if decision.delay_ms:
            await asyncio.sleep(decision.delay_ms / 1000)
        answer = _denied(decision) if decision.is_refusal else _allowed(decision, request)
        await self._gate.replied(ticket, Reply(status=answer.denied_response.status.code or None))
        return answer

    def _call(self, request: Any) -> Call | None:
        http, lines = request.attributes.request.http, _lines(request)
        path = plain_path(http.path)
        headers = one_caller(lines, http.path, self._identity) if is_model_path(path) else {}
        raw = http.raw_body or http.body.encode()
        body = None
        if raw and is_model_path(path):
            if headers.get(PARTIAL_BODY) == "true":
                self._gate.meter.alarm("body-cut")
            else:
                body = parsed(raw, path)
        peer = request.attributes.source.address.socket_address.address or None
        return call_of(path, headers, body, self._identity, self._now_us(), peer)

    def _without_answer(self, ident: str, request: Any) -> Any:
        self._gate.meter.alarm(ident)
        decision = self._gate.policy().without_answer(ident)
        return _denied(decision) if decision.is_refusal else _allowed(decision, request)


async def serve(door: EnvoyDoor, address: str) -> tuple[Any, int]:
    """Listen for checks; return the server, which is already started, and its port.

    Raises:  Error `address-taken`.
    """
    options = (
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        # Two processes must not share a port without knowing of it.
        ("grpc.so_reuseport", 0),
    )
    server = grpc.aio.server(options=options)
    auth_grpc.add_AuthorizationServicer_to_server(door, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise Error("address-taken", "nothing can listen for Envoy's checks there", where=address) from error
    await server.start()
    return server, port


def _lines(request: Any) -> list[tuple[str, str]]:
    """Return the headers of the request that is asked about, whichever way Envoy told them."""
    http = request.attributes.request.http
    return [(name.lower(), value) for name, value in http.headers.items()] or [
        (each.key.lower(), each.value or each.raw_value.decode("utf-8", "replace")) for each in http.header_map.headers
    ]


def _allowed(decision: Decision, request: Any) -> Any:
    """Let a call pass. Headers under the gate's own prefix that its caller wrote end here."""
    told = _told(decision)
    written = [name for name, _ in _lines(request) if spelt_alike(name.encode()).startswith(RESERVED_PREFIX)]
    headers = [_header(name, value) for name, value in (*decision.tag, *told.items())]
    ours = {each.header.key.lower() for each in headers}
    forged = [name for name in dict.fromkeys([*(PREFIX + name for name in TOLD), *written]) if name not in ours]
    answer = auth.CheckResponse(
        status=status_pb2.Status(code=OK),
        ok_response=auth.OkHttpResponse(headers=headers, headers_to_remove=forged),
    )
    metadata = _metadata(decision)
    if metadata:
        answer.dynamic_metadata.CopyFrom(metadata)
    return answer


def _told(decision: Decision) -> dict[str, str]:
    """Return the headers for whoever carries out behind Envoy what a check cannot."""
    told = left_to_others(decision)
    if decision.error:
        told[PREFIX + "error"] = decision.error
    return told


def _metadata(decision: Decision) -> Any:
    said = struct_pb2.Struct()
    if decision.rung != "allow" or decision.error:
        said.update({"rung": decision.rung, "rule": decision.rule, "policy": decision.policy, **_told(decision)})
    return said if said.fields else None


def _denied(decision: Decision) -> Any:
    notice = decision.notice
    said = {"code": "unavailable", "message": "the call could not be decided"}
    if notice is not None:
        said = worded(notice)
    headers = _told(decision)
    if decision.retry_after_s:
        headers["retry-after"] = str(decision.retry_after_s)
    return _refused(503 if decision.error else 429 if decision.retry_after_s else 403, said, headers)


def _refused(status: int, said: dict[str, str], headers: dict[str, str] | None = None) -> Any:
    denied = auth.DeniedHttpResponse(
        status=http_status_pb2.HttpStatus(code=status),
        headers=[_header(*each) for each in {"content-type": "application/json", **(headers or {})}.items()],
        body=msgspec.json.encode({"error": said}).decode(),
    )
    return auth.CheckResponse(status=status_pb2.Status(code=PERMISSION_DENIED), denied_response=denied)


def _header(name: str, value: str) -> Any:
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
