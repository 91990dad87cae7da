"""The baselines, in the order in which the benchmark shows them."""

from __future__ import annotations

from stillwatch.lab.baselines import (
    co_action,
    dense_block,
    fellegi_sunter,
    indicators,
    mmd_account,
    mmd_pooled,
    prada,
    volume,
)
from stillwatch.lab.baselines.contract import Baseline

BASELINES: tuple[Baseline, ...] = (
    volume,
    indicators,
    prada,
    mmd_account,
    mmd_pooled,
    co_action,
    fellegi_sunter,
    dense_block,
)
