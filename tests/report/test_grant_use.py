"""What was used of grants, in a table and as values."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from stillwatch.campaign.exemption import Tally, Volume
from stillwatch.report import grant_use
from tests.evidence.grants import PLAIN

ONE = replace(PLAIN, grant_id="g-00000000000000aa", calls_max=1_000, output_tokens_max=50_000)
RUNS = {ONE.grant_id: Tally(Volume(300, 20_000), other_model_calls=4, late_calls=7)}


def printed(found: list[grant_use.Use]) -> str:
    console = Console(file=io.StringIO(), width=110, highlight=False)
    grant_use.print_table(found, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_what_is_left_is_reckoned_by_whoever_counted_more() -> None:
    (use,) = grant_use.uses([ONE], {}, RUNS, {ONE.grant_id: (700, 10_000)})
    assert (use.calls_left, use.output_tokens_left) == (300, 30_000)
    (by_runs,) = grant_use.uses([ONE], {}, RUNS, None)
    assert (by_runs.calls_left, by_runs.output_tokens_left) == (700, 30_000)
    (over,) = grant_use.uses([ONE], {}, {}, {ONE.grant_id: (1_200, 60_000)})
    assert (over.calls_left, over.output_tokens_left) == (0, 0)
    (told,) = grant_use.as_json([over])
    assert told["gate"] == {"calls": 1_200, "output_tokens": 60_000, "calls_over": 200, "output_tokens_over": 10_000}


def test_a_grant_that_nobody_used_is_listed_whole() -> None:
    (told,) = grant_use.as_json(grant_use.uses([ONE], {}, {}, None))
    assert (told["calls_left"], told["gate"], told["revoked"]) == (1_000, None, False)


def test_the_table_says_what_was_used_what_is_left_and_what_was_outside() -> None:
    text = printed(grant_use.uses([ONE], {ONE.grant_id: 1}, RUNS, {ONE.grant_id: (700, 10_000)}))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    for row in (
        "g-00000000000000aa allowed 1,000 50,000",
        "A licensed customer used, by runs 300 20,000",
        "revoked 1 Dec 2026, 00:00 UTC used, by the gate 700 10,000",
        "left 300 30,000",
        "outside, on another model 4",
        "outside, too late 7",
    ):
        assert row in rows
    assert "too early" not in text


def test_a_name_cannot_forge_a_line() -> None:
    text = printed(grant_use.uses([replace(ONE, grantee="x\n\x1b[2Jleft 9")], {}, {}, None))
    assert "\x1b" not in text
    assert "\nleft" not in text
