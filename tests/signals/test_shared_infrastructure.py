from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import shared_infrastructure as signal
from stillwatch.signals.contract import Mark, Panel, log_e_from_log_p
from tests.naive import shared_infrastructure as twin
from tests.signals.panels import empty_population, panel, shared_values

POPULATION = 2_000


def family(accounts: int, holders: list[list[int]], degrees: list[int], **more: object) -> Panel:
    found = shared_values("payment", holders, degrees)
    return panel(np.arange(accounts), shared=(found,), population=empty_population(POPULATION), **more)  # type: ignore[arg-type]


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.linked is not None
    return mark


values = st.lists(
    st.sets(st.integers(0, 19), min_size=1, max_size=8).flatmap(
        lambda held: st.tuples(st.just(sorted(held)), st.integers(max(2, len(held)), 60))
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=50)
@given(values)
def test_the_rarest_sharing_is_that_of_the_slow_twin(held: list[tuple[list[int], int]]) -> None:
    mark = concluded(family(20, [holders for holders, _ in held], [degree for _, degree in held]))
    expected = twin.log_p([(len(holders), degree) for holders, degree in held], 20, POPULATION, hub=32)
    assert mark.log_e == pytest.approx(log_e_from_log_p(expected), rel=1e-6, abs=1e-9)


def test_cards_used_again_link_their_accounts_and_only_those() -> None:
    mark = concluded(family(40, [[0, 1, 2, 3], [4, 5, 6]], [4, 3]))
    assert mark.log_e is not None
    assert mark.log_e > np.log(1000)
    assert np.flatnonzero(mark.linked).tolist() == list(range(7))
    assert [link.accounts_count for link in mark.links] == [3, 4]
    assert all(len(link.pseudonym) == 16 for link in mark.links)


def test_a_value_that_everybody_holds_links_nobody() -> None:
    mark = concluded(family(40, [list(range(40))], [1_500]))
    assert not mark.linked.any()
    assert mark.counter_evidence


def test_a_pair_that_could_be_chance_links_nobody() -> None:
    mark = concluded(family(40, [[0, 1], *([a] for a in range(2, 30))], [2] * 29))
    assert not mark.linked.any()


def test_what_one_organisation_shares_with_itself_links_nobody() -> None:
    mark = concluded(family(40, [[0, 1, 2, 3, 4]], [5], organizations=[7] * 5 + [0] * 35))
    assert not mark.linked.any()


def test_without_the_holders_of_its_only_link_the_finding_shrinks() -> None:
    mark = concluded(family(40, [[0, 1, 2]], [3]))
    assert mark.log_e is not None
    assert mark.log_e_without is not None
    assert (mark.log_e_without[:3] < mark.log_e - 1).all()
    assert (mark.log_e_without[3:] == mark.log_e).all()


def test_one_owner_shares_nothing_with_itself() -> None:
    assert isinstance(signal.conclude(panel([0, 0, 1], organizations=[4, 4])), Skipped)
