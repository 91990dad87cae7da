"""What a policy's file may hold, and what is told of one that holds something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.gate import yaml_text
from stillwatch.gate.policy import load
from stillwatch.gate.policy_file import read, schema
from stillwatch.gate.shipped import SHIPPED
from tests.gate.policies import HEAD, NOW_US, rule, text


def problems(changed: str) -> list[tuple[int, str]]:
    return [(each.line, each.text) for each in read(changed).problems]


@pytest.mark.parametrize(
    "bad",
    [
        "a: &x 1\nb: *x",
        "a: &x 1",
        "a: 1\na: 2",
        "a: {b: 1, b: 1}",
        "[" * 50,
        "a: !!python/object/apply:os.system [x]",
        "a: !mine x",
        "? [a]\n: b",
        "<<: {a: 1}",
        "a\0b",
        "--- 1\n--- 2",
        "a: [",
        "- " * 30_000,
        "a: " + "9" * 5_000,
        "x" * (yaml_text.YAML_BYTES_MAX + 1),
    ],
    ids=lambda bad: bad[:20],
)
def test_what_a_hand_written_file_does_not_need_is_refused(bad: str) -> None:
    with pytest.raises(Error) as caught:
        yaml_text.parse(bad, "p.yaml")
    assert caught.value.ident == "bad-yaml"


def test_a_time_stays_the_text_that_it_is() -> None:
    assert yaml_text.parse("a: 2027-01-01T00:00:00Z\nb: 2027-01-01").value == {
        "a": "2027-01-01T00:00:00Z",
        "b": "2027-01-01",
    }


def ident_of(ask: Callable[[], object]) -> str:
    """The error that a question ends in, or nothing."""
    try:
        ask()
    except Error as error:
        return error.ident
    return ""


@given(st.text(max_size=200) | st.text("{}[]:-,&*!|>'\"#\n a0?", max_size=200))
def test_any_text_is_read_or_refused_in_words(anything: str) -> None:
    assert ident_of(lambda: yaml_text.parse(anything)) in ("", "bad-yaml")


names = st.sampled_from(
    ["version", "name", "rules", "exemptions", "when", "actions", "tiers", "expires", "limits", "tag", "cap"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=10,
)


@given(values)
def test_any_values_are_told_what_is_wrong_with_them(value: object) -> None:
    whole = json.dumps(value)
    if ident_of(lambda: read(whole)) != "bad-yaml":
        assert read(whole).problems


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("version: 1", "version: 2"), 1, "version"),
        (("name: example", "name: Example"), 2, "name"),
        (("status: live\nexpires", "status: on\nexpires"), 3, "status"),
        (("expires: 2027-06-01T00:00:00Z\non", "expires: 2027-06-31T00:00:00Z\non"), 4, "no such time"),
        (("expires: 2027-06-01T00:00:00Z\non", "expires: 2027-06-01\non"), 4, "expires"),
        (("stern: open", "stern: ajar"), 5, "stern"),
        (("accounts_per_hour_max: 100", "accounts_per_hour_max: 0"), 6, "accounts_per_hour_max"),
        (("verified_share_max: 0.1", "verified_share_max: .nan"), 6, "verified_share_max"),
        (("verified_share_max: 0.1", "verified_share_max: 1.5"), 6, "verified_share_max"),
        (("verified_accounts_min: 10", "verified_accounts_min: true"), 6, "verified_accounts_min"),
        (("verified_accounts_min: 10", "verified_accounts_mni: 10"), 6, "verified_accounts_mni"),
        (("tiers: [suspected]", "tiers: [cleared]"), 16, "tiers"),
        (("tiers: [suspected]", "tiers: []"), 16, "tiers"),
        (("{max_tokens: 5}", "{max_tokens: 0}"), 18, "max_tokens"),
        (("{max_tokens: 5}", "{max_tokens: 1e99}"), 18, "max_tokens"),
        (("cap: {max_tokens: 5}", "ban: {}"), 18, "ban"),
        (("cap: {max_tokens: 5}", "delay: {ms: 99999}"), 18, "ms"),
        (("cap: {max_tokens: 5}", "tag: {authorization: x}"), 18, "tag"),
        (("cap: {max_tokens: 5}", 'tag: {x-a: "b\\r\\nhost: c"}'), 18, "tag"),
        (("cap: {max_tokens: 5}", "strip: [answers]"), 18, "strip"),
    ],
)
def test_a_wrong_field_is_told_with_its_line(change: tuple[str, str], line: int, said: str) -> None:
    whole = text(rule("a", "{cap: {max_tokens: 5}}"))
    assert change[0] in whole
    assert not problems(whole)
    (found,) = problems(whole.replace(*change))
    assert found[0] == line
    assert said in found[1]


def test_every_rule_that_is_wrong_is_told() -> None:
    wrong = rule("a", "{ban: {}}")
    found = problems(text(wrong, rule("b", "{deny: {}}"), wrong))
    assert [line for line, _ in found] == [18, 30]


def test_an_exemption_names_nobody_by_a_raw_identifier() -> None:
    head = HEAD + "exemptions:\n- {reason: r, by: Me, expires: 2027-01-01T00:00:00Z, accounts: [acct-of-somebody]}\n"
    (found,) = problems(head)
    assert found[0] == 14
    assert "acct-of-somebody" not in found[1]


def test_a_schema_for_editors_knows_every_rung() -> None:
    actions = schema()["$defs"]["Actions"]
    assert set(actions["properties"]) == {"tag", "cap", "strip", "route", "step-up", "delay", "deny"}
    assert actions["additionalProperties"] is False


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_goes_by_its_name(name: str) -> None:
    assert load(Path(name), NOW_US).ident.startswith(f"{name}@")


def test_a_policy_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        load(tmp_path / "none.yaml", NOW_US)
    assert caught.value.ident == "no-such-policy"


def test_a_policy_with_an_error_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text(rule("a", "{deny: {}}", when="account_calls_hour > 'many'")))
    with pytest.raises(Error) as caught:
        load(path, NOW_US)
    assert caught.value.ident == "bad-policy"
    assert "line 20" in caught.value.where
