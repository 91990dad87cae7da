from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import shared_infrastructure as signal
from stillwatch.signals.contract import Mark, Panel, SharedValues, log_e_from_log_p
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
    st.tuples(
        st.sets(st.integers(0, 19), min_size=1, max_size=8).map(frozenset), st.integers(0, 20), st.booleans()
    ).map(lambda drawn: twin.Value(drawn[0], max(2, len(drawn[0]) + drawn[1]), drawn[2])),
    min_size=1,
    max_size=8,
)


def shared_by(found: list[twin.Value]) -> tuple[SharedValues, ...]:
    return tuple(
        shared_values(kind, [sorted(value.holders) for value in chosen], [value.degree for value in chosen])
        for kind, owned in (("payment", True), ("address", False))
        if (chosen := [value for value in found if value.owned == owned])
    )


circle = st.integers(0, 30).map(lambda exits: [twin.Value(frozenset(range(6)), 6, owned=False)] * exits)


@settings(max_examples=100)
@given(st.tuples(values, circle).map(lambda drawn: [*drawn[0], *drawn[1]]))
def test_the_rarest_sharing_is_that_of_the_slow_twin(found: list[twin.Value]) -> None:
    mark = concluded(panel(np.arange(20), shared=shared_by(found), population=empty_population(POPULATION)))
    expected = twin.log_p(found, 20, POPULATION, hub=32)
    assert mark.log_e == pytest.approx(log_e_from_log_p(expected), rel=1e-6, abs=1e-9)


def test_cards_used_again_link_their_accounts_and_only_those() -> None:
    mark = concluded(family(40, [[0, 1, 2, 3], [4, 5, 6]], [4, 3]))
    assert mark.log_e is not None
    assert mark.log_e > np.log(1000)
    assert np.flatnonzero(mark.linked).tolist() == list(range(7))
    assert [link.accounts_count for link in mark.links] == [3, 4]
    assert all(len(link.pseudonym) == 16 for link in mark.links)


def meeting(circles: list[list[int]], kind: str = "address") -> Mark:
    found = shared_values(kind, circles, [len(each) for each in circles])
    return concluded(panel(np.arange(60), shared=(found,), population=empty_population(20_000)))


@pytest.mark.parametrize(
    "kind", ["address", "client", "e-mail domain", "end user", "sign-up address", "sign-up client"]
)
def test_a_place_where_all_meet_is_one_circle_and_no_hand(kind: str) -> None:
    mark = meeting([list(range(30)), list(range(25, 55)), list(range(5, 40))], kind)
    assert mark.log_e is not None
    assert mark.log_e < 0
    assert not mark.linked.any()
    assert "1 circle(s)" in mark.counter_evidence[0].statement


def test_more_circles_than_honest_families_hold_are_evidence_that_ties_nobody() -> None:
    few = meeting([list(range(at, at + 6)) for at in (0, 6, 12)])
    many = meeting([list(range(at, at + 6)) for at in range(0, 60, 6)])
    assert few.log_e is not None
    assert many.log_e is not None
    assert few.log_e < 0 < np.log(1_000) < many.log_e
    assert not few.links
    assert len(many.links) == 10
    assert many.tied is not None
    assert not many.tied.any()


def test_a_circle_with_more_exits_of_its_own_than_a_venue_has_owns_them() -> None:
    """Credentials of eight customers are used behind forty rented addresses; nobody else calls from there."""
    venue, rented = meeting([list(range(8))] * 16), meeting([list(range(8))] * 40)
    campus = concluded(
        panel(
            np.arange(60), population=empty_population(20_000),
            shared=(shared_values("address", [list(range(8))] * 40, [20] * 40),),
        )
    )  # fmt: skip
    assert venue.log_e is not None
    assert rented.log_e is not None
    assert campus.log_e is not None
    assert max(venue.log_e, campus.log_e) < 0 < np.log(1_000) < rented.log_e
    assert np.flatnonzero(rented.linked).tolist() == list(range(8))
    assert not venue.linked.any()
    assert not campus.linked.any()


def test_with_one_of_a_circle_left_out_the_circle_may_be_none() -> None:
    mark = meeting([list(range(at, at + 6)) for at in (0, 6, 12, 18)])
    assert mark.log_e is not None
    assert mark.log_e_without is not None
    assert mark.log_e > np.log(1_000)
    assert (mark.log_e_without[:24] < 0).all()
    assert (mark.log_e_without[24:] == mark.log_e).all()


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
