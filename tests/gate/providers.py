"""A tiny provider that speaks both APIs, as raw ASGI: it answers what a test asks for by the name of the model."""

from __future__ import annotations

import json

REASONING = "First I count the moons."
LOGPROBS = {"content": [{"token": "high", "logprob": -0.1, "bytes": None, "top_logprobs": []}], "refusal": None}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": '{"day":"Friday"}'}}


class Provider:
    """Keeps what it was asked, and which calls were given up by who asked."""

    def __init__(self):
        self.requests = []
        self.given_up = []
        self.echo_headers = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.given_up.append("upload")
                return
            body, more = body + message["body"], message.get("more_body", False)
        self.requests.append({**scope, "body": body})
        end = scope["path"].rsplit("/v1", 1)[-1]
        answers = {
            "/chat/completions": chat,
            "/responses": responses,
            "/embeddings": embeddings,
            "/messages": anthropic,
        }
        if scope["method"] != "POST" or end not in answers:
            await reply(send, body, scope["headers"] and [(b"x-echo", b"yes"), *self.echo_headers])
            return
        asked = json.loads(body)
        await self.answer(asked, answers[end](asked), receive, send)

    async def answer(self, asked, answered, receive, send):
        model = asked["model"]
        if model == "error":
            shape = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down", "code": "rate"}}
            await reply(send, json.dumps(shape).encode(), [(b"retry-after", b"3")], status=429)
        elif model == "hang":
            while (await receive())["type"] != "http.disconnect":
                continue
            self.given_up.append(model)
        elif asked.get("stream"):
            await self.stream(model, answered, receive, send)
        elif model == "cut":
            await start(send, b"application/json", [(b"content-length", b"5000")])
            await send({"type": "http.response.body", "body": b'{"model":', "more_body": True})
        elif model == "not-json":
            await reply(send, b"<html>", [(b"content-type", b"application/json")])
        elif model == "gzip":
            await reply(send, b"\x1f\x8b", [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")])
        else:
            await reply(send, json.dumps(answered).encode(), [(b"content-type", b"application/json")])

    async def stream(self, model, events, receive, send):
        await start(send, b"text/event-stream; charset=utf-8")
        for at, event in enumerate(events):
            named = f"event: {event['type']}\n" if "type" in event else ""
            data = f"{named}data: {json.dumps(event)}\n\n".encode()
            await send({"type": "http.response.body", "body": data, "more_body": True})
            if at == 1 and model == "cut":
                return
            if at == 1 and model == "endless":
                while (await receive())["type"] != "http.disconnect":
                    continue
                self.given_up.append(model)
                return
        done = b"data: [DONE]\n\n" if "type" not in events[0] else b""
        await send({"type": "http.response.body", "body": done, "more_body": False})


async def start(send, kind, headers=(), status=200):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *headers]})


async def reply(send, body, headers=(), status=200):
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    if not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json" if status != 200 else b"application/octet-stream"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def chat(asked):
    head = {"id": "chatcmpl-1", "created": 1, "model": asked["model"]}
    logprobs = LOGPROBS if asked.get("logprobs") or asked["model"] == "generous" else None
    message = {"role": "assistant", "content": "High water at six.", "refusal": None, "reasoning_content": REASONING}
    ends = "stop"
    if asked.get("tools"):
        message, ends = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}, "tool_calls"
    count = 2 if asked["model"] == "generous" else asked.get("n") or 1
    if not asked.get("stream"):
        choices = [
            {"index": at, "message": message, "logprobs": logprobs, "finish_reason": ends} for at in range(count)
        ]
        return {**head, "object": "chat.completion", "choices": choices, "usage": USAGE}

    def chunk(delta, index=0, reason=None, **rest):
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return {**head, "object": "chat.completion.chunk", "choices": [choice], "usage": None, **rest}

    events = [chunk({"role": "assistant", "content": ""}), chunk({"reasoning_content": REASONING})]
    for at in range(count):
        events += [chunk({"content": word}, at) for word in ("High ", "water ", "at ", "six.")]
    if asked.get("tools"):
        events.append(chunk({"tool_calls": [{"index": 0, **TOOL_CALL}]}))
    events.append(chunk({}, reason=ends))
    if (asked.get("stream_options") or {}).get("include_usage"):
        events.append({**chunk({}), "choices": [], "usage": USAGE})
    return events


def responses(asked):
    thought = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": REASONING}],
        "encrypted_content": "sealed-1",
    }
    part = {"type": "output_text", "text": "High water at six.", "annotations": [], "logprobs": LOGPROBS["content"]}
    said = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 18,
    }
    whole = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": asked["model"], "status": "completed",
        "output": [thought, said], "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1,
    }  # fmt: skip
    if not asked.get("stream"):
        return whole
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    of_thought = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    of_text = {"item_id": "msg_1", "output_index": 1, "content_index": 0, "logprobs": LOGPROBS["content"]}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**thought, "summary": []}},
        {"type": "response.reasoning_summary_text.delta", **of_thought, "delta": REASONING},
        {"type": "response.reasoning_summary_text.done", **of_thought, "text": REASONING},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.added", "output_index": 1, "item": {**said, "content": []}},
        {"type": "response.content_part.added", **of_text, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **of_text, "delta": "High water at six."},
        {"type": "response.output_text.done", **of_text, "text": "High water at six."},
        {"type": "response.content_part.done", **of_text, "part": part},
        {"type": "response.output_item.done", "output_index": 1, "item": said},
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": at} for at, event in enumerate(events)]


def embeddings(asked):
    return {
        "object": "list",
        "model": asked["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }


def anthropic(asked):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "stop_sequence": None}
    usage = {"input_tokens": 11, "output_tokens": 7, "cache_read_input_tokens": 3}
    thought = {"type": "thinking", "thinking": REASONING, "signature": "sealed-2"}
    said, ends = {"type": "text", "text": "High water at six."}, "end_turn"
    if asked.get("tools"):
        said, ends = {"type": "tool_use", "id": "tu_1", "name": "tide", "input": {"day": "Friday"}}, "tool_use"
    if not asked.get("stream"):
        return {**head, "content": [thought, said], "stop_reason": ends, "usage": usage}
    events = [
        {
            "type": "message_start",
            "message": {**head, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {**thought, "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": REASONING}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sealed-2"}},
        {"type": "content_block_stop", "index": 0},
    ]
    if asked.get("tools"):
        piece = {"type": "input_json_delta", "partial_json": json.dumps(said["input"])}
        events.append({"type": "content_block_start", "index": 1, "content_block": {**said, "input": {}}})
        events.append({"type": "content_block_delta", "index": 1, "delta": piece})
    else:
        events.append({"type": "content_block_start", "index": 1, "content_block": {**said, "text": ""}})
        for word in ("High ", "water ", "at ", "six."):
            delta = {"type": "text_delta", "text": word}
            events.append({"type": "content_block_delta", "index": 1, "delta": delta})
    events += [
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": ends, "stop_sequence": None}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    return events
