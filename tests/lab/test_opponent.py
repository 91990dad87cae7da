"""The opponent that learns: what it loses, what it changes, what that costs it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.lab.opponent import NAME, Knobs, Opponent, Round, play, tally
from tests.lab.test_simulate import Heard

SMALL = Opponent(work=6_000, daily=1_000, budget=600, rounds=5)


class Nobody:
    def flagged(self, events: Path, accounts: Path, out: Path) -> set[str]:
        return set()


class ByVolume:
    """Flags whoever makes more than so many calls a day."""

    def __init__(self, most: int) -> None:
        self.most = most

    def flagged(self, events: Path, accounts: Path, out: Path) -> set[str]:
        assert accounts.is_file()
        load = Counter(pq.read_table(events, columns=["account_id"])["account_id"].to_pylist())
        return {account for account, calls in load.items() if calls > self.most}


class Knowing:
    """Flags the opponent itself, whatever it does."""

    def flagged(self, events: Path, accounts: Path, out: Path) -> set[str]:
        told = pq.read_table(events.parent / "truth" / "accounts.parquet")
        return set(told.filter(pc.equal(told["campaign"], NAME))["account_id"].to_pylist())


@pytest.fixture(scope="module")
def against_volume(tmp_path_factory: pytest.TempPathFactory) -> list[Round]:
    return play(ByVolume(40), SMALL, 1, tmp_path_factory.mktemp("volume"), Heard())


def test_it_loses_nothing_to_a_detector_that_flags_nobody_and_changes_nothing(tmp_path: Path) -> None:
    rounds = play(Nobody(), SMALL, 1, tmp_path, Heard())
    result = tally(rounds)
    assert result.accounts_lost == 0
    assert result.calls_per_account_lost == float("inf")
    assert {each.knobs for each in rounds} == {SMALL.knobs}
    assert result.accounts_bought == rounds[0].accounts_used
    assert abs(result.calls_obtained / 5_000 - 1.0) < 0.1
    assert not list(tmp_path.iterdir())


def test_it_slows_down_against_a_detector_that_flags_by_volume_and_keeps_what_helped(
    against_volume: list[Round],
) -> None:
    first, second = against_volume[:2]
    assert first.accounts_lost > 0.8 * first.accounts_used
    assert (second.changed, second.kept) == ("rate", True)
    assert second.knobs.rate < 40.0
    assert all(each.accounts_lost == 0 for each in against_volume[1:])
    assert all(each.knobs == second.knobs for each in against_volume[2:])


def test_slowing_down_costs_it_accounts(against_volume: list[Round]) -> None:
    assert tally(against_volume).accounts_bought > 3 * against_volume[0].accounts_used
    assert against_volume[2].accounts_bought <= 2


def test_its_budget_ends_a_game_that_it_always_loses(tmp_path: Path) -> None:
    opponent = Opponent(work=50_000, daily=600, budget=60, rounds=20, knobs=Knobs(rate=30.0))
    rounds = play(Knowing(), opponent, 2, tmp_path, Heard())
    assert sum(each.accounts_bought for each in rounds) <= 60
    assert all(each.accounts_lost == each.accounts_used for each in rounds)
    assert 1 < len(rounds) < 20
    assert len({each.changed for each in rounds}) > 1


def test_cover_is_paid_for_and_brings_nothing(tmp_path: Path) -> None:
    opponent = Opponent(work=1_000, daily=1_000, budget=60, rounds=1, knobs=Knobs(cover=0.5, preamble=True, paths=3))
    played = play(Nobody(), opponent, 3, tmp_path, Heard())[0]
    assert 1.7 < played.calls_paid / played.calls_obtained < 2.5
