from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.engines.accounts import CODES
from stillwatch.finding import Skipped
from stillwatch.signals import program_mismatch as signal
from stillwatch.signals.contract import Mark, Panel
from stillwatch.trace import PHRASE_CLASSES
from tests.naive import program_mismatch as twin
from tests.signals.panels import HOUR_US, START_US, empty_population, panel

DAY_US = 24 * HOUR_US
VERBATIM = 1 << PHRASE_CLASSES.index("reasoning-verbatim")
RUBRIC = 1 << PHRASE_CLASSES.index("rubric-grading")
EDUCATION = signal.PROGRAMMES.index("education")
TENTHS = np.array([[0] * 10, *[[2, 4, 6, 8, 10, 14, 20, 30, 60, 900]] * 5])


def family(
    rng: np.random.Generator, *, phrases: int = VERBATIM, calls: int = 40, together: bool = True,
    programme: int = EDUCATION, use: int = 0, accounts: int = 40,
) -> Panel:  # fmt: skip
    days = rng.uniform(0, 20 if together else 700, accounts)
    others = START_US - (rng.uniform(0, 730, 3_000) * DAY_US).astype(np.int64)
    born = START_US - 30 * DAY_US - (days * DAY_US).astype(np.int64)
    population = replace(
        empty_population(3_000), created_us=np.sort(np.concatenate([others, born])), programme_tenths=TENTHS
    )
    return panel(
        np.repeat(np.arange(accounts), 10), phrases=np.full(10 * accounts, phrases), created_us=born,
        account_calls=np.full(accounts, calls), population=population,
        facts={"programme": [programme] * accounts, "declared_use": [use] * accounts},
    )  # fmt: skip


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.score is not None
    assert mark.log_e is None
    return mark


def test_codes_mean_here_what_they_mean_where_accounts_are_read() -> None:
    assert signal.PROGRAMMES[1:] == CODES["programme"]
    assert signal.USES[1:] == CODES["declared_use"]


@given(st.integers(0, 2**11 - 1), st.integers(0, 5), st.integers(0, 9))
def test_a_call_is_strange_as_the_slow_twin_has_it(phrases: int, programme: int, use: int) -> None:
    said = {name for c, name in enumerate(PHRASE_CLASSES) if phrases >> c & 1}
    of_programme = signal.ORDINARY_IN_PROGRAMME[signal.PROGRAMMES[programme]]
    of_use = signal.ORDINARY_IN_USE[signal.USES[use]]
    explained = signal.ordinary(np.array([programme]), np.array([use]))
    found = signal.strange_calls(np.array([phrases], np.uint32), explained)
    assert found.tolist() == [twin.is_strange(said, of_programme, of_use)]


@given(st.lists(st.tuples(st.integers(1, 1_000), st.integers(0, 5)), min_size=1, max_size=60))
def test_accounts_are_busier_than_their_peers_as_in_the_slow_twin(accounts: list[tuple[int, int]]) -> None:
    calls, programme = np.array(accounts).T
    found = signal.busier_than_peers(calls, programme, TENTHS)
    tenths = {signal.PROGRAMMES[code]: TENTHS[code].tolist() for code in range(1, 6)}
    named = [(c, signal.PROGRAMMES[code]) for c, code in accounts]
    assert found == pytest.approx(twin.busier_than_peers(named, tenths), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120)), min_size=8, max_size=40))
def test_the_fullest_weeks_are_those_of_the_slow_twin(sign_ups: list[tuple[int, int]]) -> None:
    owner, days = np.array(sign_ups).T
    born, others = START_US + days * DAY_US, START_US + np.arange(200) * DAY_US
    everybody = np.sort(np.concatenate([born, others]))
    found = panel(
        np.arange(len(owner)), organizations=owner + 1, created_us=born, facts={"programme": [EDUCATION] * len(owner)},
        population=replace(empty_population(200), created_us=everybody),
    )  # fmt: skip
    owners: dict[str, list[int]] = {}
    for of, time in zip(owner, born, strict=True):
        owners.setdefault(str(of), []).append(int(time))
    excess = signal.fullest_weeks(found, np.ones(len(owner), bool)).excess
    assert excess == pytest.approx(twin.fullest_weeks(owners, everybody.tolist()), abs=1e-9)


def test_schools_that_applied_together_and_ask_for_reasoning_all_day_mismatch() -> None:
    mark = concluded(family(np.random.default_rng(1)))
    assert mark.score is not None
    assert mark.score > 0.7
    said = mark.evidence[0].statement
    assert "40 accounts of 40 owners (programme education) ask" in said
    assert "40 of 40 owners in one of them signed up in four weeks" in said


@pytest.mark.parametrize(
    "honest",
    [
        {"phrases": RUBRIC},
        {"phrases": 0},
        {"calls": 10, "together": False},
        {"programme": signal.PROGRAMMES.index("security")},
        {"phrases": RUBRIC, "programme": 0, "use": signal.USES.index("evaluation")},
    ],
    ids=["a-class-that-grades", "nothing-asked-for", "like-their-peers", "red-team", "evaluation"],
)
def test_what_a_programme_is_for_scores_next_to_nothing(honest: dict[str, int]) -> None:
    """Tolerance: 0.02 in the worst of twenty families; the bounds of two standard errors are passed now and then."""
    scores = [concluded(family(np.random.default_rng(seed), **honest)).score or 0 for seed in range(20)]  # type: ignore[arg-type]
    assert max(scores) <= 0.02


def test_a_mismatch_of_few_calls_scores_little() -> None:
    found = family(np.random.default_rng(1))
    found.calls.phrases[found.calls.account > 3] = 0
    assert (concluded(found).score or 0) < 0.2


def test_a_cohort_counts_for_its_part_of_the_owners() -> None:
    whole = family(np.random.default_rng(1), calls=10)
    scattered = replace(whole.facts, programme=np.where(np.arange(40) < 10, EDUCATION, np.arange(40) % 3 + 3))
    assert (concluded(replace(whole, facts=scattered)).score or 0) < 0.5 * (concluded(whole).score or 0)


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel(np.arange(30)))
    assert isinstance(said, Skipped)
    assert "--accounts" in said.reason
