from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.finding import Skipped
from stillwatch.signals import economics as signal
from stillwatch.signals.contract import Mark, Panel
from tests.naive import economics as twin
from tests.signals.panels import panel

FREE, PLUS = 1, 3


def family(
    output: np.ndarray, cap: int = -1, plan: int = 0, turn: int = -1, account: np.ndarray | None = None
) -> Panel:  # fmt: skip
    calls, accounts = len(output), 20
    return panel(
        np.arange(calls) % accounts if account is None else account, accounts_count=accounts, output_tokens=output,
        max_tokens=np.full(calls, cap), turn_index=np.full(calls, turn), facts={"plan": [plan] * accounts},
    )  # fmt: skip


def concluded(found: Panel) -> Mark:
    mark = signal.conclude(found)
    assert isinstance(mark, Mark)
    assert mark.log_e is None
    assert mark.score is not None
    return mark


def statements(mark: Mark) -> str:
    return "; ".join(said.statement for said in mark.evidence)


def chat(count: int = 400, seed: int = 1) -> np.ndarray:
    """Answers as published: lognormal, median 51, 95th percentile 548."""
    return 1 + np.random.default_rng(seed).lognormal(np.log(51), 1.44, count).astype(np.int64)


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 900)), min_size=1, max_size=30))
def test_answers_at_their_cap_are_those_of_the_slow_twin(drawn: list[tuple[int, int]]) -> None:
    output, cap = zip(*drawn, strict=True)
    assert signal.capped_share(np.array(output), np.array(cap)) == pytest.approx(twin.capped_share(output, cap))


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=30))
def test_spends_are_as_alike_as_for_the_slow_twin(taken: list[int]) -> None:
    assert signal.plateau(np.array(taken, float)) == pytest.approx(twin.plateau(taken))
    assert signal.spread(np.array(taken, float)) == pytest.approx(twin.spread(taken))


def test_long_answers_cut_off_by_their_cap_are_a_harvest() -> None:
    mark = concluded(family(np.full(400, 8_192), cap=8_192, turn=0))
    assert mark.score == pytest.approx(0.6)
    assert "100% of the answers are cut off" in statements(mark)
    assert "median answer has 8192 tokens" in statements(mark)


def test_ordinary_answers_are_none() -> None:
    mark = concluded(family(chat(), cap=4_096, turn=-1))
    assert mark.score is not None
    assert mark.score < 0.02
    assert not mark.evidence
    assert mark.counter_evidence


def test_what_was_obtained_so_far_is_counted_in_every_block() -> None:
    output = np.full(400, 5_000)
    found = panel(
        np.arange(400) % 20, output_tokens=output, max_tokens=output, turn_index=np.zeros(400),
        tested=np.arange(400) % 2 == 0,
    )  # fmt: skip
    mark = concluded(found)
    assert mark.figures["output_tokens"] == 2_000_000
    assert mark.figures["calls"] == 400
    assert "400 calls obtained 2000000 output tokens so far" in statements(mark)


def test_flat_rates_used_up_by_all_alike_are_a_plateau() -> None:
    rng = np.random.default_rng(5)
    alike = concluded(family(3_000 + rng.integers(0, 60, 2_000), plan=PLUS))
    account = np.repeat(np.arange(20), rng.multinomial(2_000, rng.dirichlet(np.full(20, 0.5))))
    own = concluded(family(3_000 + rng.integers(0, 60, 2_000), plan=PLUS, account=account))
    assert "flat-rate accounts took within a tenth" in statements(alike)
    assert "took within a tenth" not in statements(own)
    assert alike.score is not None
    assert own.score is not None
    assert alike.score > own.score + 0.1


def test_a_flat_rate_that_yields_many_times_its_price_is_said() -> None:
    mark = concluded(family(np.full(2_000, 9_000), plan=PLUS))
    # 100 answers of 9,000 tokens at 15 USD a million are 13.5 USD in half a day: 810 USD a month for 20.
    assert "takes 40 times its price" in statements(mark)


def test_free_accounts_that_spend_alike_are_said() -> None:
    mark = concluded(family(np.full(400, 600), plan=FREE))
    assert "20 free or trial accounts spend alike" in statements(mark)


def test_it_says_why_it_cannot_run() -> None:
    said = signal.conclude(family(np.zeros(400, dtype=np.int64)))
    assert isinstance(said, Skipped)
    assert "answer's length" in said.reason
