"""What a run says it could have found, checked against campaigns that are drawn another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.fusion import Axes, reject, weigh
from stillwatch.campaign.judgement import set_aside
from stillwatch.campaign.online import begin
from stillwatch.campaign.power import BLIND, PLANS, Ground, reach
from stillwatch.finding import Reach, Skipped
from stillwatch.signals.contract import Panel, Population
from stillwatch.signals.registry import SIGNALS
from tests.signals.panels import HOUR_US, START_US, panel, shared_values

HOURS = 48
HYPOTHESES, COORDINATED = 30, 3
COLUMNS = frozenset({"system_prompt", "input_text", "time", "created_at", "payment_digest"})
DRAWS = 40


def population() -> Population:
    rng = np.random.default_rng(4)
    created = np.sort(START_US - rng.integers(0, 700 * 24 * HOUR_US, 20_000))
    pair = np.repeat(rng.integers(0, 2, HOURS // 2), 2)
    tested = (np.arange(HOURS) + pair) % 2 == 0
    return Population(20_000, created, HOUR_US, START_US // HOUR_US, rng.integers(5_000, 15_000, HOURS), tested)


EXAMPLES = Calibration("c", "made up: nine in ten score 0", (0.0,) * 539 + tuple(0.5 * np.linspace(0, 1, 60) ** 2))
GROUND = Ground(population(), COLUMNS, HYPOTHESES, COORDINATED, EXAMPLES, 0.05)


@pytest.fixture(scope="module")
def reaches() -> dict[str, Reach]:
    return {each.campaign_class: each for each in reach(GROUND, 0)}


def campaign(rng: np.random.Generator, name: str, accounts: int, calls_each: int) -> Panel:
    """Draw a campaign call by call, as its class is described in words."""
    total = accounts * calls_each
    weight = np.asarray(GROUND.population.block_calls, dtype=float)
    hour = rng.choice(HOURS, total, p=weight / weight.sum())
    time = np.sort(START_US + hour * HOUR_US + rng.integers(0, HOUR_US, total))
    tested = GROUND.population.block_tested[(time - START_US) // HOUR_US]
    if name == "least-loaded-pool":
        account = np.concatenate([rng.permutation(accounts) for _ in range(calls_each)])
    else:
        busy = rng.exponential(1.0, accounts)
        account = rng.choice(accounts, total, p=busy / busy.sum())
    items, model = np.arange(total), np.ones(total, dtype=int)
    if name == "queue-of-four-passes":
        items = np.concatenate([np.arange(total // 4)] * 4)
    if name == "queue-run-again-on-another-model":
        items, model = np.concatenate([np.arange(total // 2)] * 2), np.repeat([1, 2], total // 2)
    created = rng.choice(GROUND.population.created_us, accounts)
    if name == "sign-up-burst":
        created = START_US - 30 * 24 * HOUR_US + rng.integers(0, 24 * HOUR_US, accounts)
    cards = [list(range(at, min(at + 16, accounts))) for at in range(0, accounts, 16)]
    whole = Population(
        20_000 + accounts,
        np.sort(np.concatenate([GROUND.population.created_us, created])),
        HOUR_US,
        START_US // HOUR_US,
        GROUND.population.block_calls + np.bincount((time - START_US) // HOUR_US, minlength=HOURS),
        GROUND.population.block_tested,
    )
    present, account = np.unique(account, return_inverse=True)
    held = [[int(np.searchsorted(present, one)) for one in card if one in present] for card in cards]
    held = [card for card in held if card]
    return panel(
        account,
        time_us=time,
        tested=tested,
        item=items + 1,
        topic=[int(rng.integers(0, 2**62)) & int(rng.integers(0, 2**62)) for _ in range(total)],
        model=model,
        phrases=np.ones(total, dtype=int),
        created_us=created[present],
        shared=(shared_values("payment", held, [len(c) for c in held]),) if name == "shared-cards-or-devices" else (),
        population=whole,
    )


def named(found: Panel) -> bool:
    """Ask the run's own rule, with the log's other families beside: strangers, and a few that hang together."""
    said = [signal.conclude(found) for signal in SIGNALS if signal.NEEDS & COLUMNS]
    marks = [mark for mark in said if not isinstance(mark, Skipped)]
    if set_aside(found.pool(), marks) is not None or (~found.calls.tested).sum() < 100:
        return False
    others = [Axes(50.0, np.zeros(1), 0.4, 0.0)] * COORDINATED
    others += [Axes(-0.7, np.zeros(1), 0.5, 0.0)] * (HYPOTHESES - COORDINATED)
    return reject([*others, weigh(marks, len(found.accounts), GROUND.calibration)], GROUND.fdr)[-1].rejected


@pytest.mark.parametrize(
    "plan", [plan for plan in PLANS if plan.name != "swarm-of-two-calls"], ids=lambda plan: plan.name
)
def test_a_campaign_of_the_stated_size_is_named_with_the_stated_power(plan: object, reaches: dict[str, Reach]) -> None:
    """40 draws of each size. At the size of 0.95 at least 0.8 are named: three standard errors of 40 draws are 0.10,
    and the size is itself one of twenty draws, with about as much. Three fifths of the size of 0.5 are named in 0.6
    at most, by the same token.
    """
    name = plan.name
    said = reaches[name]
    assert said.accounts_half is not None
    assert said.accounts_most is not None
    rng = np.random.default_rng(len(name))
    calls_each = plan.calls_per_account
    assert sum(named(campaign(rng, name, said.accounts_most, calls_each)) for _ in range(DRAWS)) >= 0.8 * DRAWS
    small = int(0.6 * said.accounts_half)
    assert sum(named(campaign(rng, name, small, calls_each)) for _ in range(DRAWS)) <= 0.6 * DRAWS


def test_what_no_log_shows_is_said_on_every_log(reaches: dict[str, Reach]) -> None:
    for name, reason in BLIND:
        assert reaches[name].reason_blind == reason
        assert reaches[name].accounts_half is None


def ground(**changes: object) -> Ground:
    return Ground(
        **{  # type: ignore[arg-type]
            "population": GROUND.population,
            "available": COLUMNS,
            "hypotheses_count": HYPOTHESES,
            "coordinated_count": COORDINATED,
            "calibration": EXAMPLES,
            "fdr": 0.05,
            **changes,
        }
    )


def test_a_class_whose_columns_the_log_lacks_is_blind_and_says_which() -> None:
    found = {each.campaign_class: each for each in reach(ground(available=COLUMNS - {"created_at"}), 0)}
    assert "created_at" in found["sign-up-burst"].reason_blind
    assert found["sign-up-burst"].needs == ("created_at",)
    assert not found["queue-of-four-passes"].reason_blind


def test_without_prompts_nothing_is_seen() -> None:
    assert all(each.reason_blind for each in reach(ground(available=frozenset({"time", "created_at"})), 0))


def test_a_calibration_that_is_too_coarse_for_the_log_is_said() -> None:
    few = Calibration("c", "x", tuple(np.linspace(0, 0.1, 50)))
    assert all(
        "cannot tell one more campaign among 4" in each.reason_blind for each in reach(ground(calibration=few), 0)[:6]
    )


def test_the_same_run_says_the_same(reaches: dict[str, Reach]) -> None:
    again = {each.campaign_class: each for each in reach(GROUND, 0)}
    assert again == reaches


def test_more_families_under_test_never_lower_the_bar(reaches: dict[str, Reach]) -> None:
    crowded = {each.campaign_class: each for each in reach(ground(hypotheses_count=2_000), 0)}
    for name in ("queue-of-four-passes", "least-loaded-pool"):
        assert (crowded[name].accounts_half or 0) >= (reaches[name].accounts_half or 0)


def test_beside_what_was_found_a_campaign_is_found_sooner() -> None:
    """e-BH and BH ask the less of one more, the more were rejected already."""
    alone, beside = ground(), ground(rejected_count=2)
    assert beside.log_e_min < alone.log_e_min
    assert beside.p_max == pytest.approx(3 * alone.p_max)
    others = [Axes(50.0, np.zeros(1), 1e-6, 1.0)] * 2 + [Axes(50.0, np.zeros(1), 0.4, 0.0)]
    others += [Axes(-0.7, np.zeros(1), 0.5, 0.0)] * (HYPOTHESES - COORDINATED)
    one_more = Axes(beside.log_e_min + 1e-6, np.zeros(1), beside.p_max * (1 - 1e-6), 1.0)
    assert [each.rejected for each in reject([*others, one_more], 0.05)][-1]


def test_a_stream_asks_what_it_promised_and_sees_nothing_once_its_budget_is_spent() -> None:
    begun = begin(EXAMPLES, 0.05, "key")
    late = replace(begun, windows_count=30, until_us=1)
    assert ground(stream=late).log_e_min > ground(stream=begun).log_e_min >= ground().log_e_min
    assert ground(stream=begun).p_max == begun.level
    spent = reach(ground(stream=begun, asks_left=0), 0)
    assert all("the stream has spent" in each.reason_blind for each in spent[:6])
