"""Laws that every signal inherits by standing in the registry."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals.contract import LOG_E_MAX, Calls, Mark, Panel, Signal
from stillwatch.signals.registry import SIGNALS
from tests.laws.panels import panels, renumbered, reordered_calls

each_signal = pytest.mark.parametrize("signal", SIGNALS, ids=[signal.IDENT for signal in SIGNALS])


def said(mark: Mark | Skipped) -> Any:
    """Return all that a mark says but its figures for single accounts."""
    if isinstance(mark, Skipped):
        return mark
    spoken = [(e.signal, e.family) for e in (*mark.evidence, *mark.counter_evidence)]
    numbers = [e.value for e in (*mark.evidence, *mark.counter_evidence)]
    return spoken, [mark.log_e or 0.0, mark.score or 0.0, *numbers, *mark.figures.values()], mark.links


def same(first: Mark | Skipped, second: Mark | Skipped, exactly: bool) -> None:
    one, other = said(first), said(second)
    if isinstance(one, Skipped) or exactly:
        assert one == other
        return
    assert one[0] == other[0]
    assert one[1] == pytest.approx(other[1], rel=1e-6, abs=1e-9, nan_ok=True)
    assert one[2] == other[2]


def frozen(panel: Panel) -> Panel:
    """Make a write to any column of the calls an error."""
    for each in fields(Calls):
        getattr(panel.calls, each.name).flags.writeable = False
    return panel


@each_signal
@settings(max_examples=40)
@given(panel=panels())
def test_a_mark_is_bounded_and_whole_and_a_skip_has_a_reason(signal: Signal, panel: Panel) -> None:
    mark = signal.conclude(frozen(panel))
    assert mark.ident == signal.IDENT
    if isinstance(mark, Skipped):
        assert mark.reason
        assert mark.reason[0].islower()
        return
    accounts = len(panel.accounts)
    assert mark.family == signal.FAMILY
    assert mark.evidence or mark.counter_evidence or mark.figures or mark.log_e is not None
    if mark.log_e is not None:
        assert not np.isnan(mark.log_e)
        assert mark.log_e <= LOG_E_MAX
        assert mark.log_e_without is not None
    if mark.log_e_without is not None:
        assert mark.log_e_without.shape == (accounts,)
        assert not np.isnan(mark.log_e_without).any()
        assert (mark.log_e_without <= LOG_E_MAX).all()
    if mark.score is not None:
        assert 0 <= mark.score <= 2
    if mark.linked is not None:
        assert mark.linked.shape == (accounts,)
    for each in (*mark.evidence, *mark.counter_evidence):
        assert each.p_value is None or 0 <= each.p_value <= 1


@each_signal
@settings(max_examples=25)
@given(panel=panels(), random=st.randoms(use_true_random=False))
def test_calls_at_one_time_of_one_account_may_come_in_any_order(signal: Signal, panel: Panel, random: Any) -> None:
    # Minutes instead of microseconds, so that many calls share a time.
    panel.calls.time_us[:] = panel.calls.time_us // 3_600_000_000 * 3_600_000_000
    tie = np.array([random.random() for _ in range(len(panel.calls.account))])
    order = np.lexsort((tie, panel.calls.time_us, panel.calls.account))
    same(signal.conclude(panel), signal.conclude(reordered_calls(panel, order)), exactly=True)


@each_signal
@settings(max_examples=25)
@given(panel=panels(), random=st.randoms(use_true_random=False))
def test_numbering_the_accounts_otherwise_changes_nothing(signal: Signal, panel: Panel, random: Any) -> None:
    new = np.arange(len(panel.accounts))
    random.shuffle(new)
    first, second = signal.conclude(panel), signal.conclude(renumbered(panel, new))
    same(first, second, exactly=False)
    if isinstance(first, Mark) and isinstance(second, Mark):
        if first.log_e_without is not None:
            assert second.log_e_without is not None
            assert second.log_e_without[new] == pytest.approx(first.log_e_without, rel=1e-6, abs=1e-6)
        if first.linked is not None:
            assert second.linked is not None
            assert second.linked[new].tolist() == first.linked.tolist()


@each_signal
@settings(max_examples=10)
@given(panel=panels())
def test_the_same_panel_gives_the_same_mark(signal: Signal, panel: Panel) -> None:
    same(signal.conclude(panel), signal.conclude(panel), exactly=True)


@each_signal
def test_a_signal_needs_only_columns_that_exist(signal: Signal) -> None:
    from stillwatch.event import ACCOUNT_SCHEMA, EVENT_SCHEMA

    assert signal.NEEDS
    assert set(EVENT_SCHEMA.names + ACCOUNT_SCHEMA.names) >= signal.NEEDS


def test_every_signal_has_a_name_of_its_own() -> None:
    assert len({signal.IDENT for signal in SIGNALS}) == len(SIGNALS)
