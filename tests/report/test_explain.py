"""Each name gets an honest answer: why, why not, and what would change it."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from stillwatch.errors import Error
from stillwatch.report.explain import NOTHING_FOR_IT, explain, show
from tests.report.scenes import (
    CLEARED_KEY,
    FIRST,
    MEMBERLESS_KEY,
    UNTESTED_KEY,
    account_ids,
    campaigns,
    write_run,
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def test_a_campaign_is_found_by_its_id_and_by_six_digits(run_dir: Path) -> None:
    whole = explain(run_dir, FIRST, None)
    assert explain(run_dir, FIRST[:6], None) == whole
    assert (whole.subject, whole.ident, whole.verdict) == ("campaign", FIRST, "campaign")
    assert "412 accounts made 41,208 calls" in whole.what[0]
    assert whole.why[0].startswith("41,208 calls hold 41,193 different items")
    assert "birth-cohort could not run: no account facts were given" in whole.why_not
    assert whole.what_would_change[0].startswith("One owner who runs all accounts")


def test_a_listed_account_is_told_its_share_and_its_doubts(run_dir: Path) -> None:
    found = explain(run_dir, account_ids(campaigns()[0])[0], None)
    assert found.verdict == "campaign"
    assert "100 of its 300 calls (33 %) belong to it" in found.what[0]
    assert found.why_not[0].startswith("200 calls of the account lie outside the campaign")


def test_a_watched_account_is_told_that_nothing_follows(run_dir: Path) -> None:
    found = explain(run_dir, "watch_1", None)
    assert found.verdict == "watch"
    assert "Watching calls for no measure." in found.what
    assert found.why


def test_a_tested_account_that_is_not_listed_learns_why(run_dir: Path) -> None:
    found = explain(run_dir, "a student", CLEARED_KEY)
    assert found.verdict == "not-listed"
    assert found.what[1] == "Its calls fit 2 families that were tested, and 1 more that had no reason to be."
    assert "30 calls in family" in found.why[0]
    assert "98 % of the items recur in other accounts." in found.why[0]


def test_a_suspicion_about_a_family_is_told_with_the_family(run_dir: Path) -> None:
    assert explain(run_dir, "a student", CLEARED_KEY).why_not[0] == NOTHING_FOR_IT
    found = explain(run_dir, "tempted", MEMBERLESS_KEY)
    assert found.verdict == "not-listed"
    assert "The family is of a campaign, yet" in found.why[0]
    assert all(line.startswith("Family fam-") for line in found.why_not[:3])
    assert not any("[template-reuse" in line for line in found.why_not)


def test_an_account_whose_calls_gave_no_reason_for_a_test_is_not_called_tested(run_dir: Path) -> None:
    found = explain(run_dir, "somebody", UNTESTED_KEY)
    assert found.verdict == "not-tested"
    assert found.what[1] == "Its calls fit 1 family that had no reason to be tested."
    assert found.why[0].endswith("Its calls asked for no training material.")


def test_a_campaign_that_the_run_has_not_is_not_taken_for_an_account(run_dir: Path) -> None:
    with pytest.raises(Error) as raised:
        explain(run_dir, "c-0123456789abcdef", 424242)
    assert raised.value.ident == "unknown-name"


def test_an_account_in_no_tested_family_is_not_called_cleared(run_dir: Path) -> None:
    found = explain(run_dir, "someone", 424242)
    assert found.verdict == "not-tested"
    assert any("not the same as cleared" in sentence for sentence in found.why_not)


def test_a_name_that_nothing_carries_is_refused_without_repeating_it(run_dir: Path) -> None:
    with pytest.raises(Error) as raised:
        explain(run_dir, "secret-customer", None)
    assert raised.value.ident == "unknown-name"
    assert "secret-customer" not in str(raised.value) + raised.value.hint


def test_five_digits_are_too_few(run_dir: Path) -> None:
    with pytest.raises(Error) as raised:
        explain(run_dir, FIRST[:5], None)
    assert raised.value.ident == "unknown-name"


def test_a_prefix_of_two_campaigns_is_refused(tmp_path: Path) -> None:
    twins = [replace(campaigns()[0], campaign_id=FIRST[:10] + end) for end in ("0" * 10, "1" * 10)]
    run_dir = write_run(tmp_path / "run", twins)
    with pytest.raises(Error) as raised:
        explain(run_dir, FIRST[:8], None)
    assert raised.value.ident == "ambiguous-name"


def test_an_explanation_is_plain_json_and_prints_four_headings(run_dir: Path) -> None:
    found = explain(run_dir, FIRST, None)
    assert json.loads(json.dumps(asdict(found)))["verdict"] == "campaign"
    out = io.StringIO()
    show(found, Console(file=out, width=80))
    for heading in ("What", "Why", "Why perhaps not", "What would change it"):
        assert f"{heading}\n" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert not [line for line in out.getvalue().splitlines() if line != line.rstrip()]
