"""Birth cohort: a family's accounts were made together, far more closely than sign-ups arrive."""

from __future__ import annotations

import numpy as np
from scipy import stats

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, log_e_from_log_p

IDENT = "birth-cohort"
FAMILY: Family = "lifecycle"
NEEDS = frozenset({"created_at"})

WINDOWS_US = (3_600_000_000, 86_400_000_000, 604_800_000_000)
"""An hour, a day, a week: scripted sign-up, a day's batch, a stock built up for a campaign."""

KNOWN_MIN = 8

ODDS_MAX = 4.0
"""How many times as common an honest family may be among the sign-ups of a window as among all others. Of single users
15 % are in their first three days, of companies 6 % (`docs/lab.md`, an assumption): odds of 2.8, and a margin."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether sign-ups crowd into a window more than the population's own sign-ups do.

    Sees:       bulk registration, replacement pools made after a ban.
    Misled by:  a class, a hackathon, a launch day: strangers who start together.
    Evaded by:  accounts aged or bought one by one.
    Source:     method S7; Naus 1965 for the scan statistic, here with binomial tails and a union bound.
    """
    known = np.sort(panel.created_us[panel.created_us >= 0])
    if len(known) < KNOWN_MIN:
        return Skipped(IDENT, "sign-up times are unknown; pass --accounts")
    log_p, width_us, inside, start_us = scan(known, panel.population.created_us)
    log_e = log_e_from_log_p(log_p)
    member = (panel.created_us >= start_us) & (panel.created_us < start_us + width_us)
    fewer = log_e_from_log_p(log_p * (inside - 1) / inside)
    without = np.where(member, min(log_e, fewer), log_e)
    hours = width_us // 3_600_000_000
    said = Evidence(
        IDENT,
        f"{inside} of {len(known)} accounts signed up within {hours} h",
        inside / len(known),
        float(np.exp(log_p)),
        FAMILY,
    )
    if log_p < np.log(0.01):
        return Mark(IDENT, FAMILY, log_e, (said,), (), without, tied=member)
    apart = Evidence(IDENT, "sign-ups are spread like everybody's", inside / len(known), None, FAMILY)
    return Mark(IDENT, FAMILY, log_e, (), (apart,), without)


def scan(known: Ints, population: Ints) -> tuple[float, int, int, int]:
    """Return log p of the fullest window, its width, how many fell in, and where it starts.

    A window opens at each account of the family. Were the family any accounts of the population, how many of the
    others in the window are the family's would be hypergeometric, whatever the days on which people sign up. Newcomers
    are not any accounts, though: they try what is new. So the family may be ODDS_MAX times as common among the accounts
    of a window as elsewhere, and its accounts fall into the window independently, which spreads wider.

    Shapes:  known, population: sign-up times ascending, microseconds; known is part of population.
    Cost:    one exact tail a width, at the window with the largest excess; the union bound covers them all.
    Twin:    tests/naive/birth_cohort.py::scan
    """
    best = (0.0, WINDOWS_US[0], 1, int(known[0]))
    looks = np.log(len(known) * len(WINDOWS_US))
    family, everybody = len(known) - 1, max(len(population), len(known)) - 1
    for width in WINDOWS_US:
        inside = np.searchsorted(known, known + width) - np.searchsorted(known, known) - 1
        others = np.searchsorted(population, known + width) - np.searchsorted(population, known) - 1
        others = np.maximum(others, inside)
        share = others / everybody
        chance = ODDS_MAX * share / (1 + (ODDS_MAX - 1) * share)
        at = int(np.argmax(_excess(inside, chance * family)))
        tail = stats.binom.logsf(inside[at] - 1, family, chance[at])
        if tail + looks < best[0]:
            best = (float(tail + looks), width, int(inside[at]) + 1, int(known[at]))
    return best


def _excess(seen: Ints, expected: Floats) -> Floats:
    """Return how far counts exceed what is expected of them, in nats (Kullback and Leibler, for Poisson counts)."""
    more = np.where((seen > expected) & (expected > 0), seen / np.maximum(expected, 1e-300), 1.0)
    return np.where(seen > expected, seen * np.log(more) - seen + expected, -1.0)
