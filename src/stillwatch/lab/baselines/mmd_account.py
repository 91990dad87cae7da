"""Windowed MMD by account: is what an account asks distributed as honest traffic is?

Source:      Liu, Guo and Dong 2026, "An embarrassingly simple detector for model extraction attacks in large language
             model API traffic" (arXiv 2606.05725).
Parameters:  windows of the paper's 1,500 calls, or all that an account made, from 5 on. The paper embeds with a
             sentence model; none is at hand, so a request is its hashed words and word pairs, and the kernel is 256
             random features as wide as the median distance. The threshold is calibrated on honest windows alone, as
             the paper asks: a window is compared with honest accounts' windows of about its size.
Cost:        O(calls · 256²).
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.baselines.contract import Ints, Suspicion
from stillwatch.lab.baselines.log import Log, calls_of, mixed, rank_within
from stillwatch.lab.baselines.windows import WINDOW_CALLS, Kernel, discrepancy, means, surprise

IDENT = "mmd-account"
TITLE = "MMD windows by account"


def suspect(log: Log, honest: Log, seed: int) -> Suspicion:
    """Score each account by the most surprising of its windows."""
    kernel = Kernel.fitted(honest, seed)
    there, reference = means(honest, kernel, [_windows(honest)])
    usual = discrepancy(there[0], reference)
    window = _windows(log)
    here, _ = means(log, kernel, [window])
    found = surprise(discrepancy(here[0], reference), here[0].calls, usual, there[0].calls)
    calls = calls_of(log)
    score = np.full(len(calls.accounts), -np.inf)
    np.maximum.at(score, calls.account, found[window])
    return Suspicion.of(calls.accounts, score)


def _windows(log: Log) -> Ints:
    calls = calls_of(log)
    return mixed(calls.account, rank_within(calls.account, calls.time) // WINDOW_CALLS)
