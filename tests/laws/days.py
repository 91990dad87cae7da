"""Days on which nothing is coordinated, and days on which something is: calls in time, closures, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from stillwatch.signals.contract import Panel, Population
from tests.signals.panels import HOUR_US, START_US, panel

MINUTE_US = HOUR_US // 60
DAY_US = 24 * HOUR_US
FIRST_US = START_US // DAY_US * DAY_US
STRETCH_US = HOUR_US // 6

Make = Callable[[np.random.Generator], Panel]
Begin = Callable[[np.random.Generator, int], Iterable[float]]


def logged(rng: np.random.Generator, account: np.ndarray, time_us: np.ndarray, days: int, **more: Any) -> Panel:
    """Put a family's calls into a log with a daily curve, of which one hour in each two is tested."""
    stretches = days * 144
    others = rng.poisson(70 * (1 + 0.4 * np.sin(np.arange(stretches) / 144 * 2 * np.pi)))
    own = np.bincount((time_us - FIRST_US) // STRETCH_US, minlength=stretches)
    hours = np.zeros(days * 24, dtype=bool)
    hours[2 * np.arange(days * 12) + rng.integers(0, 2, days * 12)] = True
    population = Population(
        9_000, np.zeros(0, dtype=np.int64), STRETCH_US, FIRST_US // STRETCH_US, others + own, np.repeat(hours, 6)
    )
    tested = hours[(time_us - FIRST_US) // HOUR_US]
    return panel(account, time_us=time_us, tested=tested, population=population, **more)


def stretches_of_work(accounts: int, days: int, begin: Begin, hours: float, gap_minutes: float) -> Make:
    """Let each account begin when `begin` says and work for a while, in bursts of its own."""

    def make(rng: np.random.Generator) -> Panel:
        account, times = [], []
        for who in range(accounts):
            for start in begin(rng, who):
                calls = 1 + rng.poisson(rng.exponential(hours) * 60 / gap_minutes)
                burst = start * HOUR_US + np.cumsum(rng.gamma(0.2, 5 * gap_minutes * MINUTE_US, calls))
                account += [who] * calls
                times += [start * HOUR_US, *burst[:-1]]
        time_us = FIRST_US + np.array(times).astype(np.int64)
        inside = (time_us >= FIRST_US) & (time_us < FIRST_US + days * DAY_US)
        return logged(rng, np.array(account)[inside], time_us[inside], days, accounts_count=accounts)

    return make


def office_hours(accounts: int, days: int, sd_minutes: float) -> Make:
    def begin(rng: np.random.Generator, _: int) -> Iterable[float]:
        return [day * 24 + hour + rng.normal(0, sd_minutes) / 60 for day in range(days) for hour in (9, 13)]

    return stretches_of_work(accounts, days, begin, hours=2.5, gap_minutes=4)


def own_times(accounts: int, days: int) -> Make:
    def begin(rng: np.random.Generator, _: int) -> Iterable[float]:
        return rng.uniform(0, 24 * days, rng.poisson(4 * days * min(rng.lognormal(0, 1.5), 5)))

    return stretches_of_work(accounts, days, begin, hours=0.6, gap_minutes=2)


def timers(accounts: int, days: int, every_hours: float, minute: float) -> Make:
    def begin(rng: np.random.Generator, _: int) -> Iterable[float]:
        return minute / 60 + np.arange(0, 24 * days, every_hours) + rng.exponential(0.005, int(24 * days / every_hours))

    return stretches_of_work(accounts, days, begin, hours=0.1, gap_minutes=1)


def one_burst(accounts: int, days: int, spread_minutes: float) -> Make:
    """A viral prompt (a spread of 20 minutes) or a class (of one), beside times of one's own."""

    def begin(rng: np.random.Generator, _: int) -> Iterable[float]:
        return [14.35 + rng.exponential(spread_minutes) / 60, *rng.uniform(0, 24 * days, rng.poisson(3 * days))]

    return stretches_of_work(accounts, days, begin, hours=0.8, gap_minutes=2)


def shifts(accounts: int, days: int, a_day: int) -> Make:
    """A pool that one command starts and stops, at any minute."""

    def make(rng: np.random.Generator) -> Panel:
        account, times = [], []
        hours = np.concatenate([24 * day + 2 * rng.choice(12, a_day, replace=False) for day in range(days)])
        for start in (hours + rng.uniform(0, 1, len(hours))) * HOUR_US:
            for who in range(accounts):
                own = start + rng.exponential(MINUTE_US) + np.arange(0, 45, 1.5) * MINUTE_US
                account += [who] * len(own)
                times += own.tolist()
        time_us = FIRST_US + np.array(times).astype(np.int64)
        inside = time_us < FIRST_US + days * DAY_US
        return logged(rng, np.array(account)[inside], time_us[inside], days, accounts_count=accounts)

    return make


def newcomers(accounts: int, days: int, closures: int, taken_over: float = 0.0, wave: bool = False) -> Make:
    """Accounts that begin at any time, or as one wave, and closures that a share of them follows within the hour."""

    def make(rng: np.random.Generator) -> Panel:
        born = rng.uniform(0, 24 * days, accounts)
        if wave:
            born = 24 * days / 2 + rng.gamma(3, 2, accounts)
        shut = rng.uniform(0, 24 * days, closures)
        if wave:
            shut[: closures // 2] = 24 * days / 2 + rng.uniform(0, 5, closures // 2)
        follows = rng.random(accounts) < taken_over
        born = np.where(follows, rng.choice(shut, accounts) + rng.uniform(0, 1, accounts), born)
        born = np.minimum(born, 24 * days - 0.01)
        closed = np.full(accounts, -1.0)
        closed[:closures] = shut
        born[:closures] = rng.uniform(0, 1, closures) * shut
        time_us = FIRST_US + (np.repeat(born, 2) * HOUR_US).astype(np.int64)
        closed_us = np.where(closed >= 0, FIRST_US + closed * HOUR_US, -1).astype(np.int64)
        return logged(
            rng, np.repeat(np.arange(accounts), 2), time_us, days, facts={"closed_us": closed_us},
            accounts_count=accounts,
        )  # fmt: skip

    return make


def refusals(accounts: int, days: int, handed_on: float, storm: bool = False) -> Make:
    """Items that two or three owners ask for within hours; a tenth of the calls is refused, at any time or in storms.

    With `handed_on` they are a queue: one account gets each item, and that share of the refused ones goes on to
    another account over another path.
    """

    def make(rng: np.random.Generator) -> Panel:
        items = 40 * accounts
        owners = [1.0, 0.0, 0.0] if handed_on else [0.6, 0.3, 0.1]
        asked = np.repeat(np.arange(items) + 1, rng.choice([1, 2, 3], items, p=owners))
        account = rng.integers(0, accounts, len(asked))
        time_us = rng.integers(0, days * 24, items)[asked - 1] * HOUR_US + rng.integers(0, HOUR_US, len(asked))
        rate = np.where(time_us % HOUR_US < 10 * MINUTE_US, 0.3, 0.06) if storm else 0.1
        refused = rng.random(len(asked)) < rate
        again = np.flatnonzero(refused & (rng.random(len(asked)) < handed_on))
        account = np.concatenate([account, rng.integers(0, accounts, len(again))])
        later = np.minimum(time_us[again] + rng.integers(MINUTE_US, 9 * MINUTE_US, len(again)), days * DAY_US - 1)
        time_us = FIRST_US + np.concatenate([time_us, later])
        return logged(
            rng, account, time_us, days, accounts_count=accounts, item=np.concatenate([asked, asked[again]]),
            status=np.concatenate([np.where(refused, 429, 200), np.full(len(again), 200)]),
            path=1 + (np.arange(len(account)) >= len(asked)),
        )  # fmt: skip

    return make
