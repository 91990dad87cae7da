"""Birth cohort: a family's owners signed up together, far more closely than sign-ups arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, first_by_owner, log_e_from_log_p
from stillwatch.signals.counts import at_odds, log_binomial_tail

IDENT = "birth-cohort"
FAMILY: Family = "lifecycle"
NEEDS = frozenset({"created_at"})

WINDOWS_US = (3_600_000_000, 86_400_000_000, 604_800_000_000)
"""An hour, a day, a week: scripted sign-up, a day's batch, a stock built up for a campaign."""

KNOWN_MIN = 8

ODDS_MAX = 4.0
"""How many times as common an honest family may be among the sign-ups of a window as among all others. Of single users
15 % are in their first three days, of companies 6 % (`docs/lab.md`, an assumption): odds of 2.8, and a margin."""

BYSTANDERS_MAX = 0.1
"""A date ties nobody where more than a tenth of one honest owner is to be expected among those who share it."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether owners' sign-ups crowd into a window more than the population's own sign-ups do.

    An organisation signs up once, whatever the number of its seats. Who is in a programme of the provider's is left
    out: a hackathon's credits bring everybody on one day, and the provider chose the day.

    Sees:       bulk registration, replacement pools made after a ban.
    Misled by:  a class, a launch day: strangers who start together, and of whom the provider knows nothing.
    Evaded by:  accounts aged or bought one by one, or taken through a programme.
    Source:     method S7; Naus 1965 for the scan statistic, here with binomial tails and a union bound.
    """
    owner, _ = panel.owners()
    alone = (panel.created_us >= 0) & (panel.facts.programme == 0)
    known = first_by_owner(owner[alone], panel.created_us[alone])
    if len(known) < KNOWN_MIN:
        return Skipped(IDENT, _why_too_few(panel))
    found = scan(known, panel.population.created_us)
    log_e = log_e_from_log_p(found.log_p)
    member = alone & (panel.created_us >= found.start_us) & (panel.created_us < found.start_us + found.width_us)
    fewer = log_e_from_log_p(found.log_p * (found.inside - 1) / found.inside)
    without = np.where(member, min(log_e, fewer), log_e)
    hours, share = found.width_us // 3_600_000_000, found.inside / len(known)
    said = f"{found.inside} of {len(known)} owners signed up within {hours} h"
    if found.log_p < np.log(0.01):
        evidence = Evidence(IDENT, said, share, float(np.exp(found.log_p)), FAMILY)
        tied = member & (bystanders(len(known) - found.inside, found.chance) <= BYSTANDERS_MAX)
        return Mark(IDENT, FAMILY, log_e, (evidence,), (), without, tied=tied)
    apart = Evidence(IDENT, "sign-ups are spread like everybody's", share, None, FAMILY)
    return Mark(IDENT, FAMILY, log_e, (), (apart,), without)


def _why_too_few(panel: Panel) -> str:
    if (panel.created_us >= 0).sum() < KNOWN_MIN:
        return "sign-up times are unknown; pass --accounts"
    return f"fewer than {KNOWN_MIN} owners signed up by themselves; the others came through programmes or seats"


@dataclass(frozen=True, slots=True)
class Window:
    """The fullest window: how unlikely it is, where it is, how many fell in, and an honest owner's chance to."""

    log_p: float
    width_us: int
    inside: int
    start_us: int
    chance: float


def scan(known: Ints, population: Ints) -> Window:
    """Return the fullest window of a family's sign-ups and its log p.

    A window opens at each sign-up of the family. Were the family any owners of the population, how many of the
    others in the window are the family's would be hypergeometric, whatever the days on which people sign up. Newcomers
    are not any owners, though: they try what is new. So the family may be ODDS_MAX times as common among the owners
    of a window as elsewhere, and its owners fall into the window independently, which spreads wider.

    Shapes:  known, population: sign-up times ascending, microseconds; known is part of population.
    Cost:    one exact tail a width, at the window with the largest excess; the union bound covers them all.
    Twin:    tests/naive/birth_cohort.py::scan
    """
    best = Window(0.0, WINDOWS_US[0], 1, int(known[0]), 1.0)
    looks = np.log(len(known) * len(WINDOWS_US))
    family, everybody = len(known) - 1, max(len(population), len(known)) - 1
    for width in WINDOWS_US:
        inside = np.searchsorted(known, known + width) - np.searchsorted(known, known) - 1
        others = np.searchsorted(population, known + width) - np.searchsorted(population, known) - 1
        others = np.maximum(others, inside)
        chance = at_odds(others / everybody, ODDS_MAX)
        at = int(np.argmax(_excess(inside, chance * family)))
        tail = float(log_binomial_tail(inside[at] - 1, family, chance[at]))
        if tail + looks < best.log_p:
            strangers = (others[at] - inside[at] + 1) / (everybody - family + 1)
            inside_chance = float(at_odds(strangers, ODDS_MAX))
            best = Window(float(tail + looks), width, int(inside[at]) + 1, int(known[at]), inside_chance)
    return best


def bystanders(outside: int, chance: float) -> float:
    """Return how many honest owners to expect inside a window, from how many of the family are outside.

    With a chance c to be inside, as strangers to the family have it, and m outside, those inside average
    (m + 1) c / (1 - c) if any number of honest ones is as likely as any other beforehand.

    Twin:    tests/naive/birth_cohort.py::bystanders
    """
    return (outside + 1) * chance / (1 - chance) if chance < 1 else np.inf


def _excess(seen: Ints, expected: Floats) -> Floats:
    """Return how far counts exceed what is expected of them, in nats (Kullback and Leibler, for Poisson counts)."""
    more = np.where((seen > expected) & (expected > 0), seen / np.maximum(expected, 1e-300), 1.0)
    return np.where(seen > expected, seen * np.log(more) - seen + expected, -1.0)
