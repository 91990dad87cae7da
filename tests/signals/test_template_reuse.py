from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import template_reuse
from stillwatch.signals.contract import Mark
from tests.naive import template_reuse as twin
from tests.signals.panels import panel


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 20)), min_size=1, max_size=12))
def test_the_share_is_that_of_the_slow_twin(counts: list[tuple[int, int]]) -> None:
    family = [of for of, _ in counts]
    every = [of + more for of, more in counts]
    account = [a for a, of in enumerate(family) for _ in range(of)]
    mark = template_reuse.conclude(panel(account, account_calls=every))
    assert isinstance(mark, Mark)
    assert mark.figures["share"] == pytest.approx(twin.median_share(family, every))


def test_it_speaks_of_figures_and_never_decides() -> None:
    mark = template_reuse.conclude(panel([0, 0, 1, 2], organizations=[0, 5, 5]))
    assert isinstance(mark, Mark)
    assert mark.log_e is None
    assert "3 accounts of 2 owners sent 4 calls" in mark.evidence[0].statement


def test_a_family_without_calls_says_so() -> None:
    assert isinstance(template_reuse.conclude(panel([], accounts_count=3)), Skipped)


def test_one_skeleton_on_several_paths_is_one_family() -> None:
    mark = template_reuse.conclude(panel([0, 1, 2, 3], path=[7, 8, 9, 7]))
    assert isinstance(mark, Mark)
    assert "with one skeleton over 3 access paths" in mark.evidence[0].statement
