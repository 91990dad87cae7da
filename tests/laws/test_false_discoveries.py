"""What a run promises of its list: the share of mistakes in it is at most the stated rate, on average."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.fusion import Axes, reject
from stillwatch.signals.contract import log_e_from_log_p

RUNS = 400
STANDARD_ERRORS = 3
HONEST = 999


def e_value_of_chance(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw log e-values whose mean is 1: calibrated p-values, and bets that win seldom and then much."""
    calibrated = np.array([log_e_from_log_p(float(np.log(p))) for p in rng.random(count)])
    odds = rng.choice([10.0, 100.0, 1_000.0], count)
    bets = np.where(rng.random(count) < 1 / odds, np.log(odds), -20.0)
    return np.where(rng.random(count) < 0.5, calibrated, bets)


def run(rng: np.random.Generator, kinds: np.ndarray, fdr: float) -> tuple[int, int, int]:
    """Reject among families of four kinds; return wrongly rejected, rejected, and true campaigns missed.

    Kind 0 is neither coordinated nor extracting, 1 coordinated only, 2 extracting only, 3 a campaign.
    """
    count = len(kinds)
    coordinated, extracting = (kinds == 1) | (kinds == 3), kinds >= 2
    log_e = np.where(coordinated, rng.uniform(8, 60, count), e_value_of_chance(rng, count))
    honest = Calibration("law", "drawn", tuple(np.sort(rng.normal(0, 1, HONEST))))
    score = np.where(extracting, rng.normal(6, 0.3, count), rng.normal(0, 1, count))
    axes = [Axes(float(e), np.zeros(1), honest.p_value(float(s)), float(s)) for e, s in zip(log_e, score, strict=True)]
    rejected = np.array([verdict.rejected for verdict in reject(axes, fdr)], dtype=bool)
    wrong = int((rejected & (kinds != 3)).sum())
    return wrong, int(rejected.sum()), int((~rejected & (kinds == 3)).sum())


MIXTURES = {
    "nothing-hidden": [40, 0, 0, 0],
    "resellers": [20, 20, 0, 0],
    "researchers": [20, 0, 20, 0],
    "everything": [15, 6, 6, 4],
    "mostly-campaigns": [3, 3, 3, 12],
}


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
@pytest.mark.parametrize("fdr", [0.05, 0.2])
def test_the_share_of_mistakes_stays_under_the_stated_rate(mixture: list[int], fdr: float) -> None:
    rng = np.random.default_rng([*mixture, int(100 * fdr)])
    shares = []
    for _ in range(RUNS):
        wrong, rejected, _ = run(rng, np.repeat(np.arange(4), mixture), fdr)
        shares.append(wrong / max(1, rejected))
    error = np.std(shares) / np.sqrt(RUNS)
    assert np.mean(shares) <= fdr + STANDARD_ERRORS * max(error, np.sqrt(fdr / RUNS) / RUNS)


def test_campaigns_are_found_among_look_alikes() -> None:
    rng = np.random.default_rng(9)
    missed = sum(run(rng, np.repeat(np.arange(4), [15, 6, 6, 4]), 0.05)[2] for _ in range(50))
    assert missed <= 0.05 * 4 * 50


@pytest.mark.parametrize("axis", ["coordination", "extraction"])
def test_one_kind_of_evidence_alone_is_never_enough(axis: str) -> None:
    strong = Axes(500.0, np.zeros(1), 1.0, 0.0) if axis == "coordination" else Axes(0.0, np.zeros(1), 0.001, 2.0)
    assert not any(verdict.rejected for verdict in reject([strong] * 3, 0.05))


def test_the_order_of_families_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    axes = [
        Axes(float(e), np.zeros(1), float(p), 0.0)
        for e, p in zip(rng.uniform(-1, 40, 30), rng.choice([0.001, 0.004, 0.2, 1.0], 30), strict=True)
    ]
    order = rng.permutation(30)
    straight, shuffled = reject(axes, 0.1), reject([axes[at] for at in order], 0.1)
    assert [shuffled[place].q_value for place in np.argsort(order)] == [verdict.q_value for verdict in straight]


def test_a_lower_rate_never_names_more() -> None:
    rng = np.random.default_rng(4)
    axes = [Axes(float(e), np.zeros(1), float(p), 0.0) for e, p in rng.uniform([0, 0.001], [12, 0.03], (40, 2))]
    counts = [sum(verdict.rejected for verdict in reject(axes, fdr)) for fdr in (0.01, 0.05, 0.2, 0.5)]
    assert counts == sorted(counts)
