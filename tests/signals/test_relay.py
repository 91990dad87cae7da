from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import relay as signal
from stillwatch.signals.contract import Mark
from tests.naive import relay as twin
from tests.signals.panels import panel

counts = st.integers(0, 30)
accounts = st.lists(st.tuples(st.booleans(), counts, counts, counts, counts, st.integers(1, 9), st.integers(0, 20)))


@given(accounts.filter(bool))
def test_accounts_are_carriers_as_the_slow_twin_has_it(made: list[tuple[bool, int, int, int, int, int, int]]) -> None:
    names = ("reseller", "end_users", "agents", "clients", "toolsets")
    *facts, inside, outside = (list(column) for column in zip(*made, strict=True))
    found = panel(
        np.repeat(np.arange(len(made)), inside),
        account_calls=np.array(inside) + np.array(outside),
        facts=dict(zip(names, facts, strict=True)),
    )
    expected = [twin.is_carrier(r, u, twin.programs(a, c, t), i, i + o) for r, u, a, c, t, i, o in made]
    assert signal.carriers(found).tolist() == expected


def test_a_reseller_is_a_carrier_and_a_pool_account_with_cover_is_none() -> None:
    inside, outside = [20] * 10, [4] * 8 + [900, 900]
    found = panel(
        np.repeat(np.arange(10), inside), account_calls=np.array(inside) + outside,
        facts={"end_users": [24] * 8 + [500, 400], "agents": [1] * 8 + [30, 20], "toolsets": [1] * 8 + [12, 9]},
    )  # fmt: skip
    assert signal.carriers(found).tolist() == [False] * 8 + [True] * 2
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is None
    assert mark.score is None
    assert mark.figures["relay_share"] == 0.2
    assert "2 of 10 accounts carry other people's requests" in mark.counter_evidence[0].statement
    assert "judge these calls, not the accounts" in mark.counter_evidence[0].statement


def test_a_developer_whose_agent_names_its_version_is_one_program() -> None:
    found = panel(np.arange(10), account_calls=np.full(10, 50), facts={"agents": [40] * 10, "toolsets": [2] * 10})
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.figures["carriers"] == 0
    assert not mark.evidence
    assert not mark.counter_evidence


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(panel(np.arange(10)))
    assert isinstance(said, Skipped)
    assert "nothing tells one caller" in said.reason
