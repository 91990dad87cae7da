"""Rules, compiled once: who meets which, and what stays true whatever they say.

The order of a decision: an account that is cleared, exempt or within its grant passes; then the rules of the call's
tier, as they stand in the file. Whatever a rule says, one family of evidence does no more than cap an account that
nobody named, and past its limits a policy does no more than tag.
"""

from __future__ import annotations

import hashlib
from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from stillwatch.errors import Error
from stillwatch.gate.conditions import REMEMBERED, Compiler, Condition, ConditionError
from stillwatch.gate.contract import RUNGS, Call, Decision, Observed, Reason, Recognition, Rung, Tier
from stillwatch.gate.decision import (
    FAMILIES,
    FAMILIES_MIN,
    GENTLE,
    NAMED,
    WHOLE_MAX,
    At,
    Effects,
    Known,
    Taker,
    has_volume,
    tier_of,
)
from stillwatch.gate.policy_file import NEEDS_APPROVAL, PolicyFile, Problem, Rule, read
from stillwatch.gate.review import review
from stillwatch.gate.shipped import policy_text
from stillwatch.grant import PSEUDONYM_PREFIX, micros
from stillwatch.pseudonym import UNKEYED

RETRY_S = 60
"""How long who could not be decided is told to wait: a restart takes less."""

TAG_ALONE: frozenset[Rung] = frozenset({"tag"})

WORST: dict[str, Any] = dict.fromkeys(REMEMBERED, WHOLE_MAX) | {
    "foreign_block": True,
    "failover": True,
    "evidence_families": len(FAMILIES),
    "account_age_hours": 0,
}
"""What could be remembered of an account at the worst: a condition that this does not meet is not met."""

Verdict = Literal["met", "not-met", "expired", "state-away", "condition-failed"]


@dataclass(frozen=True, slots=True)
class Look:
    """One rule that was looked at, for `policy explain`: whether it was met, and which of its actions were taken."""

    rule: str
    status: str
    verdict: Verdict
    taken: tuple[Rung, ...] = ()
    dropped: tuple[Rung, ...] = ()
    laws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that can be met. `closed_away` and `closed_failed` are the actions taken although it is not known that it
    is met."""

    name: str
    is_live: bool
    tiers: frozenset[Tier]
    expires_us: int
    condition: Condition | None
    source: Rule
    rungs: frozenset[Rung]
    closed_away: frozenset[Rung]
    closed_failed: frozenset[Rung]

    def verdict(self, facts: dict[str, Any], time_us: int) -> Verdict:
        """Tell whether the call meets the rule."""
        if time_us >= self.expires_us:
            return "expired"
        if self.condition is None:
            return "met"
        is_away = self.condition.needs_state and not facts["state_available"]
        try:
            if is_away:
                return "state-away" if self.condition.holds(ChainMap(WORST, facts)) else "not-met"
            return "met" if self.condition.holds(facts) else "not-met"
        except ConditionError:
            return "condition-failed"


class CompiledPolicy:
    """A policy in force (`contract.Policy`). Build it with `load` or `compile_text`.

    Cost:    some 0.3 µs where the tier has no rule; else 10 µs, and 3 µs for each condition.
    """

    def __init__(self, policy: PolicyFile, text: str, secret: bytes) -> None:
        digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
        self.ident = f"{policy.name}@{digest}"
        self.source = policy
        self.text = text
        self._taker = Taker(policy.notices, policy.cost, hashlib.blake2b(secret, person=b"policy").digest())
        self._expires_us = micros(policy.expires)
        self._rules = _compiled(policy)
        tiers: tuple[Tier, ...] = ("none", "watch", "recognised", "suspected", "confirmed", "cleared")
        self._by_tier = {tier: tuple(rule for rule in self._rules if tier in rule.tiers) for tier in tiers}
        self._exempt = _exempt(policy, "accounts")
        self._exempt_organizations = _exempt(policy, "organizations")
        self._untouched = {tier: Decision(policy=self.ident, tier=tier) for tier in tiers}
        self._untouched["cleared"] = replace(self._untouched["cleared"], reasons=(Reason("cleared"),))
        self._expired = {tier: replace(decision, error="policy-expired") for tier, decision in self._untouched.items()}

    def decide(self, call: Call, recognition: Recognition, observed: Observed) -> Decision:
        """Decide one call (`contract.Policy.decide`)."""
        tier = tier_of(recognition)
        if not (self._by_tier[tier] or recognition.grant_id or recognition.campaign_id):
            return (self._untouched if call.time_us < self._expires_us else self._expired)[tier]
        return self._decided(At(call, recognition, observed, tier), None)

    def explained(self, call: Call, recognition: Recognition, observed: Observed) -> tuple[Decision, list[Look]]:
        """Decide one call, and tell which rules were looked at and what came of each."""
        looks: list[Look] = []
        return self._decided(At(call, recognition, observed, tier_of(recognition)), looks), looks

    def without_answer(self, ident: str) -> Decision:
        """Return what is done with a call that could not be decided; `ident` says why."""
        live = self.source.status == "live"
        if not live or self.source.on_error.unanswered == "open":
            return Decision(policy=self.ident, error=ident)
        said = self.source.notices.unanswered
        notice = self._taker.notice(said, self._taker.reference(None)) if said else None
        return Decision(rung="deny", policy=self.ident, retry_after_s=RETRY_S, notice=notice, error=ident)

    def _decided(self, at: At, looks: list[Look] | None) -> Decision:
        effects = Effects()
        grant_id = at.recognition.grant_id if has_volume(at.recognition, at.observed) else ""
        passes = self._passes(at, grant_id)
        if passes:
            effects.say(passes, grant_id if passes == "grant" else "")
            return self._taker.decision(effects, self.ident, at, grant_id)
        if at.recognition.grant_id and not grant_id:
            effects.say("grant-exceeded", at.recognition.grant_id)
        if at.call.time_us >= self._expires_us:
            return replace(self._taker.decision(effects, self.ident, at), error="policy-expired")
        rules = self._by_tier[at.tier]
        if rules:
            self._follow(rules, at, effects, looks)
        if not effects.reasons and not effects.shadowed and not at.recognition.campaign_id:
            return self._untouched[at.tier]
        return self._taker.decision(effects, self.ident, at)

    def _passes(self, at: At, grant_id: str) -> str:
        """Return why no rule is for this call, or nothing."""
        if at.tier == "cleared":
            return "cleared"
        if self._is_exempt(at):
            return "exempt"
        return "grant" if grant_id else ""

    def _is_exempt(self, at: At) -> bool:
        now, who = at.call.time_us, at.recognition
        if not self._exempt and not self._exempt_organizations:
            return False
        if who.account_key == 0 and at.call.account_id:
            return True  # Nobody is known yet, and this could be one of them.
        ends = self._exempt.get(who.account_key, 0), self._exempt_organizations.get(who.organization_key, 0)
        return now < max(ends)

    def _follow(self, rules: Iterable[CompiledRule], at: At, effects: Effects, looks: list[Look] | None) -> None:
        facts = Known(at)
        for rule in rules:
            verdict = rule.verdict(facts, at.call.time_us)
            wanted = _wanted(rule, verdict, at.tier)
            if verdict in ("state-away", "condition-failed"):
                effects.say(verdict, rule.name)
            if not wanted:
                if looks is not None:
                    looks.append(Look(rule.name, rule.source.status, verdict))
                continue
            taken, laws = self._allowed(rule, wanted, facts, at)
            if looks is not None:
                lost = wanted - taken
                looks.append(Look(rule.name, rule.source.status, verdict, _sorted(taken), _sorted(lost), laws))
            if not rule.is_live:
                effects.shadowed.append(rule.name)
                effects.raise_to("shadow", rule.name)
                continue
            for code in laws or ("rule",):
                effects.say(code, rule.name)
            if self._taker.take(effects, rule.name, rule.source.actions, taken, at):
                return

    def _allowed(
        self, rule: CompiledRule, wanted: frozenset[Rung], facts: Known, at: At
    ) -> tuple[frozenset[Rung], tuple[str, ...]]:
        """Return which of the wanted actions may be taken, and by which laws others may not; a tag stands for these."""
        allowed, laws, observed = wanted, [], at.observed
        if at.tier not in NAMED and not allowed <= GENTLE and facts["evidence_families"] < FAMILIES_MIN:
            allowed = allowed & GENTLE
            laws.append("one-family")
        if not observed.available and not allowed <= rule.closed_away | TAG_ALONE:
            allowed = allowed & (rule.closed_away | TAG_ALONE)
            laws.append("state-away")
        if not allowed <= TAG_ALONE and self._is_past_limits(observed):
            allowed = allowed & TAG_ALONE
            laws.append("radius-exceeded")
        return (allowed | TAG_ALONE if laws else allowed), tuple(laws)

    def _is_past_limits(self, observed: Observed) -> bool:
        """Tell whether treating this account would treat one too many; who is treated already is nobody new."""
        limits, acted = self.source.limits, observed.acted_accounts_hour
        if not observed.available:
            return False
        if acted >= limits.verified_accounts_min and observed.acted_verified_hour > limits.verified_share_max * acted:
            return True
        return acted >= limits.accounts_per_hour_max and not observed.acted_already


def load(path: Path, now_us: int, secret: bytes = UNKEYED) -> CompiledPolicy:
    """Read, check and compile a policy, a file or a shipped one by its name. `secret` is behind appeal references and
    jitter.

    Raises:  no-such-policy, bad-yaml, bad-policy, missing-extra.
    """
    return compile_text(policy_text(path), str(path), now_us, secret)


def compile_text(text: str, where: str, now_us: int, secret: bytes = UNKEYED) -> CompiledPolicy:
    """Check and compile the text of a policy.

    Raises:  bad-yaml, bad-policy, missing-extra.
    """
    draft = read(text, where)
    problems = draft.problems if draft.policy is None else review(draft, now_us, thorough=False)
    errors: list[Problem] = sorted(each for each in problems if each.level == "error")
    if errors or draft.policy is None:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise Error(
            "bad-policy",
            f"{errors[0].text}{more}",
            where=f"{where}, line {errors[0].line}",
            hint="`stillwatch policy lint` lists everything that is wrong with a policy",
        )
    return CompiledPolicy(draft.policy, text, secret)


def _compiled(policy: PolicyFile) -> tuple[CompiledRule, ...]:
    compiler = Compiler()
    standing = ("live", "shadow")
    if policy.status not in standing:
        return ()
    away = policy.on_state_away
    by_rung = {rung: getattr(away, rung.replace("-", "_")) for rung in RUNGS if rung not in ("allow", "shadow")}
    found = []
    for rule in policy.rules:
        if rule.status not in standing:
            continue
        rungs = frozenset(rule.actions.rungs)
        on_error = {rung: policy.on_error.stern if rung in NEEDS_APPROVAL else policy.on_error.gentle for rung in rungs}
        found.append(
            CompiledRule(
                name=rule.name,
                is_live=rule.status == policy.status == "live",
                tiers=frozenset(rule.tiers),
                expires_us=micros(rule.expires),
                condition=compiler.compile(rule.when) if rule.when.strip() else None,
                source=rule,
                rungs=rungs,
                closed_away=frozenset(r for r in rungs if (rule.on_state_away or by_rung[r]) == "closed"),
                closed_failed=frozenset(r for r in rungs if on_error[r] == "closed"),
            )
        )
    return tuple(found)


def _exempt(policy: PolicyFile, who: Literal["accounts", "organizations"]) -> dict[int, int]:
    """Return until when each pseudonym is exempt, in microseconds."""
    found: dict[int, int] = {}
    for exemption in policy.exemptions:
        for subject in getattr(exemption, who):
            key = int(subject.removeprefix(PSEUDONYM_PREFIX), 16)
            found[key] = max(found.get(key, 0), micros(exemption.expires))
    found.pop(0, None)  # It stands for nobody in particular.
    return found


def _wanted(rule: CompiledRule, verdict: Verdict, tier: Tier) -> frozenset[Rung]:
    """Return the actions that a rule asks for. Who is unknown is treated on a condition that was met, never on a guess:
    a fault of ours would treat every caller."""
    if verdict == "met":
        return rule.rungs
    if tier == "none":
        return frozenset()
    if verdict == "state-away":
        return rule.closed_away
    return rule.closed_failed if verdict == "condition-failed" else frozenset()


def _sorted(rungs: frozenset[Rung]) -> tuple[Rung, ...]:
    return tuple(rung for rung in RUNGS if rung in rungs)
