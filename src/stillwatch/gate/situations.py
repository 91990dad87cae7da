"""Facts as a person writes them → a call, what is recognised of it, what is remembered: what a policy is asked.

It is `decision.facts_of` backwards: what cannot be, such as a failover of an account that is a month old, is told.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType

from stillwatch.errors import Error
from stillwatch.gate.contract import HOUR_US, Call, Decision, Facts, Observed, Recognition
from stillwatch.gate.decision import facts_of
from stillwatch.gate.yaml_text import parse
from stillwatch.grant import micros

_HINTS = get_type_hints(Facts)

GivenFacts = msgspec.defstruct(
    "GivenFacts",
    [(each.name, _HINTS[each.name] | UnsetType, UNSET) for each in fields(Facts)],
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
)
"""Some facts; the others are those of a caller of whom nothing is known."""


class Given(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A situation: facts, or parts of the contract's words by name, which go before."""

    facts: GivenFacts = GivenFacts()  # type: ignore[valid-type]  # a struct that is made of the contract's own fields
    call: dict[str, Any] = {}
    recognition: dict[str, Any] = {}
    observed: dict[str, Any] = {}
    time: str = ""


def situation(given: Given, now_us: int) -> tuple[Call, Recognition, Observed]:
    """Return the call that has these facts, at its own time or now.

    Raises:  bad-situation where a part has a wrong name or type, or where no call has these facts.
    """
    wanted = {name: value for name, value in msgspec.structs.asdict(given.facts).items() if value is not UNSET}
    time_us = _time(given.time, now_us)
    call = _whole(Call, {**_call(wanted), "time_us": time_us}, given.call, "call")
    recognition = _whole(Recognition, _recognition(wanted, given.recognition), given.recognition, "recognition")
    observed = _whole(Observed, _observed(wanted, call.time_us), given.observed, "observed")
    found = asdict(facts_of(call, recognition, observed))
    for name, value in wanted.items():
        if found[name] != value:
            raise _bad(f"no such call: {name} is {found[name]!r} by what else is given, and not {value!r}")
    return call, recognition, observed


def read_situation(text: str, where: str, now_us: int) -> tuple[Call, Recognition, Observed]:
    """Read a situation from JSON or YAML.

    Raises:  bad-yaml, bad-situation, missing-extra.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        value = parse(text, where).value
    try:
        given = msgspec.convert(value, Given)
    except msgspec.ValidationError as error:
        said = str(error)
        raise _bad(f"{said[:1].lower()}{said[1:]}") from error
    return situation(given, now_us)


def told(decision: Decision) -> dict[str, Any]:
    """Return a decision as plain values, as cases expect them and `policy explain` prints them."""
    return {
        "rung": decision.rung,
        "rule": decision.rule,
        "refused": decision.is_refusal,
        "tag": dict(decision.tag),
        "max_tokens_max": decision.max_tokens_max,
        "choice_count_max": decision.choice_count_max,
        "strip": sorted(decision.strip),
        "route": decision.route,
        "delayed": decision.delay_ms > 0,
        "delay_ms": decision.delay_ms,
        "retry_after_s": decision.retry_after_s,
        "notice": decision.notice.code if decision.notice else "",
        "grant_id": decision.grant_id,
        "shadowed": list(decision.shadowed),
        "reasons": [reason.code for reason in decision.reasons],
        "error": decision.error,
    }


def _call(facts: dict[str, Any]) -> dict[str, Any]:
    def asked(name: str) -> Any:
        return facts[name] if facts.get(name, -1) != -1 else None

    return {
        "account_id": "account",
        "request_model": facts.get("model", ""),
        "access_path": facts.get("access_path"),
        "operation": facts.get("operation"),
        "stream": facts.get("stream"),
        "tool_names": ["tool"] if facts.get("tools") else [],
        "logprobs": facts.get("logprobs"),
        "max_tokens": asked("max_tokens"),
        "choice_count": asked("choice_count"),
        "reasoning_level": facts.get("reasoning_level"),
        "turn_index": facts.get("turn_index"),
    }


def _recognition(facts: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    tier = facts.get("tier", "none")
    campaign = facts.get("campaign_id", "")
    is_carrier = tier == "recognised" or facts.get("failover", False)
    return {
        "account_key": 1,
        "tier": "none" if tier == "recognised" else tier,
        "cluster": 1 if campaign or given.get("campaign_id") else 0,
        "campaign_id": campaign,
        "verified": facts.get("verified", False),
        "signature": facts.get("signature", "signature" if is_carrier else ""),
        "signature_hits": facts.get("signature_hits", 0),
        "outside_accounts": facts.get("outside_accounts", 0),
        "infrastructure": facts.get("infrastructure", 0),
    }


def _observed(facts: dict[str, Any], time_us: int) -> dict[str, Any]:
    names = {each.name for each in fields(Observed)} & facts.keys()
    return {
        **{name: facts[name] for name in names},
        "available": facts.get("state_available", True),
        "first_seen_us": max(0, time_us - facts.get("account_age_hours", 0) * HOUR_US),
    }


def _whole(kind: type[Any], derived: dict[str, Any], given: dict[str, Any], part: str) -> Any:
    known = {each.name for each in fields(kind)}
    strange = sorted(given.keys() - known)
    if strange:
        raise _bad(f"{part} has no field named {strange[0][:40]!r}")
    try:
        return msgspec.convert({**derived, **given}, kind)
    except msgspec.ValidationError as error:
        raise _bad(f"{part}: {str(error)[:1].lower()}{str(error)[1:]}") from error


def _time(spelt: str, now_us: int) -> int:
    try:
        return micros(spelt) if spelt else now_us
    except (ValueError, OverflowError) as error:
        raise _bad("there is no such time") from error


def _bad(why: str) -> Error:
    return Error("bad-situation", why, hint="docs/policy.md lists what a call can be given")
