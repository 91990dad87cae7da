"""A clock that steps back and forth: budgets give nothing twice, and what expires does so by the call's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from stillwatch.gate.contract import HOUR_US, Decision
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.policy import CompiledPolicy, compile_text
from stillwatch.gate.service import Gate
from stillwatch.gate.snapshot import OpenSnapshot
from tests.gate.snapshots import DAY_US, NOW_US, SECRET, Signer, call, given, run_of
from tests.gate.whole_gate import CONFIRMED, SUSPECTED, sanction, shipped

pytest.importorskip("cel_expr_python")
pytest.importorskip("cryptography")

MINUTE_US = 60_000_000

CALLS_MAX = 120
"""Calls an hour of a suspected account in the policy `cautious`."""

HALF_PAST_US = NOW_US // HOUR_US * HOUR_US + HOUR_US // 2


@dataclass
class Unheard:
    """A meter that nobody reads."""

    alarms: list[str] = field(default_factory=list)

    def decided(self, door: str, decision: Decision, seconds: float) -> None: ...

    def alarm(self, ident: str) -> None:
        self.alarms.append(ident)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> OpenSnapshot:
    known = given(run_of(), sanctions=(sanction("confirmed", CONFIRMED),))
    return Signer(tmp_path_factory.mktemp("snapshot")).open(known)


@pytest.fixture(scope="module")
def policy() -> CompiledPolicy:
    return compile_text(shipped("cautious"), "cautious", NOW_US, SECRET)


def decisions(snapshot: OpenSnapshot, policy: CompiledPolicy, account: str, times_us: Iterable[int]) -> list[Decision]:
    """Decide one account's calls at these times, in this order, from a state that knows nothing yet."""
    gate = Gate(lambda: snapshot, lambda: policy, MemoryState(), Unheard(), hash)

    async def all_of() -> list[Decision]:
        return [(await gate.decide(call(account, time_us=at), "test")).decision for at in times_us]

    return asyncio.run(all_of())


@examples(steps=st.lists(st.integers(-25, 25), min_size=1, max_size=40))
@settings(max_examples=15)
def test_a_clock_that_steps_within_an_hour_gives_no_second_budget(
    snapshot: OpenSnapshot, policy: CompiledPolicy, steps: list[int]
) -> None:
    times = [HALF_PAST_US + steps[at % len(steps)] * MINUTE_US for at in range(CALLS_MAX + 20)]
    told = decisions(snapshot, policy, SUSPECTED, times)
    assert [each.retry_after_s > 0 for each in told] == [False] * CALLS_MAX + [True] * 20


def test_a_clock_that_steps_back_over_the_hour_gives_no_second_budget(
    snapshot: OpenSnapshot, policy: CompiledPolicy
) -> None:
    spent = [HALF_PAST_US] * (CALLS_MAX + 1)
    told = decisions(snapshot, policy, SUSPECTED, [*spent, HALF_PAST_US - HOUR_US, HALF_PAST_US])
    assert all(each.retry_after_s for each in told[-3:])
    # The next hour is a new budget, and the hour before it none.
    after = HALF_PAST_US + HOUR_US
    told = decisions(snapshot, policy, SUSPECTED, [*spent, *[after] * CALLS_MAX, HALF_PAST_US, after])
    assert [bool(each.retry_after_s) for each in told[-4:]] == [False, False, True, True]


def test_what_expires_does_so_at_its_time_and_a_clock_that_was_wrong_leaves_nothing_behind(
    snapshot: OpenSnapshot, policy: CompiledPolicy
) -> None:
    long_after = NOW_US + 60 * DAY_US
    times = [NOW_US, long_after, NOW_US - DAY_US, long_after, NOW_US]
    rungs = [each.rung for each in decisions(snapshot, policy, CONFIRMED, times)]
    assert rungs == ["deny", "allow", "deny", "allow", "deny"]


def test_no_call_of_a_confirmed_account_passes_whatever_the_clock_does(
    snapshot: OpenSnapshot, policy: CompiledPolicy
) -> None:
    hours = [0, 5, -5, 100, -100, 200, 0, -1, 1]
    told = decisions(snapshot, policy, CONFIRMED, [NOW_US + hour * HOUR_US for hour in hours])
    assert {each.rung for each in told} == {"deny"}


def test_a_reference_for_an_appeal_is_of_the_call_and_not_of_the_order(
    tmp_path: Path, snapshot: OpenSnapshot, policy: CompiledPolicy
) -> None:
    forth = decisions(snapshot, policy, CONFIRMED, [NOW_US, NOW_US + 1])
    back = decisions(snapshot, policy, CONFIRMED, [NOW_US + 1, NOW_US])
    assert [each.notice for each in forth] == [each.notice for each in reversed(back)]
