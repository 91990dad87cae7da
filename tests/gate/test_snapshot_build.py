"""What goes into a snapshot, what is left out of it, and that it says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace

from stillwatch.errors import Error
from stillwatch.event import ACCOUNT_SCHEMA
from stillwatch.gate.run_files import Marks
from stillwatch.gate.snapshot_build import build, verified_keys, why_left_out
from stillwatch.kernels.single import SHARERS_MAX
from stillwatch.sanction import Sanction
from tests.gate.snapshots import (
    DAY_US,
    MARKS,
    NOW_US,
    SECRET,
    TEMPLATE,
    Signer,
    call,
    given,
    keys,
    run_of,
)

LATER = "c-00000000000000c2"


def later_run(**changed: object) -> Marks:
    return replace(MARKS, campaign_id=LATER, **changed)


def test_a_template_that_strangers_share_marks_nobody(tmp_path: Path) -> None:
    for outside, reason in (
        ((0, 0), None),
        ((10, 50), None),
        ((11, 11), "signatures_shared_with_others"),
        ((1, 51), "signatures_shared_with_others"),
    ):
        accounts, calls = outside
        marks = replace(MARKS, outside_accounts_count=accounts, outside_calls_count=calls)
        assert why_left_out(marks) == reason
    head, columns = build(given(run_of(marks=(marks,))))
    assert (head.counts["signatures"], head.left_out) == (0, {"signatures_shared_with_others": 1})
    assert len(columns["account_key"]) == 3
    pytest.importorskip("cryptography")
    assert Signer(tmp_path).open(given(run_of(marks=(marks,)))).recognise(call(text=TEMPLATE)).tier == "none"


def test_in_a_small_campaign_no_stranger_at_all_may_share_it() -> None:
    assert why_left_out(replace(MARKS, accounts_count=9, outside_accounts_count=1, outside_calls_count=1)) is not None
    assert why_left_out(replace(MARKS, calls_count=90, outside_accounts_count=1, outside_calls_count=1)) is not None


@pytest.mark.parametrize("changed", [{"shingles": MARKS.shingles[:1]}, {"own_shingles": ()}, {"own_needed": 0}])
def test_what_chance_would_meet_marks_nobody(changed: dict[str, object]) -> None:
    assert why_left_out(replace(MARKS, **changed)) == "signatures_too_short"


def test_two_shingles_are_asked_for_where_detection_asked_for_one() -> None:
    _, columns = build(given(run_of(marks=(replace(MARKS, hits_needed=1),))))
    assert columns["signature_needed"].tolist() == [MARKS.own_needed, 2]


def test_of_several_runs_the_newest_says_what_marks_a_family_and_the_sternest_who_is_what() -> None:
    older = run_of(named=("acct-1",), watched=("acct-2",))
    newer = run_of(
        named=("acct-2",), watched=("acct-1",), marks=(later_run(outside_accounts_count=3, outside_calls_count=3),),
        campaigns=(LATER,), end_us=NOW_US, ident="run-2",
    )  # fmt: skip
    for runs in ((older, newer), (newer, older)):
        head, columns = build(given(*runs))
        order = np.searchsorted(columns["account_key"], keys("acct-1", "acct-2"))
        assert columns["account_tier"][order].tolist() == [3, 3]
        assert columns["account_cluster"][order].tolist() == [1, 2]
        assert columns["signature_outside"].tolist() == [3]
        assert columns["signature_cluster"].tolist() == [2]
        assert head.left_out == {"signatures_of_older_runs": 1}
        assert head.runs == ("run-1", "run-2")


def test_a_shingle_of_too_many_families_stays_with_the_newest() -> None:
    marks = [replace(MARKS, group_id=f"f-{number:012x}") for number in range(SHARERS_MAX + 2)]
    head, columns = build(given(run_of(marks=marks)))
    assert len(columns["own"]) == SHARERS_MAX * len(MARKS.own_shingles)
    assert head.left_out["shingles_of_too_many_signatures"] == 2 * len(MARKS.own_shingles)


def test_a_sanction_that_is_not_in_force_is_left_out_and_counted() -> None:
    def decided(begins: str, ends: str) -> Sanction:
        return Sanction("s-1", ("acct-7",), (), (), "confirmed", "reason", "case 1", "The board", begins, ends)

    early = decided("2026-12-15T00:00:00Z", "2027-01-01T00:00:00Z")
    late = decided("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
    head, columns = build(given(sanctions=(early, late)))
    assert (len(columns["account_key"]), head.left_out) == (0, {"sanctions_not_in_force": 2})


def test_nothing_outlives_the_snapshot() -> None:
    long = Sanction(
        "s-1", ("acct-7",), ("org-7",), (), "confirmed", "reason", "case 1", "The board", "2026-11-01T00:00:00Z",
        "2027-10-01T00:00:00Z",
    )  # fmt: skip
    _, columns = build(given(run_of(), sanctions=(long,)))
    for name in ("account", "organization", "signature"):
        assert set(columns[f"{name}_expires_us"].tolist()) == {NOW_US + 30 * DAY_US}


def test_who_is_verified_is_who_showed_an_identity() -> None:
    rows = [{"account_id": f"acct-{word}", "verification": word} for word in ("identity", "payment", "none")]
    rows.append({"account_id": "acct-unknown", "verification": None})
    batch = pa.RecordBatch.from_pylist(rows, schema=ACCOUNT_SCHEMA)
    assert verified_keys([batch], SECRET).tolist() == keys("acct-identity").tolist()
    assert len(verified_keys([], SECRET)) == 0


def test_more_than_a_gate_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.gate.snapshot_build.ACCOUNTS_MAX", 2)
    with pytest.raises(Error) as error:
        build(given(run_of()))
    assert error.value.ident == "snapshot-too-large"


def test_a_million_accounts_and_ten_thousand_signatures_fit_in_300_mb(tmp_path: Path) -> None:
    """A thousandth and a hundredth of them are built; every column but the directory grows with them at most."""
    pytest.importorskip("cryptography")
    rng = np.random.default_rng(1)

    def marks(number: int) -> Marks:
        shingles = tuple(np.unique(rng.integers(1, 2**32, 64, dtype=np.uint64)).tolist())
        return replace(MARKS, group_id=f"f-{number:012x}", shingles=shingles, own_shingles=shingles)

    few = given(run_of(marks=[marks(number) for number in range(100)]), verified=np.sort(keys(*map(str, range(1_000)))))
    _, columns = build(few)
    bytes_of = {name: column.nbytes for name, column in columns.items()}
    accounts = sum(size for name, size in bytes_of.items() if name.startswith("account_")) / len(columns["account_key"])
    signatures = sum(bytes_of[name] for name in bytes_of if name.startswith(("signature_", "own", "core"))) / 100
    # Four drawers a value or more, less than eight: twice what a hundred signatures happen to have at most.
    assert 1_000_000 * 22 + 10_000 * 2 * signatures < 100e6
    assert accounts <= 40
    signer = Signer(tmp_path)
    signer.write(few)
    assert signer.path.stat().st_size < 1_003 * 40 + 100 * signatures + 20_000
