"""How a list of work is spread over time and over accounts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.lab import network
from stillwatch.lab.roster import move_to
from stillwatch.lab.traffic import HOUR_US, Ground, Ints, Records


def times(rng: np.random.Generator, count: int, ground: Ground, shifts: Sequence[tuple[float, float, float]]) -> Ints:
    """Draw sorted times over shifts of (first hour, last hour, share of the work)."""
    share = np.array([shift[2] for shift in shifts])
    which = rng.choice(len(shifts), count, p=share / share.sum())
    first = np.array([shift[0] for shift in shifts])[which]
    last = np.array([shift[1] for shift in shifts])[which]
    hour = first + rng.random(count) * (last - first)
    return np.sort(ground.start_us + (hour * HOUR_US).astype(np.int64))


def every_day(ground: Ground, *shifts: tuple[float, float, float]) -> tuple[tuple[float, float, float], ...]:
    """Repeat a day's shifts on each day of the window; a window without any of them is one shift."""
    hours = float(ground.hours)
    days = range(-(-ground.hours // 24))
    repeated = [(24.0 * day + a, min(24.0 * day + b, hours), share) for day in days for a, b, share in shifts]
    return tuple(shift for shift in repeated if shift[0] < hours) or ((0.0, hours, 1.0),)


def least_loaded(rng: np.random.Generator, accounts: int, calls: int) -> Ints:
    """Give each call to one of the accounts with the fewest calls so far, by lot among equals."""
    rounds = max(-(-calls // accounts), 1)
    chosen = [rng.permutation(accounts) for _ in range(rounds)]
    return np.concatenate(chosen)[:calls]


def next_free(rng: np.random.Generator, accounts: int, calls: int) -> Ints:
    """Give each call to whichever account comes free next: most take part in every round, some are slow.

    The order within about a tenth of a round is left to chance, as it is between real workers.
    """
    ready = rng.beta(9.0, 1.6, accounts)
    chosen = [np.zeros(0, np.int64)]
    total = 0
    while total < calls:
        present = np.flatnonzero(rng.random(accounts) < ready)
        chosen.append(rng.permutation(present))
        total += len(present)
    order = np.concatenate(chosen)[:calls]
    jitter = np.arange(calls) + rng.normal(0.0, 0.1 * accounts, calls)
    return order[np.argsort(jitter, kind="stable")]


def one_deployment(rng: np.random.Generator, roster: Records) -> Records:
    """Make these accounts one owner's machines: one program in one block of a cloud."""
    for column in ("agent", "tls", "path", "plan"):
        roster[column] = roster[column][0]
    move_to(roster, network.blocks(rng, len(roster), 1, "cloud"))
    roster["other_address"] = 0
    return one_organisation(rng, roster)


def one_organisation(rng: np.random.Generator, roster: Records) -> Records:
    """Make these accounts one owner's: organisation, mail domain and means of payment."""
    key = rng.integers(1 << 40, 1 << 62, 3, np.uint64)
    roster["org"], roster["payment"], roster["domain"] = key[0], key[1], key[2]
    return roster
