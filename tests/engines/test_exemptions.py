"""A run that is given grants: what they cover is audited and no finding, what leaves their bounds is one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.engines.run import detect
from stillwatch.errors import Error
from stillwatch.evidence import grants, revocations, signing
from stillwatch.grant import Grant, Revocation, micros
from tests.engines.logs import WORLD, request
from tests.scenes.scene import Found, Silent

POOL = tuple(WORLD.pools["pool"])
ALLOWED = Grant(
    "", "A licensed customer", (), POOL, ("model-one",), "a model of its own", 1_000_000, 10**12,
    "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z", "The provider", "2020-01-01T00:00:00Z",
)  # fmt: skip


def answer(
    folder: Path, allowed: Grant = ALLOWED, revoked_from: str = "", **settings: Any
) -> tuple[Found, list[dict[str, Any]]]:
    private = signing.new_private_key()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issuer.pub").write_bytes(signing.public_key(private))
    (folder / "grant.json").write_text(grants.issue(allowed, private))
    if revoked_from:
        revocation = Revocation(grants.grant_ident(allowed), revoked_from, "the contract ended")
        (folder / "revocation.json").write_text(revocations.issue(revocation, private))
        settings["grant_revocations"] = (folder / "revocation.json",)
    asked = request(folder, grants=(folder / "grant.json",), grant_keys=(folder / "issuer.pub",), **settings)
    detect(asked, Silent())
    told = [json.loads(line) for line in (asked.out / "exemptions.jsonl").read_text().splitlines()]
    return Found.read(asked.out), told


def test_a_licensed_campaign_is_no_finding_and_is_audited(tmp_path: Path) -> None:
    found, told = answer(tmp_path)
    assert (found.campaigns, found.accounts, found.exchanges) == ([], [], [])
    (line,) = told
    assert (line["status"], line["exempted_accounts_count"]) == ("exempted", len(POOL))
    assert line["grants"][0]["calls_left"] < ALLOWED.calls_max
    assert found.run["grants"] == [line["grants"][0]["grant_id"]]


def test_a_grant_for_some_accounts_leaves_the_others_and_says_so(tmp_path: Path) -> None:
    found, (line,) = answer(tmp_path, replace(ALLOWED, accounts=POOL[:10]))
    (campaign,) = found.campaigns
    assert line["status"] == "reduced"
    assert line["campaign_id"] == campaign["campaign_id"]
    assert found.named(campaign["campaign_id"]) == set(POOL[10:])
    assert {row["account_id"] for row in found.exchanges} == set(POOL[10:])
    assert any("10 accounts were taken out by grants" in each["statement"] for each in campaign["counter_evidence"])


def test_a_grant_on_another_model_exempts_nobody_and_the_finding_says_by_which_bound(tmp_path: Path) -> None:
    found, (line,) = answer(tmp_path, replace(ALLOWED, models=("model-two",)))
    (campaign,) = found.campaigns
    assert line["status"] == "stands"
    assert found.named(campaign["campaign_id"]) == set(POOL)
    assert any("on another model" in each["statement"] for each in campaign["counter_evidence"])


def test_calls_of_earlier_runs_count_against_a_grant(tmp_path: Path) -> None:
    first, (line,) = answer(tmp_path / "first")
    used = line["grants"][0]["calls_count"]
    tight = replace(ALLOWED, calls_max=used + 1)
    _, (alone,) = answer(tmp_path / "alone", tight)
    _, (after,) = answer(tmp_path / "after", tight, grants_used=(tmp_path / "alone" / "out" / "run",))
    assert first.campaigns == []
    assert (alone["status"], after["status"]) == ("exempted", "stands")
    assert after["grants"][0]["exceeded"] == "calls"


def test_a_revoked_grant_exempts_the_calls_before_its_end_only(tmp_path: Path) -> None:
    found, _ = answer(tmp_path / "whole")
    first, last = (micros(found.run["window"][side]) for side in ("start", "end"))
    later, (line,) = answer(tmp_path / "later", revoked_from=revocations.rfc3339(last + 1))
    assert (later.campaigns, line["status"]) == ([], "exempted")
    assert list(later.run["grants_revoked"].values()) == [revocations.rfc3339(last + 1)]
    sooner, (line,) = answer(tmp_path / "sooner", revoked_from=revocations.rfc3339((first + last) // 2))
    (campaign,) = sooner.campaigns
    (audit,) = line["grants"]
    assert audit["late_calls"] > 0
    assert audit["calls_count"] > 0
    assert sooner.named(campaign["campaign_id"])
    assert any("after it ended" in each["statement"] for each in campaign["counter_evidence"])
    assert sooner.run["config_digest"] != later.run["config_digest"] != found.run["config_digest"]


def test_a_revocation_that_nobody_trusted_signed_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    private = signing.new_private_key()
    (tmp_path / "issuer.pub").write_bytes(signing.public_key(private))
    (tmp_path / "grant.json").write_text(grants.issue(ALLOWED, private))
    ended = Revocation(grants.grant_ident(ALLOWED), "2026-01-01T00:00:00Z", "by somebody else")
    (tmp_path / "revocation.json").write_text(revocations.issue(ended, signing.new_private_key()))
    asked = request(
        tmp_path,
        grants=(tmp_path / "grant.json",),
        grant_keys=(tmp_path / "issuer.pub",),
        grant_revocations=(tmp_path / "revocation.json",),
    )
    with pytest.raises(Error) as refused:
        detect(replace(asked, events=("nowhere",)), Silent())
    assert refused.value.ident == "untrusted-key"


def test_a_grant_that_nobody_trusted_signed_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "grant.json").write_text(grants.issue(ALLOWED, signing.new_private_key()))
    (tmp_path / "issuer.pub").write_bytes(signing.public_key(signing.new_private_key()))
    asked = request(tmp_path, grants=(tmp_path / "grant.json",), grant_keys=(tmp_path / "issuer.pub",))
    with pytest.raises(Error) as refused:
        detect(replace(asked, events=("nowhere",)), Silent())
    assert refused.value.ident == "untrusted-key"
