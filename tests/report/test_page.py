"""The page tells what was found, keeps to itself, and survives hostile names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.errors import Error
from stillwatch.report import page
from stillwatch.report.skeleton import Passage, Skeleton
from tests.report.scenes import FIRST, SKELETONS, account_ids, campaigns, facts, groups, write_run

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202ebad\x1b[31m"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


@pytest.fixture
def empty_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "empty", [], [group for group in groups() if group.campaign_id is None])


def text_of(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_headline_says_how_many_and_how_sure(run_dir: Path) -> None:
    text = text_of(page.render(run_dir, SKELETONS))
    assert "Two suspected campaigns" in text
    assert "at most 5 % of the listed campaigns are expected to be mistakes" in text
    assert "48,552 calls by 508 accounts" in text
    assert "A finding is a suspicion, not a verdict." in text


def test_a_campaign_is_told_with_evidence_doubt_links_and_techniques(run_dir: Path) -> None:
    text = text_of(page.render(run_dir, SKELETONS))
    for phrase in (
        "41,208 calls hold 41,193 different items",
        "No payment instrument, address or client build",
        "9c01f2a77b3e44d0",
        "AML.T0024.002",
        "Extract AI Model",
        "One owner who runs all accounts",
        "Signals that could not run: birth-cohort",
        "set out every step that led you there",
        "12 of 412 accounts",
        "mathematical reasoning",
        "No skeleton: the log carries no prompts",
    ):
        assert phrase in text, phrase


def test_a_picture_holds_the_accounts_of_its_own_campaign_only(run_dir: Path) -> None:
    html = page.render(run_dir, SKELETONS)
    text = text_of(html)
    assert "200 of 412 accounts, drawn by lot" in text
    assert text.count("drawn by lot") == 1
    assert f'viewBox="0 0 70 {page.HEAT_ROWS_MAX}"' in html
    assert 'viewBox="0 0 70 96"' in html


def test_evidence_is_gathered_by_its_kind(run_dir: Path) -> None:
    html = page.render(run_dir, SKELETONS)
    first = html.split('class="evidence"')[1]
    assert first.count('<th scope="rowgroup"') == 3
    assert '<th scope="rowgroup" rowspan="2">How the work is spread</th>' in first
    assert "p = 3.4" in text_of(first)


def test_families_that_were_not_tested_are_told_apart_from_those_that_were(run_dir: Path) -> None:
    text = text_of(page.render(run_dir, SKELETONS))
    tested, untested = text.split("Not tested", 1)
    assert "Accounts keep to topics of their own" in tested
    assert "3,204 families were not tested" in untested
    assert "Its calls asked for no training material." in untested
    assert "7 tested, 3,204 not" in text


def test_tested_families_skipped_signals_losses_and_bounds_are_shown(run_dir: Path) -> None:
    text = text_of(page.render(run_dir, SKELETONS))
    for phrase in (
        "98 % of the items recur in other accounts.",
        "3 accounts are under watch",
        "no account facts were given",
        "a text had been cut in 204 calls",
        "17: bad-time 5, missing-field 12",
        "family_accounts_max at 50,000",
        "420 benign families",
    ):
        assert phrase in text, phrase


def test_a_run_without_campaigns_says_what_that_means(empty_dir: Path) -> None:
    text = text_of(page.render(empty_dir, {}))
    assert "No campaign found" in text
    assert "It does not mean that there is none" in text
    assert "Shared template" in text


def test_a_run_on_an_empty_log_still_gives_a_page(tmp_path: Path) -> None:
    nothing = facts() | {"events_count": 0, "accounts_count": 0, "window": {"start": None, "end": None}}
    html = page.render(write_run(tmp_path / "run", [], [], nothing), {})
    assert "No family of calls was tested" in html


def test_the_page_reaches_for_nothing_and_runs_nothing(run_dir: Path) -> None:
    html = page.render(run_dir, SKELETONS)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert "unsafe" not in policy[1]
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    style = re.search(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    assert style
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy[1]
    assert not re.search(r"https?:|<script|<link|<iframe|\sstyle=|\son\w+=|url\(|@import|javascript:", html)


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    hostile = replace(
        campaigns()[0],
        capabilities=(HOSTILE,),
        techniques=(HOSTILE,),
        evidence=(replace(campaigns()[0].evidence[0], statement=HOSTILE),),
    )
    run_json = facts() | {"dialect": {"ident": HOSTILE, "reason": HOSTILE, "losses": {HOSTILE: 3}}}
    run_dir = write_run(tmp_path / "run", [hostile], None, run_json, hostile_account=HOSTILE)
    skeletons = {FIRST: Skeleton((Passage("user", (HOSTILE, None), 9),), 9, 9)}
    html = page.render(run_dir, skeletons)
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html


def test_the_same_run_gives_the_same_bytes_wherever_it_lies_and_however_long_it_took(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first")
    slow = facts() | {"stages": [{"name": "read", "seconds": 99.0, "rows": 1}]}
    second = write_run(tmp_path / "elsewhere", run_json=slow)
    assert page.render(first, SKELETONS) == page.render(second, SKELETONS)


def test_a_crowd_of_campaigns_is_cut_with_a_note(tmp_path: Path) -> None:
    small = replace(campaigns()[0], accounts_count=2, events_count=20)
    many = [replace(small, campaign_id=f"{i:020x}") for i in range(page.CAMPAIGNS_DETAILED_MAX + 3)]
    html = page.render(write_run(tmp_path / "run", many, []), {})
    assert html.count('<section class="chapter"') == page.CAMPAIGNS_DETAILED_MAX
    assert f"The {page.CAMPAIGNS_DETAILED_MAX} most certain are told in full" in html


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Error) as raised:
        page.render(tmp_path, {})
    assert raised.value.ident == "not-a-run"


@pytest.mark.parametrize("name", ["run.json", "campaigns.jsonl", "accounts.parquet", "activity.parquet"])
def test_a_file_that_was_cut_is_named(run_dir: Path, name: str) -> None:
    whole = (run_dir / name).read_bytes()
    (run_dir / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Error) as raised:
        page.render(run_dir, {})
    assert raised.value.ident == "broken-run"
    assert name in raised.value.where


def test_a_run_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    (run_dir / "run.json").write_text(json.dumps(facts() | {"schema_version": 2}))
    with pytest.raises(Error) as raised:
        page.render(run_dir, {})
    assert raised.value.ident == "unknown-schema-version"


CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--window-size=1200,1600",
)


def browse(tmp_path: Path, html: str, *what: str) -> subprocess.CompletedProcess[str]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("install chromium: apt-get install -y chromium")
    target = tmp_path / "report.html"
    target.write_text(html, encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [chromium, *CHROMIUM_FLAGS, profile, *what, target.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_a_real_browser_shows_the_page_without_a_complaint(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", hostile_account=HOSTILE)
    html = page.render(run_dir, SKELETONS)
    dumped = browse(tmp_path, html, "--dump-dom")
    assert "Two suspected campaigns" in dumped.stdout
    assert account_ids(campaigns()[0])[0] in page.render(run_dir, SKELETONS)
    assert "CONSOLE" not in dumped.stderr
    assert "Content Security Policy" not in dumped.stderr
    picture = tmp_path / "page.png"
    shot = browse(tmp_path, html, f"--screenshot={picture}")
    assert "CONSOLE" not in shot.stderr
    # A page whose style sheet or pictures were refused is a tenth of this.
    assert picture.stat().st_size > 60_000


def test_the_browser_would_have_complained(tmp_path: Path) -> None:
    html = page.render(write_run(tmp_path / "run"), SKELETONS).replace("<h1>", "<h1 style='color: red'>")
    assert "Content Security Policy" in browse(tmp_path, html, "--dump-dom").stderr
