"""Per-account volume: the more calls on its busiest day, the more suspicious.

Source:      rate limits and abuse thresholds as every provider has them; there is no paper.
Parameters:  none but the threshold, which the benchmark sweeps.
Cost:        O(calls).
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.contract import Suspicion
from stillwatch.lab.baselines.log import DAY_US, Log, calls_of, mixed

IDENT = "volume"
TITLE = "calls an account and day"


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account by the calls of its busiest day."""
    calls = calls_of(log)
    day = calls.time // DAY_US
    account_day = mixed(calls.account, day - day.min(initial=0))
    _, first, count = np.unique(account_day, return_index=True, return_counts=True)
    most = np.zeros(len(calls.accounts))
    np.maximum.at(most, calls.account[first], count)
    return Suspicion.of(calls.accounts, most)
