"""Foreign HTTP requests → `Call`: which paths are model calls, what a body may be, and who asks.

What is read of a body is what `adapters.raw_pairs` reads of the same request in a log, so that the signatures which
detection learnt there are met here. A body that two readers could read in two ways is not read at all: it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeGuard
from urllib.parse import parse_qsl, unquote

from stillwatch.adapters.bodies import Columns, request_columns, typed
from stillwatch.adapters.messages import CONTENT_KEYS, REQUEST_KEYS, SYSTEM_KEYS
from stillwatch.adapters.model_calls import (
    ACCOUNT_HEADERS,
    ADDRESS_HEADERS,
    CREDENTIAL_HEADERS,
    KEY_HEADERS,
    MODEL_IN_PATH,
    NOT_CALLS,
    OPERATIONS,
    ORGANIZATION_HEADERS,
    SESSION_HEADERS,
    conversation,
    conversation_id,
    first_address,
    first_header,
    key_digest,
    model_of,
    operation_of,
)
from stillwatch.adapters.source import NotJsonError, decode_json
from stillwatch.errors import Error
from stillwatch.gate.contract import Call

BODY_DEPTH_MAX = 128
"""Levels of a body. Schemas of tools nest some ten deep; a hostile body nests until somebody's stack ends."""

BODY_VALUES_MAX = 1_000_000
"""Values of a body. The largest honest bodies are batches of token numbers to embed, some 300,000."""

READ_KEYS = frozenset(
    {"model", "stream", "n", "best_of", "temperature", "top_p", "logprobs", "top_logprobs", "max_tokens"}
    | {"max_completion_tokens", "max_output_tokens", "include", "reasoning", "reasoning_effort", "thinking", "tools"}
    | {"functions", "response_format", "text", "user", "safety_identifier", "metadata", "output_config"}
    | {"generationConfig", "generation_config", "conversation", *REQUEST_KEYS, *SYSTEM_KEYS}
)
"""Members of a body that say something to the gate. Some readers take `Messages` for `messages`."""

MESSAGE_KEYS = frozenset({"role", "type", "text", *CONTENT_KEYS})

PROMPT_KEYS = (
    ("/chat/completions", "messages"),
    ("/completions", "prompt"),
    ("/responses", "input"),
    ("/messages", "messages"),
    ("/embeddings", "input"),
)
"""The member in which each API reads what is asked."""

PATHS_MAX = 128
"""Paths whose reading is remembered: an API has some dozens; a hostile one is as long as a server takes, some 64 KB."""

QUERY_FIELDS_MAX = 100
"""Fields of a query that are looked through for a key: APIs take a handful."""

_ONE_KEY = re.compile(r"[^\s,]+(?:\s+[^\s,]+)?")
"""A key, or a scheme and a key."""

_SIGNED = re.compile(r"(?!(?:bearer|basic|token|key|api-?key)\b)\S+\s+\w+=", re.IGNORECASE)
"""What clouds send instead of a key (AWS4-HMAC-SHA256): a scheme, and parts with names."""

_JOINED = " \t,"

INT64 = 2**63

TEXTS = (
    "request_model", "operation", "system_prompt", "input_text", "response_format", "reasoning_level", "session_id",
    "end_user_id",
)  # fmt: skip
NUMBERS = ("temperature", "top_p")
INTEGERS = ("turn_index", "choice_count", "max_tokens")
FLAGS = ("logprobs", "stream")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which header carries which column of `Call`; names in lower case, the first that is there counts.

    Where no header names the account it is the digest of the key (`key`, unless `account_by_key` is off), else the
    request's own user. Without a header of `client_ip` the address is the connection's. A caller can write any header
    that the edge before the gate does not set: name those that it sets, and no others.
    """

    account_id: tuple[str, ...] = ACCOUNT_HEADERS
    organization_id: tuple[str, ...] = ORGANIZATION_HEADERS
    credential_id: tuple[str, ...] = CREDENTIAL_HEADERS
    end_user_id: tuple[str, ...] = ()
    session_id: tuple[str, ...] = SESSION_HEADERS
    access_path: tuple[str, ...] = ()
    client_ip: tuple[str, ...] = ADDRESS_HEADERS
    tls_fingerprint: tuple[str, ...] = ()
    user_agent: tuple[str, ...] = ("user-agent",)
    key: tuple[str, ...] = KEY_HEADERS
    account_by_key: bool = True
    naming: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = (*self.account_id, *self.organization_id, *self.credential_id, *self.key)
        object.__setattr__(self, "naming", frozenset(names))


@lru_cache(PATHS_MAX)
def plain_path(path: str) -> str:
    """Return a path as servers may come to see it: decoded once, without query, parameters, dots or double slashes."""
    decoded = unquote(path.partition("?")[0].partition("#")[0]).replace("\\", "/")
    segments: list[str] = []
    for segment in decoded.split("/"):
        name = segment.partition(";")[0]
        if name.strip() == "..":
            del segments[-1:]
        elif name.strip(" ."):
            segments.append(name)
    return "/" + "/".join(segments)


@lru_cache(PATHS_MAX)
def is_model_path(path: str) -> bool:
    """Tell whether a plain path is a model call's: of OpenAI's or Anthropic's APIs, of Azure's or Gemini's."""
    low = path.lower()
    if low.endswith(NOT_CALLS):
        return False
    return low.endswith(tuple(end for end, _ in OPERATIONS)) or MODEL_IN_PATH.search(path) is not None


def parsed(body: bytes, path: str) -> dict[str, Any]:
    """Decode the body of a model call, and refuse what two readers could read in two ways.

    `path` is plain. Refused are: what is no JSON object in UTF-8; a name that comes twice in one object, or in another
    case than the API's; two prompts where the API reads one; more depth or values than the bounds.

    Raises:  Error `request-body-unclear`.
    Cost:    one decoding, one pass over the bytes for colons outside strings, one over the values.
    """
    try:
        decoded = decode_json(body)
    except NotJsonError as error:
        raise _unclear(error.reason) from None
    if not isinstance(decoded, dict):
        raise _unclear("not-an-object")
    # Each member of each object has one colon; a decoder keeps one member of each name.
    if _members_count(decoded) != _colons_count(body):
        raise _unclear("duplicate-name")
    if _misspells(decoded, READ_KEYS) or _has_strange_message(decoded):
        raise _unclear("name-in-another-case")
    present = [key for key in REQUEST_KEYS if decoded.get(key)]
    read = next((key for end, key in PROMPT_KEYS if path.lower().endswith(end)), None)
    if read in present and present[0] != read:
        raise _unclear("two-prompts")
    return decoded


def one_caller(headers: Iterable[tuple[str, str]], path: str, identity: Identity) -> dict[str, str]:
    """Return headers by name, of several the first that says anything, where all of them name one caller.

    Names are in lower case, a pair for each line; `path` may have a query, in which Gemini takes keys. Refused is what
    a gate could read as one caller and an upstream as another: a header of the account, its organisation or its
    credential that says two things; where the account is the key's, two keys, or a key with more behind it.

    Raises:  Error `request-identity-unclear`.
    """
    found: dict[str, str] = {}
    keys: list[str] = []
    for name, value in headers:
        if name in identity.naming:
            if not value.strip(_JOINED):
                continue  # It says nothing; of several that say nothing a proxy makes a row of commas.
            if name in identity.key:
                keys.append(value.strip())
            if found.get(name, value) != value and (name not in identity.key or name in identity.account_id):
                raise _unnamed("repeated-header")
        if value:
            found.setdefault(name, value)
    in_query = _keys_in_query(path)
    keys += in_query
    if in_query and identity.key and not any(name in found for name in identity.key):
        found[identity.key[-1]] = in_query[0]
    if keys and identity.account_by_key and not first_header(found, identity.account_id):
        if not all(_ONE_KEY.fullmatch(key) or _SIGNED.match(key) for key in keys):
            raise _unnamed("more-than-a-key")
        if len(keys) > 1 and len({key_digest(key) for key in keys}) > 1:
            raise _unnamed("two-keys")
    return found


def call_of(
    path: str,
    headers: Mapping[str, str],
    body: Mapping[str, object] | None,
    identity: Identity,
    time_us: int,
    peer: str | None,
) -> Call | None:
    """Return the call that a request makes, or None where its path is no model call's.

    `headers` have lower-case names; `body` is None where a door does not see it; `peer` is the connection's other end.
    A member of a wrong type counts as absent.
    """
    path = plain_path(path)
    if not is_model_path(path):
        return None
    request = body if isinstance(body, dict) else {}
    said = conversation(request)
    row: Columns = {
        **request_columns(request),
        "system_prompt": said.system_prompt,
        "input_text": said.input_text,
        "turn_index": said.turn_index,
        "operation": operation_of(path.lower(), request),
        "request_model": model_of(request, path),
        "session_id": first_header(headers, identity.session_id) or conversation_id(request),
    }
    row["end_user_id"] = first_header(headers, identity.end_user_id) or row.get("end_user_id")
    columns = _checked(typed(row))
    key = first_header(headers, identity.key)
    digest = key_digest(key) if key else None
    account = first_header(headers, identity.account_id) or (digest if identity.account_by_key else None)
    account = account or str(columns["end_user_id"] or "")
    if columns["end_user_id"] == account:
        columns["end_user_id"] = None
    address = first_address(first_header(headers, identity.client_ip) or peer)
    tools = row.get("tool_names")
    return Call(
        time_us=time_us,
        account_id=account,
        organization_id=first_header(headers, identity.organization_id),
        credential_id=first_header(headers, identity.credential_id) or digest,
        access_path=first_header(headers, identity.access_path),
        client_ip=_text(address),
        tls_fingerprint=first_header(headers, identity.tls_fingerprint),
        user_agent=first_header(headers, identity.user_agent),
        tool_names=tuple(tools) if isinstance(tools, list) else (),
        presented_blocks=said.presented_blocks,
        **columns,
    )


def _keys_in_query(path: str) -> list[str]:
    query = path.partition("?")[2]
    if not query or MODEL_IN_PATH.search(plain_path(path)) is None:
        return []
    try:
        pairs = parse_qsl(query.partition("#")[0], max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        raise _unnamed("too-long-a-query") from None
    return [value for name, value in pairs if name == "key"]


def _checked(row: Columns) -> dict[str, Any]:
    """Return the columns that have the type which an event gives them; others are None."""
    columns: dict[str, Any] = {}
    for name in TEXTS:
        columns[name] = _text(row.get(name))
    columns["request_model"] = columns["request_model"] or ""
    for name in FLAGS:
        value = row.get(name)
        columns[name] = value if isinstance(value, bool) else None
    for name in NUMBERS:
        value = row.get(name)
        columns[name] = float(value) if _is_number(value) and abs(value) < INT64 else None
    for name in INTEGERS:
        value = row.get(name)
        columns[name] = int(value) if _is_number(value) and value == value // 1 and abs(value) < INT64 else None
    return columns


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _members_count(decoded: dict[str, Any]) -> int:
    """Count the members of all objects in a body, within the bounds."""
    members = values = depth = 0
    level: list[Any] = [decoded]
    while level:
        depth += 1
        below: list[Any] = []
        for holder in level:
            values += len(holder)
            if isinstance(holder, dict):
                members += len(holder)
            each = holder.values() if isinstance(holder, dict) else holder
            below += [value for value in each if value.__class__ in (dict, list)]
        if depth > BODY_DEPTH_MAX:
            raise _unclear("nested-too-deep")
        if values > BODY_VALUES_MAX:
            raise _unclear("too-many-values")
        level = below
    return members


def _colons_count(body: bytes) -> int:
    """Count the colons outside the strings of valid JSON."""
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    return sum(outside.count(b":") for outside in bare.split(b'"')[::2])


def _misspells(holder: Mapping[Any, object], names: frozenset[str]) -> bool:
    # casefold: a reader that ignores case also takes the long s for s, and the sign of Kelvin for k.
    return any(key not in names and key.casefold() in names for key in holder)


def _has_strange_message(body: dict[str, Any]) -> bool:
    for key in REQUEST_KEYS:
        messages = body.get(key)
        for message in messages if isinstance(messages, list) else ():
            if not isinstance(message, dict):
                continue
            parts = [part for inner in CONTENT_KEYS if isinstance(held := message.get(inner), list) for part in held]
            if any(isinstance(each, dict) and _misspells(each, MESSAGE_KEYS) for each in (message, *parts)):
                return True
    return False


def _unnamed(reason: str) -> Error:
    return Error(
        "request-identity-unclear",
        f"the headers of a model call name its caller in more than one way: {reason}",
        hint="send one key, once; where two are needed, the gate's settings can name the header that counts",
    )


def _unclear(reason: str) -> Error:
    return Error(
        "request-body-unclear",
        f"the body of a model call can be read in more than one way: {reason}",
        hint="send one JSON object in UTF-8, each name once and spelt as the API spells it",
    )
