"""What a lint finds in a policy that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.gate.conditions import Compiler, ConditionError
from stillwatch.gate.policy_file import read
from stillwatch.gate.review import review
from stillwatch.gate.shipped import SHIPPED, policy_text
from tests.gate.policies import HEAD, NOW_US, rule, text

DENY = "{deny: {}}"


def found(whole: str) -> list[tuple[str, str]]:
    return [(each.level, each.code) for each in review(read(whole), NOW_US)]


def test_a_sound_policy_has_no_problem() -> None:
    assert found(text(rule("a", DENY, "recognised", "evidence_families >= 2"), rule("b", DENY))) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_has_nothing_but_its_examples_of_approvals(name: str) -> None:
    problems = review(read(policy_text(Path(name))), NOW_US)
    assert {each.code for each in problems} <= {"approval-example"}


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (text(rule("a", DENY), rule("a", DENY, "confirmed")), ("error", "name-twice")),
        (text(rule("a", DENY).replace("approval", "#approval")), ("error", "approval-missing")),
        (text(rule("a", DENY).replace("2026-11-01", "2026-12-24")), ("error", "approval-ahead")),
        (text(rule("a", DENY).replace("T-1", "example")), ("warning", "approval-example")),
        (text(rule("a", "{}")), ("error", "empty")),
        (text(rule("a", "{cap: {}}")), ("error", "empty")),
        (text(rule("a", "{cap: {account: {}}}")), ("error", "empty")),
        (text(rule("a", DENY, "none")), ("error", "everybody")),
        (text(rule("a", DENY, "none", "true")), ("error", "everybody")),
        (text(rule("a", "{cap: {choices: 1}}", "none, suspected", "turn_index == 0")), ("error", "everybody")),
        (text(rule("a", DENY, "none", "account_calls_hour > 0")), ("error", "everybody")),
        (text(rule("a", "{tag: {x-a: b}}", "none", "!stream")), ("warning", "everybody")),
        (text(rule("a", DENY, when="nobody > 1")), ("error", "condition")),
        (text(rule("a", DENY, when="account_calls_hour")), ("error", "condition")),
        (text(rule("a", DENY, when="[1, 2].exists(x, x == turn_index)")), ("error", "condition")),
        (text(rule("a", DENY, when="10 / turn_index > 1")), ("warning", "condition-fails")),
        (text(rule("a", DENY, when="turn_index > 5 && turn_index < 3")), ("warning", "never-met")),
        (text(rule("a", DENY, when='tier == "watch"')), ("warning", "never-met")),
        (text(rule("a", DENY, "recognised", "outside_accounts == 0")), ("warning", "one-family")),
        (text(rule("a", DENY), rule("b", "{tag: {x-a: b}}")), ("warning", "unreachable")),
        (text(rule("a", DENY).replace("2027-06-01", "2026-11-30")), ("warning", "expired")),
        (text(rule("a", DENY).replace("2027-06-01", "2027-06-02")), ("warning", "outlives")),
        (text(rule("a", DENY, "suspected, suspected")), ("warning", "tier-twice")),
        (HEAD.replace("2027-06-01", "2026-11-30"), ("error", "expired")),
        (HEAD.replace("2027-06-01", "2037-06-01"), ("error", "too-long")),
        (HEAD.replace("  deny:", "  #") + "rules:\n" + rule("a", DENY), ("error", "notice-missing")),
        (HEAD.replace("  rate:", "  #") + "rules:\n" + rule("a", "{cap: {account: {calls_per_hour: 1}}}"),
         ("error", "notice-missing")),
        (HEAD.replace("unanswered: open", "unanswered: closed").replace("  unanswered: {code", "  #"),
         ("error", "notice-missing")),
        (HEAD.replace("text: We cannot", "text: A template of yours matched. We cannot"), ("warning", "giveaway")),
        (HEAD + "exemptions:\n- {reason: r, by: Me, expires: 2027-01-01T00:00:00Z}\n", ("error", "empty")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(whole: str, expected: tuple[str, str]) -> None:
    assert expected in found(whole)


def test_a_policy_that_is_not_live_yet_may_wait_for_its_approvals() -> None:
    whole = text(rule("a", DENY).replace("approval", "#approval")).replace("\nstatus: live", "\nstatus: shadow")
    assert found(whole) == [("warning", "approval-missing")]


def test_a_problem_stands_on_the_line_it_is_about() -> None:
    (problem,) = review(read(text(rule("a", DENY, when="nobody > 1"))), NOW_US)
    assert (problem.line, "nobody" in problem.text) == (20, True)


@pytest.mark.parametrize(
    "condition",
    [
        "model == 'all(' || model.startsWith('map(')",
        "account_calls_hour > 10 && !verified",
        "signature == 's-9' && campaign_id == 'c-7'",
        "max_tokens == -1 || choice_count > 4",
        "model.matches('^big-[0-9]+$') || tier in ['suspected']",
    ],
)
def test_a_sound_condition_is_let_through(condition: str) -> None:
    assert found(text(rule("a", "{tag: {x-a: b}}", when=condition))) == []


@pytest.mark.parametrize("condition", ["true ||", "1", "model", "true\0", "true" + " " * 2_000, "x.y", "has(tier.x)"])
def test_what_is_no_condition_is_refused_with_a_reason(condition: str) -> None:
    with pytest.raises(ConditionError) as caught:
        Compiler().compile(condition)
    assert str(caught.value)
