"""What a policy decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.gate.contract import HOUR_US, Decision, Recognition
from stillwatch.gate.decision import facts_of
from stillwatch.gate.policy import compile_text
from tests.gate.policies import HEAD, NOW_US, call, known, policy, rule, seen, text


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def test_nobody_known_meets_no_rule() -> None:
    decision = policy(rule("a", "{deny: {}}")).decide(call(), Recognition(7), seen())
    assert (decision.rung, decision.rule, decision.reasons) == ("allow", "", ())


def test_milder_effects_add_up_and_the_tighter_bound_wins() -> None:
    asked = policy(
        rule("a", "{tag: {x-one: a}, cap: {max_tokens: 500, choices: 4}}"),
        rule("b", "{tag: {x-one: b, x-two: b}, cap: {max_tokens: 900, choices: 1}, strip: [logprobs]}"),
        rule("c", "{strip: [reasoning], delay: {ms: 100}}"),
    )
    decision = asked.decide(call(), known(), seen())
    assert decision.tag == (("x-one", "a"), ("x-two", "b"))
    assert (decision.max_tokens_max, decision.choice_count_max) == (500, 1)
    assert decision.strip == {"logprobs", "reasoning"}
    assert (decision.rung, decision.rule, decision.delay_ms) == ("delay", "c", 100)


def test_the_first_refusal_ends_it() -> None:
    asked = policy(
        rule("a", "{tag: {x-one: a}, cap: {max_tokens: 5}, delay: {ms: 9}, route: {model: m}}"),
        rule("b", "{step-up: {need: terms}}"),
        rule("c", "{deny: {}}"),
    )
    decision = asked.decide(call(), known(), seen())
    assert (decision.rung, decision.rule, decision.tag) == ("step-up", "b", (("x-one", "a"),))
    assert (decision.max_tokens_max, decision.delay_ms, decision.route) == (None, 0, "")
    assert decision.notice is not None
    assert decision.notice.code == "terms-needed"


def test_a_rule_of_another_tier_or_after_its_end_is_not_met() -> None:
    asked = policy(rule("a", "{deny: {}}", "confirmed"))
    assert asked.decide(call(), known("suspected"), seen()).rung == "allow"
    short = compile_text(
        text(rule("a", "{deny: {}}")).replace("    expires: 2027-06-01", "    expires: 2026-12-02"), "p", NOW_US
    )
    assert short.decide(call(), known(), seen()).rung == "deny"
    assert short.decide(call(time_us=NOW_US + 24 * HOUR_US), known(), seen()).rung == "allow"


def test_a_policy_that_has_expired_treats_nobody_and_says_so() -> None:
    asked = policy(rule("a", "{deny: {}}"))
    late = call(time_us=NOW_US + 300 * 24 * HOUR_US)
    for who in (known(), Recognition(7)):
        decision = asked.decide(late, who, seen())
        assert (decision.rung, decision.error) == ("allow", "policy-expired")


@pytest.mark.parametrize("status", ["draft", "expired"])
def test_a_rule_or_a_policy_that_is_not_in_force_does_nothing(status: str) -> None:
    whole = text(rule("a", "{deny: {}}"))
    for changed in (
        whole.replace("    status: live", f"    status: {status}"),
        whole.replace("\nstatus: live", f"\nstatus: {status}"),
    ):
        decision = compile_text(changed, "p", NOW_US).decide(call(), known(), seen())
        assert (decision.rung, decision.shadowed) == ("allow", ())


def test_a_shadow_rule_is_reported_and_lets_later_rules_go_on() -> None:
    shadow = rule("a", "{deny: {}}").replace("status: live", "status: shadow")
    decision = policy(shadow, rule("b", "{cap: {max_tokens: 5}}")).decide(call(), known(), seen())
    assert (decision.rung, decision.rule, decision.shadowed) == ("cap", "b", ("a",))
    alone = policy(shadow).decide(call(), known(), seen())
    assert (alone.rung, alone.is_refusal, alone.shadowed) == ("shadow", False, ("a",))


def test_one_family_of_evidence_does_no_more_than_cap() -> None:
    asked = policy(rule("a", "{deny: {}, cap: {max_tokens: 5}, strip: [logprobs]}", "recognised"))
    one = asked.decide(call(), known("recognised"), seen())
    assert (one.rung, one.max_tokens_max, one.strip, codes(one)) == ("cap", 5, frozenset(), ["one-family"])
    assert asked.decide(call(), known("recognised", infrastructure=1), seen()).rung == "deny"
    assert asked.decide(call(), known("recognised"), seen(foreign_block=True)).rung == "deny"


def test_a_failover_is_evidence_only_of_an_account_that_is_new() -> None:
    asked = policy(rule("a", "{deny: {}}", "recognised"))
    new = seen(first_seen_us=NOW_US - HOUR_US, failover=True)
    old = seen(first_seen_us=NOW_US - 100 * HOUR_US, failover=True)
    assert asked.decide(call(), known("recognised"), new).rung == "deny"
    assert asked.decide(call(), known("recognised"), old).rung == "tag"


def test_an_account_first_met_within_the_hour_of_a_ban_is_a_failover_and_stays_one() -> None:
    asked = policy(rule("a", "{deny: {}}", "recognised"))
    ban = NOW_US - 50 * HOUR_US
    for after_us, rung in ((0, "deny"), (HOUR_US, "deny"), (HOUR_US + 1, "tag"), (-1, "tag")):
        met = seen(first_seen_us=ban + after_us)
        assert asked.decide(call(), known("recognised", signature_ban_us=ban), met).rung == rung, after_us


@pytest.mark.parametrize(
    ("counts", "rung"),
    [
        ({"acted_accounts_hour": 99}, "deny"),
        ({"acted_accounts_hour": 100}, "tag"),
        ({"acted_accounts_hour": 100, "acted_already": True}, "deny"),
        ({"acted_accounts_hour": 1, "acted_verified_hour": 1}, "deny"),
        ({"acted_accounts_hour": 10, "acted_verified_hour": 1}, "deny"),
        ({"acted_accounts_hour": 10, "acted_verified_hour": 2}, "tag"),
    ],
)
def test_past_its_limits_a_policy_only_tags(counts: dict[str, int], rung: str) -> None:
    decision = policy(rule("a", "{deny: {}}")).decide(call(), known(), seen(**counts))
    assert decision.rung == rung
    assert (codes(decision) == ["radius-exceeded"]) == (rung == "tag")


def test_a_budget_that_is_used_up_refuses_for_now() -> None:
    asked = policy(
        rule("a", "{cap: {account: {calls_per_hour: 5, cost_per_hour: 100}, cluster: {calls_per_hour: 50}}}"),
        head=HEAD + "cost: {input: 0.5, output: 2}\n",
    )
    assert asked.decide(call(), known(), seen(account_calls_hour=5, account_tokens_hour=49)).rung == "cap"
    for spent, code in (
        (seen(account_calls_hour=6), "budget-account"),
        (seen(account_tokens_hour=50), "budget-account"),
        (seen(account_tokens_hour=40, account_input_tokens_hour=40), "budget-account"),
        (seen(cluster_calls_hour=51), "budget-cluster"),
    ):
        decision = asked.decide(call(), known(), spent)
        assert (decision.is_refusal, decision.retry_after_s, codes(decision)) == (True, 600, ["rule", code])
        assert decision.notice is not None
        assert decision.notice.code == "rate-limited"
    assert asked.decide(call(), known(campaign_id=""), seen(cluster_calls_hour=51)).rung == "cap"


def test_while_nothing_is_remembered_each_action_does_what_the_policy_chose() -> None:
    away = seen(available=False, first_seen_us=0, account_calls_hour=0)
    choose = HEAD + "on_state_away: {deny: closed}\n"
    deny = rule("a", "{deny: {}}")
    assert policy(deny).decide(call(), known(), away).rung == "tag"
    assert policy(deny, head=choose).decide(call(), known(), away).rung == "deny"
    own = rule("a", "{deny: {}}", more="on_state_away: open")
    assert policy(own, head=choose).decide(call(), known(), away).rung == "tag"


def test_a_condition_on_what_is_remembered_is_a_guess_while_nothing_is() -> None:
    away = seen(available=False, first_seen_us=0, account_calls_hour=0)
    busy = rule("a", "{deny: {}}", when='account_calls_hour > 9 && model == "model-a"', more="on_state_away: closed")
    decision = policy(busy).decide(call(), known(), away)
    assert (decision.rung, codes(decision)) == ("deny", ["state-away", "rule"])
    assert policy(busy).decide(call(request_model="other"), known(), away).rung == "allow"
    assert policy(busy.replace("closed", "open")).decide(call(), known(), away).rung == "allow"
    thought_of = busy.replace("account_calls_hour > 9", "(!state_available || account_calls_hour > 9)")
    assert policy(thought_of.replace("closed", "open")).decide(call(), known(), away).rung == "tag"


def test_a_condition_that_fails_does_what_the_policy_chose() -> None:
    broken = rule("a", "{cap: {max_tokens: 5}, deny: {}}", when="100 / turn_index > 1")
    assert policy(broken).decide(call(turn_index=0), known(), seen()).rung == "allow"
    gentle = HEAD.replace("gentle: open", "gentle: closed")
    decision = policy(broken, head=gentle).decide(call(turn_index=0), known(), seen())
    assert (decision.rung, codes(decision)) == ("cap", ["condition-failed", "rule"])
    stern = HEAD.replace("stern: open", "stern: closed")
    assert policy(broken, head=stern).decide(call(turn_index=0), known(), seen()).rung == "deny"


def test_an_exemption_holds_until_it_ends() -> None:
    head = HEAD + (
        "exemptions:\n"
        '- {reason: red team, by: Me, expires: 2026-12-02T00:00:00Z, accounts: ["pseudonym:0000000000000007"]}\n'
        '- {reason: partner, by: Me, expires: 2026-12-02T00:00:00Z, organizations: ["pseudonym:0000000000000009"]}\n'
    )
    asked = policy(rule("a", "{deny: {}}"), head=head)
    assert codes(asked.decide(call(), known(), seen())) == ["exempt"]
    assert codes(asked.decide(call(), known(account_key=8, organization_key=9), seen())) == ["exempt"]
    assert asked.decide(call(), known(account_key=8), seen()).rung == "deny"
    assert asked.decide(call(time_us=NOW_US + 24 * HOUR_US), known(), seen()).rung == "deny"


def test_before_there_is_a_snapshot_nobody_can_be_told_to_be_exempt_so_nobody_is_treated() -> None:
    busy = rule("a", "{cap: {max_tokens: 5}}", "none", "account_calls_hour > 5")
    exemption = (
        "exemptions:\n"
        '- {reason: red team, by: Me, expires: 2027-01-01T00:00:00Z, accounts: ["pseudonym:0000000000000007"]}\n'
    )
    for head, rung in ((HEAD, "cap"), (HEAD + exemption, "allow")):
        assert policy(busy, head=head).decide(call(), Recognition(0), seen(account_calls_hour=6)).rung == rung


def test_numbers_of_a_mapped_file_are_numbers_too() -> None:
    facts = facts_of(call(), known(infrastructure=np.uint8(3), verified=np.bool_(True)), seen())
    assert (facts.infrastructure, facts.verified) == (3, True)
    assert {type(facts.infrastructure), type(facts.evidence_families)} == {int}


def test_a_grant_wins_while_it_has_volume_and_then_falls_back() -> None:
    asked = policy(rule("a", "{deny: {}}"))
    who = known(grant_id="g-1", grant_calls_max=10, grant_output_tokens_max=100)
    for observed, is_granted in (
        (seen(grant_calls=10, grant_output_tokens=99), True),
        (seen(grant_calls=11), False),
        (seen(grant_output_tokens=100), False),
        (seen(available=False), True),
    ):
        decision = asked.decide(call(), who, observed)
        assert decision.is_refusal == (not is_granted)
        assert decision.grant_id == ("g-1" if is_granted else "")
    assert asked.decide(call(), replace(who, tier="none"), seen(grant_calls=1)).grant_id == "g-1"


def test_a_call_without_an_answer_gets_what_the_policy_chose() -> None:
    assert policy().without_answer("internal").rung == "allow"
    closed = policy(head=HEAD.replace("unanswered: open", "unanswered: closed"))
    decision = closed.without_answer("internal")
    assert (decision.is_refusal, decision.error, decision.retry_after_s > 0) == (True, "internal", True)
    assert decision.notice is not None
    assert decision.notice.code == "try-again"


def test_a_delay_is_the_same_for_the_same_call_and_differs_between_calls() -> None:
    asked = policy(rule("a", "{delay: {ms: 100, jitter_ms: 400}}"))
    waits = [asked.decide(call(time_us=NOW_US + at), known(), seen()).delay_ms for at in range(200)]
    assert waits == [asked.decide(call(time_us=NOW_US + at), known(), seen()).delay_ms for at in range(200)]
    assert min(waits) >= 100
    assert max(waits) <= 500
    assert len(set(waits)) > 50


def test_an_appeal_reference_depends_on_the_key_and_not_on_the_rule() -> None:
    def reference(name: str, secret: bytes, **more: object) -> str:
        asked = compile_text(text(rule(name, "{deny: {}}", "suspected, confirmed")), "p", NOW_US, secret)
        notice = asked.decide(call(), known(**more), seen()).notice
        assert notice is not None
        return notice.reference

    first = reference("a", b"one secret that is long")
    assert first == reference("another", b"one secret that is long", tier="confirmed")
    assert first != reference("a", b"another secret, as long")
    assert first != reference("a", b"one secret that is long", account_key=8)
