from __future__ import annotations

from typing import Any

from bench.shortfalls import of_classes, shortfalls

GOOD = {
    "campaign": "pool", "found": True, "accounts_count": 240, "accounts_recall": 1.0, "calls_count": 9_600,
    "calls_recall": 0.99, "purity": 1.0, "reported_as": ["c-1"],
}  # fmt: skip

FAMILY = {
    "group_id": "f-1", "outcome": "shared-template", "reason": "its calls asked for nothing", "campaign_id": None,
    "would_change": "calls that ask for something", "accounts_count": 240, "own_accounts_count": 240,
    "own_calls_count": 9_600, "core_calls_count": 9_500,
}  # fmt: skip

SAFE = {"name": "harness", "groups_count": 0, "accounts_count": 4_000, "named_count": 0, "upper_bound": 0.0007}


def day(campaign: dict[str, Any], family: dict[str, Any], **effort: Any) -> dict[str, Any]:
    took = {"wall_seconds": 10.0, "peak_bytes": 1_000_000_000, "stages": [{"name": "read", "seconds": 6.0}], **effort}
    return {
        "detect": {"stage_peak_bytes": {"read": took["peak_bytes"]}, **took},
        "decode": {"wall_seconds": 6.0},
        "grade": {"campaigns": [campaign], "campaign_families": [[family]], "classes": [SAFE]},
    }


def test_a_day_on_which_all_went_well_has_no_shortfalls() -> None:
    assert shortfalls(day(GOOD, FAMILY)) == []


def test_a_missed_campaign_is_explained_by_what_its_family_was_judged() -> None:
    missed = {**GOOD, "found": False, "accounts_recall": 0.0, "calls_recall": 0.0, "reported_as": []}
    (said,) = shortfalls(day(missed, FAMILY))
    assert "*shared-template*: its calls asked for nothing" in said
    assert "calls that ask for something" in said


def test_a_campaign_named_in_part_is_explained_by_what_its_largest_family_holds() -> None:
    (said,) = shortfalls(day({**GOOD, "calls_recall": 0.4}, {**FAMILY, "own_calls_count": 4_800}))
    assert "100\N{NO-BREAK SPACE}% of its accounts and 50\N{NO-BREAK SPACE}% of its calls" in said
    assert "larger sketch" in said


def test_memory_over_the_ceiling_is_said_with_its_stage() -> None:
    (said,) = shortfalls(day(GOOD, FAMILY, peak_bytes=2_400_000_000))
    assert "2.40 GB" in said
    assert "*read*" in said


def test_an_accused_class_and_a_class_too_small_are_told_apart() -> None:
    accused = {**SAFE, "named_count": 3, "upper_bound": 0.002}
    small = {**SAFE, "name": "judge", "accounts_count": 60, "upper_bound": 0.0487}
    first, second = of_classes([accused, small])
    assert first.startswith("**harness.** 3 of 4,000 honest accounts were named")
    assert "judge (60)" in second
    assert "299 accounts" in second
