"""The honest population: consumers, developers and companies, each on their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab import habits
from stillwatch.lab.changes import Altered, Lives, draw_lives, fit
from stillwatch.lab.roster import BUSINESS, CONSUMER, DEVELOPER, Style, enrol
from stillwatch.lab.traffic import RETRIES, Actor, Crowd, Ground, Kind, Records


@dataclass(frozen=True, slots=True)
class Tier:
    """One layer of the population: its share of the honest calls, and log-normal calls an account and day."""

    name: str
    share: float
    median: float
    sigma: float
    style: Style
    kinds: tuple[Kind, ...]
    weights: tuple[float, ...]
    keyboard: bool

    @property
    def mean(self) -> float:
        """Mean calls of an account."""
        return self.median * float(np.exp(self.sigma**2 / 2))


TIERS = (
    Tier("consumer", 0.45, 4.0, 1.4, CONSUMER, (habits.CHAT,), (1.0,), keyboard=True),
    Tier(
        "developer", 0.30, 8.0, 1.75, DEVELOPER,
        (
            habits.OWN_TEMPLATE, habits.OWN_CATALOGUE, habits.OWN_SYSTEM, habits.QUICKSTART, habits.RETRIEVAL,
            habits.RECIPES, habits.FREE_API, *habits.HARNESS_KINDS,
        ),
        (0.24, 0.05, 0.09, 0.17, 0.07, 0.1, 0.1, 0.06, 0.05, 0.03, 0.02, 0.02), keyboard=False,
    ),
    Tier(
        "company", 0.25, 25.0, 2.15, BUSINESS,
        (
            habits.OWN_TEMPLATE, habits.OWN_CATALOGUE, habits.OWN_SYSTEM, habits.OWN_TEMPLATES,
            habits.PRODUCT_CHAT, habits.PRODUCT_AGENT, habits.OWN_JUDGE, habits.RETRIEVAL, habits.QUICKSTART,
            *habits.HARNESS_KINDS,
        ),
        (0.27, 0.06, 0.12, 0.12, 0.15, 0.07, 0.04, 0.05, 0.05, 0.03, 0.02, 0.01, 0.005, 0.005),
        keyboard=False,
    ),
)  # fmt: skip
"""Sigmas are ServeGen's (2.15) and the range assumed for single users (1.5 to 2, here 1.4 for the smallest);
medians are scaled down from its tenants, which are the top clients of one vendor."""


def settle(ground: Ground, calls: float) -> list[Actor]:
    """Return the tiers, sized so that together they make about `calls` calls a day, on each day of the window."""
    settled = [_settle_tier(tier, ground, calls * tier.share / (1.0 + RETRIES)) for tier in TIERS]
    return [Altered(crowd, (lives,)) for crowd, lives in settled]


def _settle_tier(tier: Tier, ground: Ground, calls: float) -> tuple[Crowd, Lives]:
    """Return one tier's accounts, and from when to when each of them lives."""
    rng = ground.rng("population", tier.name)
    count = max(int(calls / tier.mean), 1)
    rhythm = habits.habits(rng, count, tier.median, tier.sigma, calls)
    if tier.keyboard:
        rhythm = habits.of_people(rng, rhythm)
    kind = rng.choice(len(tier.kinds), count, p=np.array(tier.weights) / sum(tier.weights))
    roster = enrol(rng, count, tier.style, ground.start_us)
    lives = draw_lives(ground.rng("lives", tier.name), roster, ground, tier.style.new)
    rhythm = fit(rhythm, calls * ground.hours / 24.0, ground, lives)
    rhythm = habits.per_session(rhythm, tier.kinds, kind)
    if tier.style.company == 1.0:
        _found_companies(rng, roster)
    crowd = Crowd(tier.name, tier.name, roster, rhythm, tier.kinds, ground)
    crowd.assign(kind, rng)
    if tier.keyboard:
        crowd.wander[:] = 0.7
    return crowd, lives


SECOND_ACCOUNTS = 0.25
"""Share of the company accounts that belong to the company before them: another project, another region."""


def _found_companies(rng: np.random.Generator, roster: Records) -> None:
    place = np.arange(len(roster))
    head = np.maximum.accumulate(np.where(rng.random(len(roster)) < SECOND_ACCOUNTS, 0, place))
    for column in ("org", "domain", "payment"):
        roster[column] = roster[column][head]
