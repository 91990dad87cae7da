from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import Error
from stillwatch.lab.score import b_cubed, score, upper_bound


def write_run(folder: Path, named: list[tuple[str, str | None, str]], exchanges: list[tuple[str, str]]) -> Path:
    run = folder / "run"
    run.mkdir()
    pq.write_table(
        pa.table(
            {
                "account_id": pa.array([row[0] for row in named], pa.string()),
                "campaign_id": pa.array([row[1] for row in named], pa.string()),
                "verdict": pa.array([row[2] for row in named], pa.string()),
            }
        ),
        run / "accounts.parquet",
    )
    pq.write_table(
        pa.table(
            {
                "event_id": pa.array([row[0] for row in exchanges], pa.string()),
                "campaign_id": pa.array([row[1] for row in exchanges], pa.string()),
            }
        ),
        run / "exchanges.parquet",
    )
    return run


def write_truth(folder: Path) -> Path:
    """Two campaigns, of four accounts with two calls each and of two with one; of ten honest accounts nine call."""
    truth = folder / "truth"
    truth.mkdir()
    rows = [(f"p{i}", "campaign", "pool") for i in range(4)] + [(f"q{i}", "campaign", "quiet") for i in range(2)]
    rows += [(f"h{i}", "harness", None) for i in range(4)] + [(f"c{i}", "consumer", None) for i in range(6)]
    pq.write_table(
        pa.table({name: [row[at] for row in rows] for at, name in enumerate(("account_id", "class", "campaign"))}),
        truth / "accounts.parquet",
    )
    rows = [row for row in rows if row[0] != "c5"]
    pq.write_table(pa.table({"account_id": [row[0] for row in rows]}), truth / "callers.parquet")
    calls = [(f"ep{i}", "pool") for i in range(8)] + [(f"eq{i}", "quiet") for i in range(2)]
    pq.write_table(
        pa.table({"event_id": [c[0] for c in calls], "campaign": [c[1] for c in calls]}),
        truth / "calls.parquet",
    )
    return truth


def test_a_perfect_run_scores_one_everywhere(tmp_path: Path) -> None:
    named = [(f"p{i}", "A", "campaign") for i in range(4)] + [(f"q{i}", "B", "campaign") for i in range(2)]
    exchanges = [(f"ep{i}", "A") for i in range(8)] + [(f"eq{i}", "B") for i in range(2)]
    result = score(write_run(tmp_path, named, exchanges), write_truth(tmp_path))
    for campaign in result.campaigns:
        assert campaign.found
        assert (campaign.accounts_recall, campaign.calls_recall, campaign.purity) == (1.0, 1.0, 1.0)
    assert result.accounts_precision == result.calls_precision == result.b_cubed_f == 1.0
    assert result.honest.named_count == 0


def test_a_partial_run_is_counted_to_the_account_and_the_call(tmp_path: Path) -> None:
    named = [
        ("p0", "A", "campaign"),
        ("p1", "A", "campaign"),
        ("p2", "A", "campaign"),
        ("h0", "A", "campaign"),
    ]
    named += [("h1", None, "watch"), ("q0", None, "watch")]
    exchanges = [("ep0", "A"), ("ep1", "A"), ("ep2", "A"), ("ep3", "A"), ("x1", "A")]
    result = score(write_run(tmp_path, named, exchanges), write_truth(tmp_path))
    pool, quiet = result.campaigns
    assert (pool.campaign, pool.accounts_recall, pool.calls_recall, pool.purity) == ("pool", 0.75, 0.5, 0.75)
    assert pool.found
    assert not quiet.found
    assert quiet.accounts_recall == quiet.calls_recall == 0.0
    assert result.accounts_precision == 0.75
    assert result.calls_precision == 0.8
    by_name = {one.name: one for one in result.classes}
    assert (by_name["harness"].named_count, by_name["harness"].watched_count) == (1, 1)
    assert by_name["consumer"].named_count == 0
    assert result.honest.accounts_count == 9
    assert result.honest.named_share == 1 / 9
    assert pool.collateral_count == 1
    assert (result.reported_count, result.false_count, result.collateral_calls_count) == (1, 0, 1)


def test_an_account_that_never_called_does_not_flatter_its_class(tmp_path: Path) -> None:
    result = score(write_run(tmp_path, [], []), write_truth(tmp_path))
    assert {one.name: one.accounts_count for one in result.classes} == {"consumer": 5, "harness": 4}


def test_a_report_of_mostly_honest_accounts_is_a_false_discovery(tmp_path: Path) -> None:
    named = [("p0", "A", "campaign"), ("h0", "A", "campaign"), ("h1", "A", "campaign"), ("p1", "B", "campaign")]
    result = score(write_run(tmp_path, named, []), write_truth(tmp_path))
    assert (result.reported_count, result.false_count) == (2, 1)


def test_a_report_that_mixes_campaigns_with_strangers_finds_none(tmp_path: Path) -> None:
    named = [("p0", "A", "campaign"), ("q0", "A", "campaign"), ("h0", "A", "campaign")]
    result = score(write_run(tmp_path, named, []), write_truth(tmp_path))
    assert not any(campaign.found for campaign in result.campaigns)


def test_an_empty_run_finds_nothing_and_accuses_nobody(tmp_path: Path) -> None:
    result = score(write_run(tmp_path, [], []), write_truth(tmp_path))
    assert not any(campaign.found for campaign in result.campaigns)
    assert result.accounts_precision == result.calls_precision == 1.0
    assert result.honest.named_count == 0


def test_the_bound_is_clopper_and_pearsons() -> None:
    # With nobody named of n accounts the bound is 1 - 0.05^(1/n), and known tables give the rest.
    assert upper_bound(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert upper_bound(0, 300_000) == pytest.approx(1e-5, rel=0.01)
    assert upper_bound(1, 10) == pytest.approx(0.3942, abs=1e-4)
    assert upper_bound(5, 5) == 1.0
    assert upper_bound(0, 0) == 1.0


def test_b_cubed_of_a_hand_made_case() -> None:
    # Bagga and Baldwin count each element: one reported cluster holds all of a true pair and a single.
    hidden = {"a": "X", "b": "X", "c": "Y"}
    reported = {"a": "1", "b": "1", "c": "1"}
    precision, recall = b_cubed(hidden, reported)
    assert precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)
    assert recall == 1.0
    assert b_cubed(hidden, {}) == (1.0, pytest.approx((1 / 2 + 1 / 2 + 1) / 3))
    assert b_cubed({}, {}) == (1.0, 1.0)


def test_a_score_is_json_and_reads_as_a_table(tmp_path: Path) -> None:
    result = score(write_run(tmp_path, [("p0", "A", "campaign")], [("ep0", "A")]), write_truth(tmp_path))
    assert json.loads(json.dumps(asdict(result)))["campaigns"][0]["campaign"] == "pool"
    assert "pool" in result.text()
    assert "not found" in result.text()


def test_missing_files_are_an_error_that_says_which(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"accounts\.parquet") as caught:
        score(tmp_path, tmp_path)
    assert caught.value.ident == "no-truth"


def test_a_campaign_of_which_slices_alone_are_reported_is_found_by_its_calls(tmp_path: Path) -> None:
    told = [*((f"ep{i}", "A") for i in range(5)), ("x0", "A"), ("x1", "B"), ("x2", "B"), ("eq0", "B")]
    run = write_run(tmp_path, [("p0", None, "watch")], told)
    scored = score(run, write_truth(tmp_path))
    found = {one.campaign: one.found for one in scored.campaigns}
    assert found == {"pool": True, "quiet": False}
    assert (scored.reported_count, scored.false_count, scored.collateral_calls_count) == (2, 1, 3)
