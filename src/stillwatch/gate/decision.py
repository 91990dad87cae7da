"""What is known of one call → facts, and what rules do with it → one decision. Pure: time is the call's own.

Nothing here knows how a policy is spelt or evaluated; `gate.policy` goes through the rules.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any

from stillwatch.gate.contract import (
    HOUR_US,
    RUNGS,
    Call,
    Decision,
    Facts,
    Notice,
    Observed,
    Reason,
    Recognition,
    Rung,
    Tier,
)
from stillwatch.gate.contract import Strip as StripWhat
from stillwatch.gate.policy_file import Actions, Cap, Cost, Notices, NoticeText

WORD_CHARS_MAX = 200
"""Characters of a model's or an operation's name that conditions see: names are shorter, and callers write them."""

WHOLE_MAX = 2**62
"""Counts and requests beyond are this: a condition computes in 64 bits, and a caller may ask for any number."""

FAILOVER_WITHIN_US = HOUR_US
"""Work on public record moved to other accounts within the hour of a ban."""

NEW_WITHIN_HOURS = 24
"""An account that the gate has known for a day was not made to take over from one that was refused just now."""

FAMILIES = ("content", "infrastructure", "provenance", "lifecycle")
"""Kinds of evidence that one call can bring."""

FAMILIES_MIN = 2
"""One kind of evidence alone is never enough to do more than cap: look-alikes share any one of them."""

NAMED: frozenset[Tier] = frozenset({"suspected", "confirmed"})
"""Tiers of accounts that a run or a person named, who had two families of evidence at least."""

GENTLE: frozenset[Rung] = frozenset({"allow", "tag", "shadow", "cap"})
"""What may be done on one family of evidence."""

ORDER = {rung: place for place, rung in enumerate(RUNGS)}

RULE_TAG = "x-stillwatch-rule"
"""The header that stands for a rule whose actions were not taken, where the rule has none of its own."""


def tier_of(recognition: Recognition) -> Tier:
    """Return the tier of a call: an unknown account that carries a campaign's signature is `recognised`."""
    if recognition.tier == "none" and recognition.signature:
        return "recognised"
    return recognition.tier


@dataclass(frozen=True, slots=True)
class At:
    """One call with everything known of it."""

    call: Call
    recognition: Recognition
    observed: Observed
    tier: Tier

    def account_spent(self, cap: Cap, cost: Cost) -> bool:
        """Tell whether the account used up its budget, or whether that cannot be known."""
        seen = self.observed
        if cap.account is None:
            return False
        spent = cost.output * seen.account_tokens_hour + cost.input * seen.account_input_tokens_hour
        return not seen.available or _is_over(
            seen.account_calls_hour, cap.account.calls_per_hour, spent, cap.account.cost_per_hour
        )

    def cluster_spent(self, cap: Cap, cost: Cost) -> bool:
        """Tell whether the campaign used up its budget, or whether that cannot be known."""
        seen = self.observed
        if cap.cluster is None or not self.recognition.campaign_id:
            return False
        spent = cost.output * seen.cluster_tokens_hour + cost.input * seen.cluster_input_tokens_hour
        return not seen.available or _is_over(
            seen.cluster_calls_hour, cap.cluster.calls_per_hour, spent, cap.cluster.cost_per_hour
        )


def facts_of(call: Call, recognition: Recognition, observed: Observed) -> Facts:
    """Return what conditions can speak of, all of it.

    Of the families of evidence, content is a signature that the call carries, infrastructure a rare value of the
    campaign, provenance a reasoning block that somebody else was issued, lifecycle an account that is new just after
    its campaign was refused or closed elsewhere.
    """
    at = At(call, recognition, observed, tier_of(recognition))
    return Facts(**{name: fact(at) for name, fact in FACTS.items()})


class Known(dict[str, Any]):
    """The facts of one call by name, each found out when it is first asked for: most rules ask for two or three."""

    def __init__(self, at: At) -> None:
        self._at = at

    def __missing__(self, name: str) -> Any:
        value = self[name] = FACTS[name](self._at)
        return value


def has_volume(recognition: Recognition, observed: Observed) -> bool:
    """Tell whether a grant covers the call and its volume is not used up; while that cannot be known, it is not."""
    if not recognition.grant_id:
        return False
    return not observed.available or (
        observed.grant_calls <= recognition.grant_calls_max
        and observed.grant_output_tokens < recognition.grant_output_tokens_max
    )


@dataclass(slots=True)
class Effects:
    """What the rules that were met do together. The first refusal ends it; milder effects add up, the tighter wins."""

    rung: Rung = "allow"
    rule: str = ""
    tag: dict[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    choices: int | None = None
    strip: set[StripWhat] = field(default_factory=set)
    route: str = ""
    delay_ms: int = 0
    retry_after_s: int = 0
    refusal: NoticeText | None = None
    shadowed: list[str] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    def say(self, code: str, detail: str = "") -> None:
        """Add a reason, each once."""
        reason = Reason(code, detail)
        if reason not in self.reasons:
            self.reasons.append(reason)

    def raise_to(self, rung: Rung, rule: str) -> None:
        """Take the sterner rung, and the name of the rule that brought it."""
        if ORDER[rung] > ORDER[self.rung]:
            self.rung, self.rule = rung, rule

    def refuse(self, rung: Rung, rule: str, notice: NoticeText | None) -> None:
        """End with a refusal; of the milder effects the headers stay, since a call that goes nowhere has no others."""
        self.rung, self.rule, self.refusal = rung, rule, notice
        self.max_tokens = self.choices = None
        self.strip.clear()
        self.route, self.delay_ms = "", 0


@dataclass(frozen=True, slots=True)
class Taker:
    """Takes the actions of rules for one policy: its notices, its prices, its key."""

    notices: Notices
    cost: Cost
    key: bytes

    def take(self, effects: Effects, rule: str, actions: Actions, rungs: frozenset[Rung], at: At) -> bool:
        """Add the actions of one rule, those of `rungs`, to what is done; tell whether the call goes no further."""
        if "tag" in rungs:
            self._tag(effects, rule, actions)
        if "deny" in rungs:
            effects.refuse("deny", rule, self.notices.deny)
            return True
        if "step-up" in rungs and actions.step_up is not None:
            need = actions.step_up.need
            effects.refuse("step-up", rule, self.notices.identity if need == "identity" else self.notices.terms)
            return True
        if "cap" in rungs and actions.cap is not None and self._cap(effects, rule, actions.cap, at):
            return True
        if "strip" in rungs and actions.strip is not None:
            effects.strip.update(actions.strip)
            effects.raise_to("strip", rule)
        if "route" in rungs and actions.route is not None:
            effects.route = effects.route or actions.route.model
            effects.raise_to("route", rule)
        if "delay" in rungs and actions.delay is not None:
            jitter = self._digest(b"jitter", at) % (actions.delay.jitter_ms + 1)
            effects.delay_ms = max(effects.delay_ms, actions.delay.ms + jitter)
            effects.raise_to("delay", rule)
        return False

    def _tag(self, effects: Effects, rule: str, actions: Actions) -> None:
        for name, value in (actions.tag or {RULE_TAG: rule}).items():
            effects.tag.setdefault(name, value)
        effects.raise_to("tag", rule)

    def _cap(self, effects: Effects, rule: str, cap: Cap, at: At) -> bool:
        for code, is_spent in (("budget-account", at.account_spent), ("budget-cluster", at.cluster_spent)):
            if is_spent(cap, self.cost):
                effects.say(code, rule)
                effects.refuse("deny", rule, self.notices.rate)
                effects.retry_after_s = cap.retry_after_s
                return True
        if cap.max_tokens is not None:
            effects.max_tokens = min(cap.max_tokens, effects.max_tokens or cap.max_tokens)
        if cap.choices is not None:
            effects.choices = min(cap.choices, effects.choices or cap.choices)
        effects.raise_to("cap", rule)
        return False

    def decision(self, effects: Effects, policy: str, at: At, grant_id: str = "") -> Decision:
        """Return what is done as a decision."""
        return Decision(
            rung=effects.rung,
            rule=effects.rule,
            policy=policy,
            tier=at.tier,
            campaign_id=at.recognition.campaign_id,
            tag=tuple(effects.tag.items()),
            max_tokens_max=effects.max_tokens,
            choice_count_max=effects.choices,
            strip=frozenset(effects.strip),
            route=effects.route,
            delay_ms=effects.delay_ms,
            retry_after_s=effects.retry_after_s,
            notice=self.notice(effects.refusal, self.reference(at)) if effects.refusal else None,
            grant_id=grant_id,
            shadowed=tuple(effects.shadowed),
            reasons=tuple(effects.reasons),
        )

    def notice(self, said: NoticeText, reference: str) -> Notice:
        """Return what the caller is told."""
        return Notice(said.code, f"{said.text} {said.appeal}", reference)

    def reference(self, at: At | None) -> str:
        """Return the reference of an appeal: a keyed digest of who called and when. It does not depend on the rule, so
        that nothing about it can be learnt even with the key."""
        digest = self._digest(b"appeal", at).to_bytes(10, "big")
        return base64.b32encode(digest).decode().lower()

    def _digest(self, purpose: bytes, at: At | None) -> int:
        what = f"{at.recognition.account_key} {at.call.time_us} {at.call.account_id}" if at else ""
        data = what.encode(errors="surrogatepass")
        digest = hashlib.blake2b(data, digest_size=10, key=self.key[:64], person=purpose)
        return int.from_bytes(digest.digest(), "big")


def _is_over(calls: int, calls_max: int | None, spent: float, spent_max: int | None) -> bool:
    return (calls_max is not None and calls > calls_max) or (spent_max is not None and spent >= spent_max)


def _is_failover(call: Call, recognition: Recognition, observed: Observed) -> bool:
    if not recognition.signature or not observed.available:
        return False
    after_ban_us = observed.first_seen_us - recognition.signature_ban_us
    came_after = recognition.signature_ban_us >= 0 and 0 <= after_ban_us <= FAILOVER_WITHIN_US
    return came_after or (observed.failover and _age_hours(call, observed) < NEW_WITHIN_HOURS)


def _age_hours(call: Call, observed: Observed) -> int:
    return _whole(max(0, call.time_us - observed.first_seen_us) // HOUR_US, 0) if observed.available else 0


def _whole(value: object, absent: int) -> int:
    """Return a whole number that 64 bits hold; whatever else a caller sent is as if it were absent."""
    if isinstance(value, bool):
        return absent
    try:
        return min(max(index(value), absent), WHOLE_MAX)  # type: ignore[arg-type]  # what is no number is caught
    except TypeError:
        return absent


def _word(text: object) -> str:
    """Return a name that CEL can read: what no UTF-8 has and what does not print is a replacement character."""
    if not isinstance(text, str):
        return ""
    text = text[:WORD_CHARS_MAX]
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _evidence_families(at: At) -> int:
    who = at.recognition
    failover = _is_failover(at.call, who, at.observed)
    evidence = bool(who.signature) + bool(who.infrastructure > 0) + bool(at.observed.foreign_block) + failover
    return max(evidence, FAMILIES_MIN) if at.tier in NAMED else evidence


FACTS: Mapping[str, Callable[[At], Any]] = {
    "tier": lambda at: at.tier,
    "campaign_id": lambda at: at.recognition.campaign_id,
    "verified": lambda at: bool(at.recognition.verified),
    "signature": lambda at: at.recognition.signature,
    "signature_hits": lambda at: _whole(at.recognition.signature_hits, 0),
    "outside_accounts": lambda at: _whole(at.recognition.outside_accounts, 0),
    "infrastructure": lambda at: _whole(at.recognition.infrastructure, 0),
    "foreign_block": lambda at: bool(at.observed.foreign_block),
    "failover": lambda at: _is_failover(at.call, at.recognition, at.observed),
    "evidence_families": _evidence_families,
    "account_age_hours": lambda at: _age_hours(at.call, at.observed),
    "account_calls_hour": lambda at: _whole(at.observed.account_calls_hour, 0),
    "account_calls_day": lambda at: _whole(at.observed.account_calls_day, 0),
    "account_tokens_hour": lambda at: _whole(at.observed.account_tokens_hour, 0),
    "cluster_calls_hour": lambda at: _whole(at.observed.cluster_calls_hour, 0),
    "cluster_tokens_hour": lambda at: _whole(at.observed.cluster_tokens_hour, 0),
    "cluster_accounts_hour": lambda at: _whole(at.observed.cluster_accounts_hour, 0),
    "state_available": lambda at: bool(at.observed.available),
    "model": lambda at: _word(at.call.request_model),
    "access_path": lambda at: _word(at.call.access_path),
    "operation": lambda at: _word(at.call.operation),
    "stream": lambda at: bool(at.call.stream),
    "tools": lambda at: bool(at.call.tool_names),
    "logprobs": lambda at: bool(at.call.logprobs),
    "max_tokens": lambda at: _whole(at.call.max_tokens, -1),
    "choice_count": lambda at: _whole(at.call.choice_count, -1),
    "reasoning_level": lambda at: _word(at.call.reasoning_level),
    "turn_index": lambda at: _whole(at.call.turn_index, 0),
}
"""How each fact is found out."""
