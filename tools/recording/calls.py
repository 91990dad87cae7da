"""The calls that are recorded, made by the official clients; every prompt and name is invented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TOOL = {
    "type": "function",
    "function": {
        "name": "tide_table",
        "description": "High and low water of a port.",
        "parameters": {"type": "object", "properties": {"port": {"type": "string"}}},
    },
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "tide",
        "schema": {"type": "object", "properties": {"hours": {"type": "number"}}},
    },
}
SYSTEM = "You are a harbour master and answer in one sentence."


def openai_calls(client: Any) -> list[Callable[[], Any]]:
    """Return chat calls (system prompt, streamed, tools, many turns, error), a response, an embedding."""
    create = client.chat.completions.create

    def streamed() -> None:
        options = {"include_usage": True}
        for _ in create(model="harbor-large", messages=[user("Why do tides turn?")], stream=True,
                        stream_options=options, user="reader-7"):  # fmt: skip
            pass

    turns = [
        {"role": "system", "content": SYSTEM},
        user("When is high water in Grimsey?"),
        {"role": "assistant", "content": "At noon."},
        {"role": "user", "content": [{"type": "text", "text": "And the next one?"}]},
    ]
    return [
        lambda: create(
            model="harbor-large",
            messages=[{"role": "system", "content": SYSTEM}, user("How often does the tide turn?")],
            temperature=0.7,
            top_p=0.9,
            max_completion_tokens=256,
        ),
        streamed,
        lambda: create(model="harbor-large", messages=[user("Tide table for Grimsey")], tools=[TOOL]),
        lambda: create(model="harbor-large", messages=turns, n=2, seed=11, response_format=SCHEMA),
        lambda: create(model="harbor-busy", messages=[user("Is there a berth?")]),
        lambda: client.responses.create(
            model="harbor-large",
            instructions=SYSTEM,
            input="Name the force behind the tides.",
            reasoning={"effort": "low"},
            max_output_tokens=128,
        ),
        lambda: client.embeddings.create(model="harbor-embed", input="ebb and flood"),
    ]


def anthropic_calls(client: Any) -> list[Callable[[], Any]]:
    """Return messages: a system prompt, a later turn that presents a signed block, a stream, an error."""
    from upstream import SIGNATURE

    create = client.messages.create
    thinking = {"type": "thinking", "thinking": "Two high waters a day.", "signature": SIGNATURE}
    turns = [
        user("How many high waters are there in a day?"),
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "Two."}]},
        {"role": "user", "content": [{"type": "text", "text": "Why two?"}]},
    ]

    def streamed() -> None:
        with client.messages.stream(
            model="quay-medium", max_tokens=64, messages=[user("What is slack water?")]
        ) as stream:
            stream.until_done()

    return [
        lambda: create(model="quay-medium", max_tokens=64, system=SYSTEM, messages=[user("How often does it turn?")]),
        lambda: create(
            model="quay-medium",
            max_tokens=2048,
            messages=turns,
            thinking={"type": "enabled", "budget_tokens": 1024},
            metadata={"user_id": "reader-8"},
        ),
        streamed,
        lambda: create(model="quay-busy", max_tokens=64, messages=[user("Is there a berth?")]),
    ]


def user(text: str) -> dict[str, str]:
    """Return a user message."""
    return {"role": "user", "content": text}


def run(calls: list[Callable[[], Any]], expected: type[Exception]) -> None:
    """Make the calls; one that the provider refuses is part of the recording."""
    for call in calls:
        try:
            call()
        except expected:
            continue
