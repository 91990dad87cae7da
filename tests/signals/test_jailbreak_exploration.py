from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch import trace
from stillwatch.finding import Skipped
from stillwatch.signals import jailbreak_exploration as signal
from stillwatch.signals.contract import Mark, Panel
from stillwatch.trace import PHRASE_CLASSES
from tests.naive import jailbreak_exploration as twin
from tests.signals.panels import panel


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.score is not None
    assert mark.log_e is None
    return mark


def family(
    rng: np.random.Generator, tried: int = 400, used: int = 1_600, refused: tuple[float, float] = (0.7, 0.03),
    settles: bool = True, phrases: int = 1,
) -> Panel:  # fmt: skip
    """A family whose first calls are wordings of their own, and whose later ones are one wording with a task in it."""
    count = tried + used
    late = np.arange(count) >= tried
    words = rng.integers(0, 2**63, count) & rng.integers(0, 2**63, count)
    if settles:
        words[late] = (words[late] & 0xFFFF) | (int(words[-1]) & ~0xFFFF)
    turned_down = rng.random(count) < np.where(late, refused[1], refused[0])
    return panel(
        rng.integers(0, 30, count), item=np.arange(count) + 1, topic=words, phrases=np.full(count, phrases),
        flags=turned_down * trace.FLAG_REFUSED,
    )  # fmt: skip


def named(bits: int) -> frozenset[str]:
    return frozenset(name for c, name in enumerate(PHRASE_CLASSES) if bits >> c & 1)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(2, 30), st.sampled_from([0.1, 0.5, 0.9]))
def test_a_split_is_judged_like_by_the_slow_twin(seed: int, first: int, last: int, refusals: float) -> None:
    rng = np.random.default_rng(seed)
    count = first + last
    before = rng.permutation(np.arange(count) < first)
    refused = rng.random(count) < np.where(before, refusals, 0.05)
    phrases = rng.integers(0, 8, count).astype(np.uint32)
    item = rng.integers(0, count, count).astype(np.uint64)
    topic = (rng.integers(0, 2**63, count) & rng.integers(0, 2**63, count)).astype(np.uint64)
    calls: list[twin.Call] = [
        (bool(r), named(int(p)), int(i), frozenset(b for b in range(64) if int(t) >> b & 1))
        for r, p, i, t in zip(refused, phrases, item, topic, strict=True)
    ]
    first_calls = [call for call, early in zip(calls, before, strict=True) if early]
    last_calls = [call for call, early in zip(calls, before, strict=True) if not early]
    assert signal.search(before, refused, phrases, item, topic).score == pytest.approx(
        twin.search(first_calls, last_calls, PHRASE_CLASSES), abs=1e-9
    )


def test_a_search_that_ends_in_a_wording_is_seen() -> None:
    mark = concluded(family(np.random.default_rng(1)))
    assert mark.score > 0.7
    assert (
        "of the first 500 calls 100% were new texts, 100% had one aim and 57% were refused; later 3%"
        in mark.evidence[0].statement
    )


def test_a_search_is_seen_even_where_its_winner_was_scaled_twenty_fold() -> None:
    mark = concluded(family(np.random.default_rng(2), tried=300, used=6_000))
    assert mark.score > 0.6


@pytest.mark.parametrize(
    "honest",
    [
        {"refused": (0.02, 0.02)},
        {"refused": (0.6, 0.6)},
        {"refused": (0.7, 0.03), "phrases": 0},
        {"refused": (0.02, 0.6)},
        {"refused": (0.08, 0.01)},
    ],
    ids=[
        "an-ordinary-template",
        "always-refused",
        "no-aim-that-the-lexicon-knows",
        "ever-more-refused",
        "a-few-refused",
    ],
)
def test_what_is_no_search_scores_nothing(honest: dict[str, tuple[float, float]]) -> None:
    assert max(concluded(family(np.random.default_rng(seed), **honest)).score or 0 for seed in range(20)) == 0  # type: ignore[arg-type]


def test_refusals_that_end_while_the_wording_stays_as_it_was_score_nothing() -> None:
    scores = [concluded(family(np.random.default_rng(seed), settles=False)).score for seed in range(20)]
    assert max(score or 0 for score in scores) == 0


def test_few_calls_are_no_search() -> None:
    said = signal.conclude(panel(np.arange(30)))
    assert isinstance(said, Skipped)
    assert "fewer than 80 calls" in said.reason
