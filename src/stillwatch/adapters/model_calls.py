"""Requests of model APIs, by path, headers and body: which are calls, of which model, and who is behind them.

What reads a log of such requests and what stands in their way must mean the same by each of these.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from stillwatch.adapters.bodies import first
from stillwatch.adapters.messages import Flattened, flatten
from stillwatch.adapters.paths import value_at
from stillwatch.adapters.rendered_prompts import messages_of

OPERATIONS = (
    ("/chat/completions", "chat"),
    ("/completions", "completion"),
    ("/responses", "chat"),
    ("/messages", "chat"),
    ("/embeddings", "embeddings"),
)
"""Ends of paths that are model calls."""

NOT_CALLS = ("/batches", "/cancel", "/count_tokens", "/files", "/health", "/input_items", "/jobs", "/models")
"""Ends of paths that reach no model, although some of their bodies name one."""

MODEL_IN_PATH = re.compile(r"/deployments/([^/]+)/|/models/([^/:]+):", re.IGNORECASE)
"""Azure and Gemini name the model in the path alone."""

KEY_CHARS_MAX = 4096
"""What is looked at for a mask; signed tokens of identity providers stay below it."""

KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
MASKED = re.compile(r"\*\*|redact|mask|filtered|[<>\[\]]|x{6}", re.IGNORECASE)
"""What loggers write over a key. Taken for a key it would make one account of all callers."""

ACCOUNT_HEADERS = ("x-user-id", "x-consumer-id", "x-account-id")
ORGANIZATION_HEADERS = ("x-organization-id", "openai-organization", "anthropic-organization-id")
CREDENTIAL_HEADERS = ("x-credential-id", "x-api-key-id")
SESSION_HEADERS = ("x-session-id", "x-conversation-id")
ADDRESS_HEADERS = ("x-forwarded-for", "x-real-ip")


def conversation(request: object) -> Flattened:
    """Return the texts of a request; a prompt that a chat template rendered is taken apart again."""
    if not isinstance(request, dict):
        return Flattened()
    prompt = request.get("prompt")
    if isinstance(prompt, str) and (messages := messages_of(prompt)):
        return flatten(messages)
    return flatten(request)


def model_of(request: object, path: str) -> object:
    """Return the model that a body asks for, else the one in the path."""
    asked = first(request, ("model",)) if isinstance(request, dict) else None
    named = MODEL_IN_PATH.search(path)
    return asked or (named and (named[1] or named[2]))


def operation_of(path: str, request: object) -> str | None:
    """Return what a path asks for, or what a body looks like where the path does not tell."""
    told = next((operation for end, operation in OPERATIONS if path.endswith(end)), None)
    if told or not isinstance(request, dict):
        return told
    if "messages" in request or "contents" in request:
        return "chat"
    return "completion" if "prompt" in request else None


def key_digest(key: str) -> str | None:
    """Return the digest by which a key stands for its owner, or None for one that was masked."""
    if MASKED.search(key[:KEY_CHARS_MAX]):
        return None
    # Whatever white space stands between a scheme and its key, and behind it, servers do not mind it.
    secret = (key.split() or [key])[-1]
    return f"key:{hashlib.blake2b(secret.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def conversation_id(request: object) -> object:
    """Return the conversation that a Responses request belongs to."""
    held = value_at(request, "conversation")
    return value_at(held, "id") if isinstance(held, dict) else held


def first_address(value: object) -> object:
    """Return the first of a list of addresses, without a port."""
    if not isinstance(value, str):
        return value
    hop = value.split(",")[0].strip()
    if bracketed := re.match(r"\[([^\]]+)\]", hop):
        return bracketed[1]
    address = hop.split(":")[0] if hop.count(":") == 1 else hop
    return None if address in ("", "-", "unknown") else address


def first_header(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first header under `names` that says anything."""
    return next((value for name in names if (value := headers.get(name))), None)
