"""Figures are written so that nobody misreads them."""

from __future__ import annotations

import math

import pytest

from stillwatch.report import wording
from tests.report.scenes import campaigns


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (None, "–"),
        (0.0, "< 1e-300"),
        (1e-9, "1e-9"),
        (1.2e-318, "< 1e-300"),
        (3.44e-71, "3.4e-71"),
        (0.00099, "9.9e-4"),
        (0.0061, "0.0061"),
        (0.05, "0.05"),
        (1.0, "1"),
    ],
)
def test_a_p_value_is_never_rounded_to_zero(p: float | None, text: str) -> None:
    assert wording.probability(p) == text


def test_a_bound_is_no_equation() -> None:
    assert "p" + wording.equal_to(wording.probability(0.004)) == "p = 0.004"
    assert "p" + wording.equal_to(wording.probability(0.0)) == "p < 1e-300"


def test_a_statement_becomes_a_sentence_once() -> None:
    assert wording.sentence("sign-ups are spread") == "Sign-ups are spread."
    assert wording.sentence("Done.") == "Done."
    assert wording.sentence("\x1b[2J") == "�[2J."


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (803.0, "803"), (0.2134, "0.213"), (1234.5, "1,234"), (2.5e7, "2.5e7"), (math.inf, "∞")],
)
def test_an_evidence_value_has_the_digits_that_it_deserves(value: float, text: str) -> None:
    assert wording.figure(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.05, "5 %"), (0.0005, "0.05 %"), (0.333, "33 %"), (0.0123, "1.2 %"), (0.0, "0 %")]
)
def test_a_share_is_a_percentage(share: float, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(999, "999"), (9999, "9,999"), (61_812_000, "61.8 M"), (999_000, "999 k"), (2 * 10**9, "2.0 B")],
)
def test_large_numbers_are_short(n: int, text: str) -> None:
    assert wording.compact(n) == text


def test_durations_use_the_unit_that_a_reader_would() -> None:
    assert wording.duration("2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z") == "1 minute"
    assert wording.duration("2026-11-02T00:00:00Z", "2026-11-03T10:00:00Z") == "34 hours"
    assert wording.duration("2026-11-02T00:00:00Z", "2026-12-17T00:00:00Z") == "45 days"


def test_control_and_direction_marks_are_replaced() -> None:
    assert wording.printable("a\x1b[0m\u202eb\n") == "a�[0m�b�"


def test_evidence_with_the_smallest_p_value_comes_first_and_bare_figures_last() -> None:
    ordered = wording.strongest(campaigns()[0].evidence)
    assert [item.signal for item in ordered] == [
        "queue-sharding",
        "pool-dispatch",
        "extraction-intent",
        "template-reuse",
    ]
