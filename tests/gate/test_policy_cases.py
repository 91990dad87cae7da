"""Cases of a policy, and situations that are made of facts."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.gate.decision import facts_of
from stillwatch.gate.policy_cases import read_cases, run_case
from stillwatch.gate.policy_file import read
from stillwatch.gate.shipped import SHIPPED, cases_text
from stillwatch.gate.situations import Given, read_situation, situation
from stillwatch.report import policing
from tests.gate.policies import HEAD, NOW_US, policy, rule, shipped
from tests.house.repository import ROOT

CASES = "version: 1\nnow: 2026-12-01T12:00:00Z\ncases:\n"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_case_of_a_shipped_policy_passes(name: str) -> None:
    compiled, found = shipped()[name], read_cases(cases_text(Path(name)), name)
    ran = [run_case(compiled, line, case, found.now_us) for line, case in found.cases]
    assert len(ran) >= 8
    assert policing.case_lines(ran, name) == [f"{name}: {len(ran)} of {len(ran)} cases passed"]


def test_the_case_that_the_cookbook_shows_passes() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    (shown,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "cases:" in block)
    found = read_cases(shown, "docs/policy.md")
    assert [run_case(shipped()["strict"], line, case, found.now_us).differs for line, case in found.cases] == [()]


def test_what_the_cookbook_shows_of_a_policy_is_a_policy() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    parts = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "cases:" not in block]
    assert {part.split(":")[0] for part in parts} == {"limits", "exemptions", "notices"}
    replaced = ("limits:", "notices:", "  ")
    head = "\n".join(line for line in HEAD.splitlines() if not line.startswith(replaced))
    assert read("\n".join([head, *parts])).problems == ()


def test_a_case_that_fails_says_what_was_expected_what_came_and_why() -> None:
    found = read_cases(
        f"{CASES}- name: Refused\n  facts: {{tier: suspected}}\n  expect: {{rung: deny, shadowed: []}}\n"
    )
    ((line, case),) = found.cases
    ran = run_case(policy(rule("a", "{cap: {max_tokens: 5}}")), line, case, found.now_us)
    assert policing.case_lines([ran], "p.cases.yaml") == [
        "p.cases.yaml:4: Refused",
        "    - rung: 'deny'",
        "    + rung: 'cap'",
        "      a (live): met, does cap",
        "p.cases.yaml: 0 of 1 cases passed",
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ("{tier: none, evidence_families: 2}", "evidence_families"),
        ("{tier: recognised, failover: true, account_age_hours: 700}", "failover"),
        ("{tier: none, signature: s-1}", "tier"),
    ],
)
def test_a_case_of_a_call_that_cannot_be_fails(facts: str, said: str) -> None:
    found = read_cases(f"{CASES}- {{name: x, facts: {facts}, expect: {{rung: allow}}}}\n")
    ((line, case),) = found.cases
    ran = run_case(policy(), line, case, found.now_us)
    assert ran.differs[0][0] == "facts"
    assert said in ran.differs[0][2]


@pytest.mark.parametrize(
    "bad",
    [
        "version: 1\nnow: 2026-12-01T12:00:00Z\ncases: []\n",
        "version: 2\nnow: 2026-12-01T12:00:00Z\ncases: [{name: x, expect: {}}]\n",
        "version: 1\ncases: [{name: x, expect: {}}]\n",
        f"{CASES}- {{name: x, expect: {{rugn: deny}}}}\n",
        f"{CASES}- {{name: x, facts: {{teir: none}}, expect: {{}}}}\n",
        "- a\n",
    ],
)
def test_a_file_of_cases_with_a_slip_is_refused(bad: str) -> None:
    with pytest.raises(Error) as caught:
        read_cases(bad, "c.yaml")
    assert caught.value.ident == "bad-cases"


@pytest.mark.parametrize(
    "bad",
    [
        '{"facts": {"tier": 1}}',
        '{"fact": {}}',
        '{"call": {"prompt": "x"}}',
        '{"observed": {"account_calls_hour": "many"}}',
        '{"time": "yesterday"}',
        "[1]",
        '{"facts": {"tier": "recognised", "evidence_families": 4}}',
    ],
)
def test_a_situation_with_a_slip_is_refused(bad: str) -> None:
    with pytest.raises(Error) as caught:
        read_situation(bad, "s.json", NOW_US)
    assert caught.value.ident == "bad-situation"


def test_parts_of_a_situation_go_before_facts() -> None:
    asked = '{"facts": {"tier": "suspected"}, "recognition": {"account_key": 9}, "observed": {"acted_already": true}}'
    call, recognition, observed = read_situation(asked, "s.json", NOW_US)
    assert (recognition.account_key, recognition.tier, observed.acted_already) == (9, "suspected", True)
    assert call.time_us == NOW_US


@given(
    st.fixed_dictionaries(
        {"tier": st.sampled_from(["none", "watch", "recognised", "suspected", "confirmed", "cleared"])},
        optional={
            "campaign_id": st.sampled_from(["", "c-1"]),
            "verified": st.booleans(),
            "infrastructure": st.integers(0, 9),
            "outside_accounts": st.integers(0, 9),
            "foreign_block": st.booleans(),
            "account_age_hours": st.integers(0, 10_000),
            "account_calls_hour": st.integers(0, 10**6),
            "cluster_tokens_hour": st.integers(0, 10**9),
            "state_available": st.just(True),
            "model": st.sampled_from(["", "model-a"]),
            "stream": st.booleans(),
            "tools": st.booleans(),
            "max_tokens": st.integers(-1, 10**6),
            "choice_count": st.integers(-1, 9),
            "turn_index": st.integers(0, 9),
        },
    )
)
def test_facts_that_are_given_are_the_facts_of_the_call(facts: dict[str, object]) -> None:
    found = facts_of(*situation(msgspec.convert({"facts": facts}, Given), NOW_US))
    assert {name: getattr(found, name) for name in facts} == facts
