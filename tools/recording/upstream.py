"""A fake model provider and a log collector on loopback: what the real programs talk to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "The tide turns about every six hours."
SIGNATURE = "aW52ZW50ZWQtc2lnbmF0dXJlLW9mLWEtcmVhc29uaW5nLWJsb2Nr"
SEALED = "aW52ZW50ZWQtZW5jcnlwdGVkLXJlYXNvbmluZw=="
CREATED_S = 1_790_000_000
USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 9,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


@dataclass
class Collected:
    """Bodies that were posted to the collector, by path."""

    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def serve(handler: type[BaseHTTPRequestHandler]) -> tuple[ThreadingHTTPServer, str]:
    """Start a server on a free loopback port and return it with its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def collector(collected: Collected) -> type[BaseHTTPRequestHandler]:
    """Return a handler that keeps every posted body and answers 200."""

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with collected.lock:
                collected.bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    return Collector


class Upstream(BaseHTTPRequestHandler):
    """Answer the OpenAI and Anthropic calls of `calls.py`, streamed or not, with invented content."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "busy" in body["model"]:
            error = {"message": "the harbour is full", "type": "rate_limit_error", "code": "rate_limit"}
            self._json({"type": "error", "error": error}, 429)
        elif self.path.endswith("/chat/completions"):
            self._stream(chat_chunks(body)) if body.get("stream") else self._json(chat(body))
        elif self.path.endswith("/responses"):
            self._json(responses(body))
        elif self.path.endswith("/embeddings"):
            self._json(embeddings(body))
        elif self.path.endswith("/messages"):
            self._stream(message_events(body)) if body.get("stream") else self._json(message(body))
        else:
            self._json({"error": {"message": "no such path"}}, 404)

    def log_message(self, *_args: object) -> None:
        pass

    def _json(self, value: object, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _stream(self, events: list[dict[str, Any]]) -> None:
        lines = []
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            lines.append(f"{name}data: {json.dumps(event)}\n\n")
        if "type" not in events[0]:
            lines.append("data: [DONE]\n\n")
        self._send("".join(lines).encode(), "text/event-stream", 200)

    def _send(self, data: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def chat(body: dict[str, Any]) -> dict[str, Any]:
    """Answer an OpenAI chat completion; a request with tools gets a tool call."""
    reply: dict[str, Any] = {"role": "assistant", "content": ANSWER, "refusal": None}
    reason = "stop"
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        call = {"name": "tide_table", "arguments": '{"port": "Grimsey"}'}
        reply = {"role": "assistant", "content": None, "refusal": None}
        reply["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        reason = "tool_calls"
    choices = [
        {"index": index, "message": reply, "finish_reason": reason, "logprobs": None}
        for index in range(body.get("n") or 1)
    ]
    return {
        "id": f"chatcmpl-{len(json.dumps(body)):05d}",
        "object": "chat.completion",
        "created": CREATED_S,
        "model": f"{body['model']}-2026-09-01",
        "choices": choices,
        "usage": USAGE,
    }


def chat_chunks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer a streamed chat completion."""
    base = {"id": f"chatcmpl-{len(json.dumps(body)):05d}", "object": "chat.completion.chunk"}
    base |= {"created": CREATED_S, "model": f"{body['model']}-2026-09-01"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"{word} "} for word in ANSWER.split()]
    chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append(base | {"choices": [], "usage": USAGE})
    return chunks


def responses(body: dict[str, Any]) -> dict[str, Any]:
    """Answer an OpenAI Responses call with sealed reasoning."""
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SEALED}
    reply = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    return {
        "id": f"resp_{len(json.dumps(body)):05d}",
        "object": "response",
        "created_at": CREATED_S,
        "status": "completed",
        "model": f"{body['model']}-2026-09-01",
        "output": [reasoning, reply],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 18,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 12,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 30,
        },
    }


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Answer an embedding call."""
    vector = {"object": "embedding", "index": 0, "embedding": [0.125, -0.25]}
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": [vector], "model": body["model"], "usage": usage}


def message(body: dict[str, Any]) -> dict[str, Any]:
    """Answer an Anthropic message with a signed thinking block."""
    thinking = {"type": "thinking", "thinking": "Two high waters a day.", "signature": SIGNATURE}
    return {
        "id": f"msg_{len(json.dumps(body)):05d}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [thinking, {"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 17, "output_tokens": 14, "cache_read_input_tokens": 3},
    }


def message_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer a streamed Anthropic message."""
    start = message(body) | {"content": [], "stop_reason": None}
    text = {"type": "text", "text": ""}
    delta = {"type": "text_delta", "text": ANSWER}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 14}},
        {"type": "message_stop"},
    ]
