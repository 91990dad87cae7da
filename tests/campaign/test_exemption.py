from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaign.conclusion import Draft
from stillwatch.campaign.exemption import (
    Exemption,
    KeyedGrant,
    Tally,
    Usage,
    Volume,
    exempt,
    keyed,
    lines,
    tallies,
    volumes,
    without_exempted,
)
from stillwatch.errors import Error
from stillwatch.grant import Grant, micros
from stillwatch.pseudonym import Key

KEY = Key.derive(b"a secret of tests", "identifiers")
DAY_US = 86_400_000_000
START_US = micros("2026-11-01T00:00:00Z")


def grant(**changes: object) -> Grant:
    plain = Grant(
        "g-1", "A customer", ("org-1",), ("a0", "a1"), ("model-a",), "a purpose", 100, 10_000,
        "2026-11-01T00:00:00Z", "2026-11-11T00:00:00Z", "We", "2026-10-20T09:00:00Z",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def names(*given_names: str) -> np.ndarray:
    found = [
        keyed([grant(accounts=(name,), organizations=())], KEY)[0].accounts[0] if name else np.uint64(0)
        for name in given_names
    ]
    return np.array(found, dtype=np.uint64)


def usage(rows: list[tuple[str, str, str, float, int]]) -> Usage:
    """Rows of account, organisation, model, day and output tokens."""
    accounts, organizations, models, days, tokens = zip(*rows, strict=True)
    return Usage(
        names(*accounts),
        names(*organizations),
        names(*models),
        np.array([START_US + int(day * DAY_US) for day in days], dtype=np.int64),
        np.array(tokens, dtype=np.int64),
    )


def calls(
    account: str, count: int = 3, model: str = "model-a", day: float = 1.0, organization: str = ""
) -> list[tuple[str, str, str, float, int]]:
    return [(account, organization, model, day, 50)] * count


def only(rows: list[tuple[str, str, str, float, int]], *grants: Grant, **settings: dict[str, Volume]) -> Exemption:
    return exempt([usage(rows)], keyed(grants or [grant()], KEY), **settings)[0]


def test_a_campaign_of_licensed_accounts_is_exempted_and_audited() -> None:
    found = only(calls("a0") + calls("a1") + calls("a7", organization="org-1"))
    assert found.status == "exempted"
    assert len(found.remaining) == 0
    (audit,) = found.audits
    assert (audit.calls_count, audit.output_tokens, audit.calls_left, audit.output_tokens_left) == (9, 450, 91, 9_550)
    assert (audit.accounts_count, audit.exempted_accounts_count) == (3, 3)


def test_accounts_without_a_grant_remain_and_the_finding_says_who_was_taken_out() -> None:
    found = only(calls("a0") + calls("x1") + calls("x2"))
    assert found.status == "reduced"
    assert set(found.remaining) == set(names("x1", "x2"))
    assert "1 accounts were taken out by grants" in found.counter_evidence()[-1].statement


def test_without_any_grant_nothing_changes() -> None:
    found = exempt([usage(calls("x1"))], [])[0]
    assert (found.status, found.audits, found.counter_evidence()) == ("stands", (), ())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (calls("a0", model="model-b"), "3 calls on another model"),
        (calls("a0", day=-1), "3 calls before it began"),
        (calls("a0", day=10), "3 calls after it ended"),
        (calls("a0", count=101), "more calls than it allows"),
        ([("a0", "", "model-a", 1.0, 6_000)] * 2, "more output tokens than it allows"),
    ],
)
def test_out_of_its_bounds_the_finding_stands_and_says_by_which(
    rows: list[tuple[str, str, str, float, int]], said: str
) -> None:
    found = only(rows)
    assert found.status == "stands"
    assert said in found.counter_evidence()[0].statement


def test_a_single_call_out_of_bounds_keeps_its_account_and_no_other() -> None:
    found = only(calls("a0") + calls("a0", 1, model="model-b") + calls("a1"))
    assert found.status == "reduced"
    assert set(found.remaining) == set(names("a0"))


def test_a_grant_that_was_used_before_has_less_left() -> None:
    rows = calls("a0", 60)
    assert only(rows, earlier={"g-1": Volume(40, 0)}).status == "exempted"
    assert only(rows, earlier={"g-1": Volume(41, 0)}).status == "stands"
    assert only(rows, earlier={"g-1": Volume(40, 7_001)}).audits[0].exceeded == "output tokens"


def test_volume_adds_up_over_campaigns_and_a_grant_that_runs_out_exempts_nobody() -> None:
    grants = keyed([grant()], KEY)
    both = exempt([usage(calls("a0", 60)), usage(calls("a1", 60))], grants)
    assert [one.status for one in both] == ["stands", "stands"]
    assert [one.status for one in exempt([usage(calls("a0", 50)), usage(calls("a1", 50))], grants)] == ["exempted"] * 2


def test_a_renewed_grant_goes_on_where_the_first_one_ends() -> None:
    renewed = grant(grant_id="g-2", not_before="2026-11-11T00:00:00Z", expires="2026-11-21T00:00:00Z")
    rows = calls("a0", day=9) + calls("a0", day=11)
    assert only(rows).status == "stands"
    assert only(rows, grant(), renewed).status == "exempted"


def test_a_grant_may_name_pseudonyms() -> None:
    (key,) = names("a5")
    assert only(calls("a5"), grant(accounts=(f"pseudonym:{int(key):016x}",))).status == "exempted"


def test_an_unknown_organisation_is_nobodys() -> None:
    assert only(calls("x1", organization="")).status == "stands"


cells = st.tuples(
    st.sampled_from(["a0", "a1", "x1", "x2"]),
    st.sampled_from(["", "org-1", "org-2"]),
    st.sampled_from(["model-a", "model-b"]),
    st.sampled_from([-1.0, 1.0, 11.0]),
    st.integers(-1, 4_000),
)


@given(st.lists(cells, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_calls_and_grants_does_not_matter(
    rows: list[tuple[str, str, str, float, int]], chance: object
) -> None:
    grants = [grant(), grant(grant_id="g-2", accounts=("x1",), expires="2026-11-30T00:00:00Z")]
    straight = only(rows, *grants)
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    other = only(shuffled, *reversed(grants))
    assert (straight.status, straight.audits) == (other.status, other.audits)
    assert (straight.remaining == other.remaining).all()


@given(st.lists(cells, min_size=1, max_size=12))
def test_every_exempted_account_stayed_inside_the_bounds(rows: list[tuple[str, str, str, float, int]]) -> None:
    found = only(rows)
    for account, organization, model, day, _ in rows:
        if names(account)[0] in found.exempted:
            assert account in {"a0", "a1"} or organization == "org-1"
            assert model == "model-a"
            assert 0 <= day < 10
    assert len(found.exempted) + len(found.remaining) == len({row[0] for row in rows})


def test_a_reduced_campaign_keeps_its_other_accounts_and_gains_a_doubt() -> None:
    accounts = np.sort(names("a0", "x1", "x2"))
    draft = Draft(
        (0,),
        ("f-1",),
        accounts,
        np.ones(3),
        np.ones(3, dtype=bool),
        np.zeros(3, dtype=bool),
        0.001,
        0.01,
        (),
        (),
        (),
        (),
        ("t",),
    )
    reduced = without_exempted(draft, only(calls("a0") + calls("x1") + calls("x2")))
    assert set(reduced.accounts) == set(names("x1", "x2"))
    assert len(reduced.membership) == len(reduced.named) == 2
    assert len(reduced.counter_evidence) == 2


def test_the_audit_trail_of_one_run_is_the_earlier_use_of_the_next(tmp_path: Path) -> None:
    for day in (1, 2):
        run = tmp_path / str(day)
        run.mkdir()
        window = {"start": f"2026-11-0{day}T00:00:00Z", "end": f"2026-11-0{day}T23:59:59Z"}
        (run / "run.json").write_text(json.dumps({"window": window, "more": 1}))
        told = lines(["c-1", "c-2"], [only(calls("a0", 30 + day)), only(calls("x1"))])
        assert len(told) == 1
        (run / "exemptions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    assert volumes([tmp_path / "1", tmp_path / "2"]) == {"g-1": Volume(63, 63 * 50)}
    late = lines(["c-1"], [only(calls("a0", 5, day=10))])
    (tmp_path / "2" / "exemptions.jsonl").write_text(json.dumps(late[0]) + "\n")
    assert tallies([tmp_path / "1", tmp_path / "2"]) == {"g-1": Tally(Volume(31, 31 * 50), late_calls=5)}
    with pytest.raises(Error) as refused:
        volumes([tmp_path / "1", tmp_path / "1"])
    assert refused.value.ident == "runs-overlap"
    with pytest.raises(Error) as refused:
        volumes([tmp_path])
    assert refused.value.ident == "broken-run"


def test_grants_are_taken_in_order_of_name() -> None:
    found: list[KeyedGrant] = keyed([grant(grant_id="g-2"), grant(grant_id="g-1")], KEY)
    assert [one.grant.grant_id for one in found] == ["g-1", "g-2"]
