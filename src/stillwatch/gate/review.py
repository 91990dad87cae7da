"""What is wrong with a policy whose fields can be read, beyond what a schema sees: every problem with its line.

A thorough review tries each condition on invented facts and looks at the calendar; loading a policy does neither, so
that a gate that restarts the day after a policy expired comes up, enforces nothing and says so.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from stillwatch.gate.conditions import Compiler, Condition, ConditionError, literals
from stillwatch.gate.contract import Facts, Rung
from stillwatch.gate.policy_file import NEEDS_APPROVAL, Actions, Draft, PolicyFile, Problem, Rule
from stillwatch.gate.yaml_text import Place
from stillwatch.grant import micros

DAY_US = 86_400_000_000

LIFE_DAYS_MAX = 731
"""Who wrote a rule has gone in two years, and nobody remembers why it is there."""

AHEAD_DAYS_MAX = 1
"""An approval is not given tomorrow; a day is left for clocks and time zones."""

TRIED_MAX = 2_000
"""Invented facts that a condition is tried on: some 20 ms."""

EXAMPLE = "example"
"""The reference of approvals in the shipped policies."""

GIVEAWAYS = re.compile(
    r"(?i)\b(templates?|signatures?|campaigns?|distil\w*|extract\w*|infrastructure|ip address|evidence|signals?|"
    r"reasoning blocks?|families|family|linked|other accounts?|score|detected)\b"
)
"""Words of a notice that would tell which signal fired."""

STERN: frozenset[Rung] = frozenset({"strip", "route", "step-up", "delay", "deny"})
TREATS: frozenset[Rung] = STERN | {"cap"}


def review(draft: Draft, now_us: int, thorough: bool = True) -> tuple[Problem, ...]:
    """Return everything that is wrong with a policy, problems of its fields too, in the order of lines."""
    found = list(draft.problems)
    if draft.policy is not None:
        found += _Review(draft, draft.policy, now_us, thorough).problems()
    return tuple(sorted(found))


class _Review:
    def __init__(self, draft: Draft, policy: PolicyFile, now_us: int, thorough: bool) -> None:
        self._draft, self._policy, self._now_us, self._thorough = draft, policy, now_us, thorough
        self._found: list[Problem] = []
        self._compiler = Compiler()

    def problems(self) -> list[Problem]:
        names: dict[str, int] = {}
        self._calendar((), self._policy.expires, self._policy.status)
        self._notices()
        for at, rule in enumerate(self._policy.rules):
            if rule.name in names:
                self._error(("rules", at, "name"), "name-twice", f"two rules are named {rule.name}")
            names[rule.name] = at
            self._rule(at, rule)
        for at, exemption in enumerate(self._policy.exemptions):
            path: Place = ("exemptions", at)
            if not exemption.accounts and not exemption.organizations:
                self._error(path, "empty", "the exemption names no account and no organisation")
            self._calendar(path, exemption.expires, "live")
        if self._thorough:
            self._reach()
        return self._found

    def _error(self, path: Place, code: str, text: str) -> None:
        self._found.append(Problem(self._draft.document.line(path), "error", code, text))

    def _warn(self, path: Place, code: str, text: str) -> None:
        self._found.append(Problem(self._draft.document.line(path), "warning", code, text))

    def _calendar(self, path: Place, expires: str, status: str) -> None:
        ends = micros(expires)
        at = (*path, "expires")
        if ends > self._now_us + LIFE_DAYS_MAX * DAY_US:
            self._error(at, "too-long", f"it expires more than {LIFE_DAYS_MAX} days from now, which is no bound")
        if path and ends > micros(self._policy.expires):
            self._warn(at, "outlives", "it expires after the policy, whose end is its end")
        if not self._thorough or ends > self._now_us or status not in ("live", "shadow"):
            return
        if path:
            self._warn(at, "expired", f"it expired at {expires} and does nothing")
        else:
            self._error(at, "expired", f"the policy expired at {expires}: it treats nobody")

    def _notices(self) -> None:
        notices = self._policy.notices
        if self._policy.on_error.unanswered == "closed" and notices.unanswered is None:
            self._error(("on_error", "unanswered"), "notice-missing", "a refusal needs the notice `unanswered`")
        for kind in ("deny", "identity", "terms", "rate", "unanswered"):
            notice = getattr(notices, kind)
            if notice is None:
                continue
            for part in ("code", "text", "appeal"):
                said = getattr(notice, part)
                if not said.isprintable():
                    self._error(("notices", kind, part), "notice-unprintable", "it holds a line break or the like")
                word = GIVEAWAYS.search(said.replace("-", " "))
                if word:
                    text = f"{word[0]!r} hints at what was found; a refusal does not say why"
                    self._warn(("notices", kind, part), "giveaway", text)

    def _rule(self, at: int, rule: Rule) -> None:
        path: Place = ("rules", at)
        self._calendar(path, rule.expires, rule.status)
        self._actions((*path, "actions"), rule)
        self._approval(path, rule)
        if len(set(rule.tiers)) != len(rule.tiers):
            self._warn((*path, "tiers"), "tier-twice", "a tier stands twice")
        if not rule.when.strip():
            if "none" in rule.tiers:
                self._error((*path, "tiers"), "everybody", "a rule for unknown callers (none) needs a condition")
            return
        try:
            condition = self._compiler.compile(rule.when)
        except ConditionError as error:
            self._error((*path, "when"), "condition", f"the condition cannot be read: {error}")
            return
        if "none" in rule.tiers and _is_met(condition, _BLANK):
            tell = self._error if TREATS & set(rule.actions.rungs) else self._warn
            tell((*path, "when"), "everybody", "an ordinary unknown caller meets it")
        if self._thorough:
            self._try(path, rule, condition)

    def _actions(self, path: Place, rule: Rule) -> None:
        actions, notices = rule.actions, self._policy.notices
        if not actions.rungs:
            self._error(path, "empty", "the rule does nothing")
        needed = {
            "deny": actions.deny is not None,
            "identity": actions.step_up is not None and actions.step_up.need == "identity",
            "terms": actions.step_up is not None and actions.step_up.need == "terms",
            "rate": _has_budget(actions),
        }
        for kind, is_needed in needed.items():
            if is_needed and getattr(notices, kind) is None:
                self._error(path, "notice-missing", f"a refusal needs the notice `{kind}`")
        cap = actions.cap
        if cap is not None:
            if cap.max_tokens is None and cap.choices is None and not _has_budget(actions):
                self._error((*path, "cap"), "empty", "the cap bounds nothing")
            for who, budget in (("account", cap.account), ("cluster", cap.cluster)):
                if budget is not None and budget.calls_per_hour is None and budget.cost_per_hour is None:
                    self._error((*path, "cap", who), "empty", "the budget bounds nothing")

    def _approval(self, path: Place, rule: Rule) -> None:
        stern = [rung for rung in rule.actions.rungs if rung in NEEDS_APPROVAL]
        if rule.approval is None:
            if stern and rule.status == "live":
                text = f"a live rule with {stern[0]} needs an approval: by, at, reference"
                tell = self._error if self._policy.status == "live" else self._warn
                tell(path, "approval-missing", text)
            return
        if rule.approval.reference == EXAMPLE:
            self._warn((*path, "approval"), "approval-example", "the approval is an example's; put your own")
        if micros(rule.approval.at) > self._now_us + AHEAD_DAYS_MAX * DAY_US:
            self._error((*path, "approval", "at"), "approval-ahead", "the approval is of a day to come")

    def _try(self, path: Place, rule: Rule, condition: Condition) -> None:
        """Try a condition on invented facts: is it ever met, does it fail, is it met on one family of evidence."""
        met = failed = tried = 0
        met_on_one = False
        for facts in _invented(rule, condition):
            tried += 1
            try:
                if condition.holds(facts):
                    met += 1
                    met_on_one = met_on_one or facts["evidence_families"] == 1
            except ConditionError as error:
                failed += 1
                said = str(error)
        when = (*path, "when")
        if failed:
            self._warn(when, "condition-fails", f"it fails on some facts ({said}); then `on_error` decides")
        if not met:
            self._warn(when, "never-met", f"none of {tried:,} invented calls of its tiers meets it")
        stern = [rung for rung in rule.actions.rungs if rung in STERN]
        if met_on_one and stern:
            text = (
                f"it is met on one family of evidence, where {stern[0]} becomes a tag; say evidence_families >= 2, or "
                "give the milder action a rule of its own"
            )
            self._warn(when, "one-family", text)

    def _reach(self) -> None:
        """Find rules that stand behind a refusal which leaves them nothing."""
        refusing: list[Rule] = []
        for at, rule in enumerate(self._policy.rules):
            if rule.status not in ("live", "shadow"):
                continue
            for before in refusing:
                covers = set(rule.tiers) <= set(before.tiers) and micros(rule.expires) <= micros(before.expires)
                if covers and before.when.strip() in ("", "true", rule.when.strip()):
                    text = f"rule {before.name} refuses every call that could meet it"
                    self._warn(("rules", at, "name"), "unreachable", text)
                    break
            # What is not known to hold on two families may be taken back, and leave the call to later rules.
            is_sure = set(rule.tiers) <= {"suspected", "confirmed"} or "evidence_families" in rule.when
            if rule.status == "live" and is_sure and {"deny", "step-up"} & set(rule.actions.rungs):
                refusing.append(rule)


def _is_met(condition: Condition, facts: dict[str, Any]) -> bool:
    try:
        return condition.holds(facts)
    except ConditionError:
        return False


def _has_budget(actions: Actions) -> bool:
    return actions.cap is not None and (actions.cap.account is not None or actions.cap.cluster is not None)


def _invented(rule: Rule, condition: Condition) -> Iterator[dict[str, Any]]:
    """Invent facts around what the condition compares with, all combinations or as many as are tried."""
    numbers, texts = literals(condition.text)
    whole = sorted({0, 1, *(each + by for each in numbers for by in (-1, 0, 1) if each + by >= 0)})
    names = sorted(condition.names - {"tier", "evidence_families", "failover", "foreign_block"})
    texts = [each for each in texts if each]
    values: list[Sequence[Any]] = []
    for name in names:
        kind = Facts.__annotations__[name]
        known = [-1, *whole] if name in ("max_tokens", "choice_count") else whole
        values.append([False, True] if kind == "bool" else known if kind == "int" else ["x", "", *texts])
    # Evidence as it comes: which of content, infrastructure, provenance, lifecycle stand behind the tier.
    evidence = list(itertools.product((False, True), repeat=4))
    for tier, kinds, *rest in _some([list(rule.tiers), evidence, *values]):
        facts = {**_BLANK, **dict(zip(names, rest, strict=True)), "tier": tier}
        if _put_evidence(facts, kinds):
            yield facts


_BLANK: dict[str, Any] = {
    name: {"str": "", "int": 0, "bool": False}[kind] for name, kind in Facts.__annotations__.items()
} | {
    "tier": "none",
    "state_available": True,
    "account_calls_hour": 1,
    "account_calls_day": 1,
    "max_tokens": -1,
    "choice_count": -1,
}
"""An ordinary caller of whom nothing is known."""


def _put_evidence(facts: dict[str, Any], kinds: Sequence[bool]) -> bool:
    """Make the evidence of invented facts fit their tier; tell whether such a call can be."""
    content, infrastructure, provenance, lifecycle = kinds
    tier = facts["tier"]
    if (tier == "recognised" and not content) or (tier == "none" and content) or (lifecycle and not content):
        return False
    facts["signature"] = (facts["signature"] or "s-1") if content else ""
    facts["campaign_id"] = (facts["campaign_id"] or "c-1") if tier != "none" else ""
    facts["failover"], facts["foreign_block"] = lifecycle, provenance
    facts["infrastructure"] = max(1, facts["infrastructure"]) if infrastructure else 0
    facts["signature_hits"] = facts["signature_hits"] if content else 0
    facts["evidence_families"] = max(sum(kinds), 2 if tier in ("suspected", "confirmed") else 0)
    return True


def _some(values: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield every combination where they are few, or seeded ones."""
    count = 1
    for each in values:
        count *= len(each)
    if count <= TRIED_MAX:
        yield from itertools.product(*values)
        return
    chance = random.Random(count)
    for _ in range(TRIED_MAX):
        yield tuple(chance.choice(each) for each in values)
