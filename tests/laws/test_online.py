"""What a stream of windows promises: the share of mistakes among all that it ever named is at most the stated rate."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.fusion import Axes
from stillwatch.campaign.online import begin, decide

STREAMS = 400
WINDOWS = 25
STANDARD_ERRORS = 3


def e_value_of_chance(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw log e-values whose mean is 1: bets that win seldom and then much."""
    odds = rng.choice([10.0, 1e3, 1e5], count)
    return np.where(rng.random(count) < 1 / odds, np.log(odds), -20.0)


def stream(rng: np.random.Generator, kinds: np.ndarray, fdr: float, examples: int) -> tuple[float, float, int]:
    """Run one stream; return the share of mistakes at its end, the largest on the way, and campaigns missed.

    Kind 0 is neither coordinated nor extracting, 1 coordinated only, 2 extracting only, 3 a campaign. A third of the
    families come back in every window under one name, with e-values and scores that hardly change; the others are new
    each time.
    """
    count = len(kinds)
    honest = Calibration("law", "drawn", tuple(np.sort(rng.normal(0, 1, examples))))
    state = begin(honest, fdr, "k")
    lasting = rng.random(count) < 1 / 3
    first_e, first_score = e_value_of_chance(rng, count), rng.normal(0, 1, count)
    wrong, named, worst = set[str](), set[str](), 0.0
    for number in range(WINDOWS):
        log_e = np.where(lasting, first_e, e_value_of_chance(rng, count))
        log_e = np.where(np.isin(kinds, (1, 3)), rng.uniform(20, 60, count), log_e)
        score = np.where(lasting, first_score + 0.01 * rng.normal(0, 1, count), rng.normal(0, 1, count))
        score = np.where(kinds >= 2, rng.normal(6, 0.3, count), score)
        names = [f"f-{at}" if lasting[at] else f"f-{at}-{number}" for at in range(count)]
        families = [
            ([name], Axes(float(e), np.zeros(1), honest.p_value(float(s)), float(s)))
            for name, e, s in zip(names, log_e, score, strict=True)
        ]
        verdicts, state = decide(state, (10 * number, 10 * number + 9), families)
        for name, kind, verdict in zip(names, kinds, verdicts, strict=True):
            if verdict.rejected:
                named.add(name)
                wrong |= {name} if kind != 3 else set()
        worst = max(worst, len(wrong) / max(1, len(named)))
    missed = sum(f"f-{at}" not in named for at in np.flatnonzero(lasting & (kinds == 3)))
    return len(wrong) / max(1, len(named)), worst, int(missed)


MIXTURES = {
    "nothing-hidden": [12, 0, 0, 0],
    "resellers": [8, 3, 0, 0],
    "researchers": [8, 0, 4, 0],
    "everything": [8, 2, 2, 2],
    "mostly-campaigns": [2, 1, 1, 6],
}


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
def test_the_share_of_mistakes_of_a_whole_stream_stays_under_the_stated_rate(mixture: list[int]) -> None:
    """400 streams of 25 windows; the largest share on the way is held to the rate as well, which is more than it
    promises.
    """
    fdr = 0.2
    rng = np.random.default_rng([*mixture, 77])
    ran = [stream(rng, np.repeat(np.arange(4), mixture), fdr, 199) for _ in range(STREAMS)]
    for shares in ([end for end, _, _ in ran], [worst for _, worst, _ in ran]):
        error = np.std(shares) / np.sqrt(STREAMS)
        assert np.mean(shares) <= fdr + STANDARD_ERRORS * max(error, np.sqrt(fdr / STREAMS) / STREAMS)


@pytest.mark.parametrize("examples", [428, 2000])
def test_campaigns_are_named_at_the_usual_rate_with_as_many_examples_as_there_are(examples: int) -> None:
    rng = np.random.default_rng(examples)
    kinds = np.repeat(np.arange(4), [20, 1, 3, 3])
    missed = sum(stream(rng, kinds, 0.05, examples)[2] for _ in range(20))
    assert missed <= 0.05 * 20 * 1
