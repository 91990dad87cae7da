"""The published indicators as rules: an account's score is how many of them it meets, then its volume.

Three of the indicators of the joint advisory AA26-251A (8 September 2026) can be read from a log of calls: use around
the clock without idle hours, a new subscription that is at its maximum at once, and traffic of a fixed shape. The
advisory gives no numbers. Those below are the ones under which the same indicators were measured on production
clients (ServeGen, arXiv 2505.09999): 15 to 41 % of honest ones met the first, 48 to 64 % of new ones the second, 14
to 19 % the third.

Source:      advisory AA26-251A, section on indicators; our operationalisation.
Parameters:  22 active hours an active day; new for 7 days, half of its peak within 24 hours; variation below 0.1. A
             rule needs 10 calls before it speaks, below which length and peak mean nothing.
Cost:        O(calls log calls).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.lab.baselines.contract import Bools, Floats, Ints, Suspicion
from stillwatch.lab.baselines.log import DAY_US, HOUR_US, Calls, Log, calls_of, mixed

IDENT = "indicators"
TITLE = "published indicators as rules"

ACTIVE_HOURS_MIN = 22
NEW_DAYS = 7
PEAK_SHARE_MIN = 0.5
LENGTH_VARIATION = 0.1
CALLS_MIN = 10


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Count the indicators that each account meets; among equals the busier comes first."""
    calls = calls_of(log)
    tokens = log.table(["input_tokens"])["input_tokens"].cast(pa.float64()).to_numpy()
    count = np.bincount(calls.account, minlength=len(calls.accounts)).astype(np.float64)
    met = _around_the_clock(calls).astype(np.int64) + _at_maximum_at_once(calls) + _fixed_length(calls, tokens)
    met = np.where(count >= CALLS_MIN, met, 0)
    order = np.argsort(np.argsort(count, kind="stable"), kind="stable")
    return Suspicion.of(calls.accounts, met + order / (len(count) + 1))


def _around_the_clock(calls: Calls) -> Bools:
    """Return whose active days have 22 active hours on average."""
    hours, days = (_distinct(calls, unit) for unit in (HOUR_US, DAY_US))
    return np.asarray(hours >= ACTIVE_HOURS_MIN * days)


def _distinct(calls: Calls, unit: int) -> Floats:
    """Return in how many hours or days each account called."""
    place = calls.time // unit
    pair = mixed(calls.account, place - place.min(initial=0))
    _, first = np.unique(pair, return_index=True)
    return np.bincount(calls.account[first], minlength=len(calls.accounts)).astype(np.float64)


def _at_maximum_at_once(calls: Calls) -> Bools:
    """Return who is new and reaches half of its busiest hour within a day of its first call."""
    size = len(calls.accounts)
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, calls.account, calls.time)
    created = calls.facts["created_at"].cast(pa.int64()).to_numpy()
    new = np.nan_to_num(first - created, nan=np.inf) <= NEW_DAYS * DAY_US
    at_once = calls.time - first[calls.account] < DAY_US
    peak, early = _peak(calls, np.ones(len(calls.time), bool)), _peak(calls, at_once)
    return np.asarray(new & (early >= PEAK_SHARE_MIN * peak))


def _peak(calls: Calls, counted: Bools) -> Floats:
    """Return the calls of each account's busiest hour."""
    hour = calls.time[counted] // HOUR_US
    pair = mixed(calls.account[counted], hour - hour.min(initial=0))
    _, at, count = np.unique(pair, return_index=True, return_counts=True)
    most = np.zeros(len(calls.accounts))
    np.maximum.at(most, calls.account[counted][at], count)
    return most


def _fixed_length(calls: Calls, tokens: Floats) -> Bools:
    """Return whose prompts have nearly one length."""
    known = np.isfinite(tokens)
    account: Ints = calls.account[known]
    size = len(calls.accounts)
    count = np.maximum(np.bincount(account, minlength=size), 1)
    mean = np.bincount(account, weights=tokens[known], minlength=size) / count
    spread = np.bincount(account, weights=(tokens[known] - mean[account]) ** 2, minlength=size) / count
    return np.asarray((mean > 0) & (np.sqrt(spread) < LENGTH_VARIATION * mean))
