"""A decision carried out on a request: tags, caps, strips and routes. What nothing bounds is not touched.

Only what the API documents is changed, in the member where the API reads it. A value that no reader could take for a
number is replaced by the bound: it may not pass because it is strange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

from stillwatch.adapters.bodies import OUTPUT_CAPS
from stillwatch.adapters.model_calls import MODEL_IN_PATH
from stillwatch.gate.contract import Decision
from stillwatch.gate.forwarding import spelt_alike
from stillwatch.gate.requests import PATHS_MAX, plain_path

Api = Literal["chat", "completions", "responses", "anthropic", "embeddings", "gemini"]
Body = dict[str, Any]

ENDS: tuple[tuple[str, Api], ...] = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/messages", "anthropic"),
    ("/embeddings", "embeddings"),
)

OUTPUT_FIELDS: dict[Api, tuple[str, ...]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "anthropic": ("max_tokens",),
}
"""Where each API reads the bound of its output; the first is written where a request has none."""

OTHER_CAPS = ("n_predict", "max_new_tokens", "max_tokens_to_sample")
"""Names that servers of open models also take for the bound of the output: lowered where a request has them."""

GEMINI_CONFIGS = ("generationConfig", "generation_config")

THINKING_TOKENS_MIN = 1024
"""Anthropic's smallest budget for thinking; it must stay below max_tokens, or the call is refused upstream."""

UNFELT = frozenset({"allow", "tag", "shadow"})

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


@lru_cache(PATHS_MAX)
def api_of(path: str) -> Api | None:
    """Return the API that a plain path speaks, or None where it is no model call's."""
    low = path.lower()
    known = next((api for end, api in ENDS if low.endswith(end)), None)
    return known or ("gemini" if MODEL_IN_PATH.search(path) else None)


def applied(body: Body, api: Api, decision: Decision) -> Body | None:
    """Return the body as the decision leaves it, or None where it changes nothing."""
    if decision.rung in UNFELT:
        return None
    changed = dict(body)
    if decision.max_tokens_max is not None:
        _cap_tokens(changed, api, decision.max_tokens_max)
    if decision.choice_count_max is not None:
        _cap_choices(changed, api, decision.choice_count_max)
    if "n-best" in decision.strip:
        _cap_choices(changed, api, 1)
        _drop(changed, ("best_of", "use_beam_search"))
    if "logprobs" in decision.strip:
        _strip_logprobs(changed)
    if "reasoning" in decision.strip:
        _strip_reasoning(changed)
    if decision.route and "model" in changed:
        changed["model"] = decision.route
    return changed if changed != body else None


def routed(raw_path: bytes, decision: Decision) -> bytes:
    """Return the path with the decision's model in it, where the path names one (Azure, Gemini)."""
    if not decision.route or decision.rung in UNFELT:
        return raw_path
    text = raw_path.decode("utf-8", "replace")
    named = MODEL_IN_PATH.search(text)
    if named is None:
        # Written in a way that only a decoder sees through: what it sees is what is sent on.
        text = quote(plain_path(text), safe="/:")
        named = MODEL_IN_PATH.search(text)
    if named is None:
        return raw_path
    start, end = named.span(1 if named[1] else 2)
    return f"{text[:start]}{quote(decision.route, safe='')}{text[end:]}".encode()


def tagged(headers: Iterable[tuple[bytes, bytes]], tag: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers with the decision's tags; a caller's header of the same name goes, in either spelling."""
    tags = [(name.lower(), value) for name, value in tag if TOKEN.fullmatch(name) and VALUE.fullmatch(value)]
    names = {spelt_alike(name.encode()) for name, _ in tags}
    kept = [(name, value) for name, value in headers if spelt_alike(name) not in names]
    return kept + [(name.encode(), value.encode()) for name, value in tags]


def _cap_tokens(body: Body, api: Api, most: int) -> None:
    if api == "gemini":
        _in_gemini(body, {"maxOutputTokens": most, "max_output_tokens": most})
        return
    fields = OUTPUT_FIELDS.get(api)
    if fields is None:
        return
    for name in (*OUTPUT_CAPS, *OTHER_CAPS):
        if body.get(name) is not None:
            body[name] = _bounded(body[name], most)
    if all(body.get(name) is None for name in fields):
        body[fields[0]] = most
    if body.get("min_tokens"):
        body["min_tokens"] = _bounded(body["min_tokens"], most)
    thinking = body.get("thinking")
    if api == "anthropic" and isinstance(thinking, dict) and "budget_tokens" in thinking:
        budget = _bounded(thinking["budget_tokens"], most // 2)
        if budget == thinking["budget_tokens"]:
            return
        if budget >= THINKING_TOKENS_MIN:
            body["thinking"] = {**thinking, "budget_tokens": budget}
        else:
            del body["thinking"]


def _cap_choices(body: Body, api: Api, most: int) -> None:
    if api == "gemini":
        _in_gemini(body, {"candidateCount": most, "candidate_count": most}, absent_is_one=True)
        return
    for name in ("n", "best_of"):
        if body.get(name) is not None:
            body[name] = _bounded(body[name], most)


def _bounded(value: object, most: int) -> int | float:
    """Return a bound that a caller asked for, where it is one and not above `most`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    return most


def _in_gemini(body: Body, bounds: Mapping[str, int], absent_is_one: bool = False) -> None:
    """Bound members of Gemini's configuration in either spelling; the first is written where there is none."""
    holder = next((name for name in GEMINI_CONFIGS if isinstance(body.get(name), dict)), GEMINI_CONFIGS[0])
    config = dict(body.get(holder) or {})
    present = [name for name in bounds if config.get(name) is not None]
    for name in present:
        config[name] = _bounded(config[name], bounds[name])
    if not present and not absent_is_one:
        config[next(iter(bounds))] = next(iter(bounds.values()))
    if config != body.get(holder, {}):
        body[holder] = config


def _strip_logprobs(body: Body) -> None:
    _drop(body, ("logprobs", "top_logprobs", "prompt_logprobs", "n_probs"))
    include = body.get("include")
    if isinstance(include, list):
        kept = [each for each in include if not (isinstance(each, str) and each.endswith("logprobs"))]
        if len(kept) != len(include):
            body["include"] = kept
    _drop_in(body, GEMINI_CONFIGS, ("responseLogprobs", "response_logprobs", "logprobs"))


def _strip_reasoning(body: Body) -> None:
    _drop_in(body, ("reasoning",), ("summary", "generate_summary"))
    if body.get("include_reasoning") is not None:
        body["include_reasoning"] = False
    for holder in GEMINI_CONFIGS:
        config = body.get(holder)
        if isinstance(config, dict):
            inner = dict(config)
            _drop_in(inner, ("thinkingConfig", "thinking_config"), ("includeThoughts", "include_thoughts"))
            if inner != config:
                body[holder] = inner


def _drop(body: Body, names: Iterable[str]) -> None:
    for name in names:
        body.pop(name, None)


def _drop_in(body: Body, holders: Iterable[str], names: tuple[str, ...]) -> None:
    for holder in holders:
        inner = body.get(holder)
        if isinstance(inner, dict) and not inner.keys().isdisjoint(names):
            body[holder] = {name: value for name, value in inner.items() if name not in names}
