"""What stays true whatever a policy says and whatever a call holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gate.contract import Call, Decision, Facts, Observed, Recognition
from stillwatch.gate.decision import GENTLE, NAMED, facts_of, tier_of
from stillwatch.gate.policy import CompiledPolicy, compile_text
from stillwatch.gate.shipped import SHIPPED, policy_text
from tests.gate.policies import NOW_US, harsh, shipped

POLICIES: dict[str, CompiledPolicy] = {**shipped(), "harsh": harsh()}

each_policy = pytest.mark.parametrize("name", POLICIES)

# A caller writes these: any text, lone halves of surrogates and NUL too, any number, and what is no number at all.
texts = st.none() | st.text(st.characters(exclude_categories=()), max_size=300) | st.sampled_from(["", "\0", "\ud800"])
wholes = st.none() | st.integers() | st.booleans() | st.sampled_from([-1, 0, 2**63, -(2**63) - 1])
floats = st.none() | st.floats()
counts = st.integers(0, 2**63) | st.integers(0, 200)

calls = st.builds(
    Call,
    time_us=st.integers(NOW_US, NOW_US + 10**9),
    account_id=texts.map(lambda text: text or ""),
    request_model=texts.map(lambda text: text or ""),
    access_path=texts,
    operation=texts,
    reasoning_level=texts,
    turn_index=wholes,
    temperature=floats,
    top_p=floats,
    choice_count=wholes | floats,
    max_tokens=wholes | floats,
    logprobs=st.none() | st.booleans(),
    stream=st.none() | st.booleans(),
    tool_names=st.just(()) | st.just(("tool",)),
)

recognitions = st.builds(
    Recognition,
    account_key=st.integers(0, 3),
    organization_key=st.integers(0, 3),
    tier=st.sampled_from(["none", "watch", "suspected", "confirmed", "cleared"]),
    campaign_id=st.sampled_from(["", "c-1"]),
    verified=st.booleans(),
    signature=st.sampled_from(["", "s-1"]),
    signature_hits=counts,
    outside_accounts=st.integers(0, 2),
    infrastructure=st.integers(0, 2),
    signature_ban_us=st.sampled_from([-1, NOW_US - 10**8]),
    grant_id=st.sampled_from(["", "", "g-1"]),
    grant_calls_max=st.integers(0, 3),
    grant_output_tokens_max=st.integers(0, 3),
)

observeds = st.builds(
    Observed,
    available=st.booleans(),
    first_seen_us=st.sampled_from([0, NOW_US, NOW_US + 10**12]),
    account_calls_hour=counts,
    account_calls_day=counts,
    account_tokens_hour=counts,
    cluster_calls_hour=counts,
    cluster_tokens_hour=counts,
    cluster_accounts_hour=counts,
    foreign_block=st.booleans(),
    failover=st.booleans(),
    grant_calls=st.integers(0, 4),
    grant_output_tokens=st.integers(0, 4),
    acted_accounts_hour=st.integers(0, 100),
    acted_verified_hour=st.integers(0, 100),
    acted_already=st.booleans(),
)


def touches(decision: Decision) -> bool:
    """Whether a caller feels anything, or the upstream sees anything."""
    return decision.is_refusal or any(
        (
            decision.tag, decision.max_tokens_max, decision.choice_count_max, decision.strip, decision.route,
            decision.delay_ms, decision.retry_after_s, decision.notice,
        )
    )  # fmt: skip


@each_policy
@given(calls, recognitions, observeds)
def test_who_is_cleared_is_never_touched(name: str, call: Call, who: Recognition, seen: Observed) -> None:
    decision = POLICIES[name].decide(call, replace(who, tier="cleared"), seen)
    assert not touches(decision)


@each_policy
@given(calls, recognitions, observeds)
def test_who_is_granted_is_never_touched(name: str, call: Call, who: Recognition, seen: Observed) -> None:
    who = replace(who, grant_id="g-1", grant_calls_max=4, grant_output_tokens_max=5)
    decision = POLICIES[name].decide(call, who, seen)
    assert not touches(decision)
    assert decision.grant_id == "g-1"


@each_policy
@given(calls, recognitions, observeds)
def test_one_family_of_evidence_never_refuses_who_was_not_named(
    name: str, call: Call, who: Recognition, seen: Observed
) -> None:
    facts = facts_of(call, who, seen)
    decision = POLICIES[name].decide(call, who, seen)
    if facts.evidence_families < 2 and facts.tier not in NAMED:
        assert decision.rung in GENTLE or decision.retry_after_s
        assert not decision.strip
        assert not decision.delay_ms
        assert not decision.route


@pytest.mark.parametrize("name", SHIPPED)
@given(calls, observeds)
def test_an_unknown_honest_caller_passes_untouched(name: str, call: Call, seen: Observed) -> None:
    decision = POLICIES[name].decide(call, Recognition(account_key=7), replace(seen, foreign_block=False))
    assert decision.rung == "allow"
    assert not touches(decision)


@given(calls, observeds)
def test_an_unknown_caller_is_never_treated_on_a_guess(call: Call, seen: Observed) -> None:
    away = replace(seen, available=False, foreign_block=False, failover=False)
    assert not touches(POLICIES["harsh"].decide(call, Recognition(account_key=7), away))


@pytest.mark.parametrize("name", SHIPPED)
@given(calls, recognitions, observeds)
def test_a_policy_in_shadow_touches_nobody(name: str, call: Call, who: Recognition, seen: Observed) -> None:
    assert not touches(SHADOWS[name].decide(call, who, seen))


SHADOWS = {
    name: compile_text(policy_text(Path(name)).replace("\nstatus: live", "\nstatus: shadow"), name, NOW_US)
    for name in SHIPPED
}


@pytest.mark.parametrize("name", SHIPPED)
@given(calls, recognitions, observeds)
def test_a_rule_in_shadow_changes_nothing_of_what_the_others_do(
    name: str, call: Call, who: Recognition, seen: Observed
) -> None:
    with_it, without = POLICIES[name].decide(call, who, seen), LIVE_ONLY[name].decide(call, who, seen)
    blind = {"policy": "", "rung": "allow", "rule": "", "shadowed": (), "reasons": (), "delay_ms": 0}
    assert replace(with_it, **blind) == replace(without, **blind)
    assert with_it.is_refusal == without.is_refusal


LIVE_ONLY = {
    name: compile_text(policy_text(Path(name)).replace("    status: shadow", "    status: draft"), name, NOW_US)
    for name in SHIPPED
}


@each_policy
@given(calls, recognitions, observeds, recognitions, observeds)
def test_what_a_refused_caller_is_told_does_not_depend_on_what_was_found(
    name: str, call: Call, who: Recognition, seen: Observed, other: Recognition, other_seen: Observed
) -> None:
    """Two decisions of one kind about one account at one time read the same, byte for byte."""
    other = replace(other, account_key=who.account_key)
    first = POLICIES[name].decide(call, who, seen)
    second = POLICIES[name].decide(call, other, other_seen)
    if (first.rung, first.retry_after_s > 0) == (second.rung, second.retry_after_s > 0):
        assert first.notice == second.notice
    if first.notice is not None:
        told = f"{first.notice.code} {first.notice.text} {first.notice.reference}"
        for secret in (first.rule, first.tier, first.campaign_id, "s-1", first.policy):
            assert not secret or secret not in told


@each_policy
@given(calls, recognitions, observeds)
def test_a_decision_is_the_same_however_often_it_is_asked(
    name: str, call: Call, who: Recognition, seen: Observed
) -> None:
    asked = POLICIES[name]
    assert asked.decide(call, who, seen) == asked.decide(call, who, seen) == asked.explained(call, who, seen)[0]


@given(calls, recognitions, observeds)
def test_facts_fit_what_conditions_can_compute_with(call: Call, who: Recognition, seen: Observed) -> None:
    facts = facts_of(call, who, seen)
    assert facts.tier == tier_of(who)
    for name, kind in Facts.__annotations__.items():
        value = getattr(facts, name)
        assert type(value).__name__ == kind, name
        if kind == "int":
            assert -1 <= value < 2**63
        if kind == "str":
            value.encode()
            assert "\0" not in value


@given(calls, recognitions, observeds)
def test_past_its_limits_a_policy_does_no_more_than_tag(call: Call, who: Recognition, seen: Observed) -> None:
    tripped = replace(seen, available=True, acted_accounts_hour=200_000, acted_verified_hour=200_000)
    for asked in POLICIES.values():
        assert asked.decide(call, who, tripped).rung in {"allow", "tag", "shadow"}
