"""The signals, in the order in which reports show them."""

from __future__ import annotations

from stillwatch.signals import (
    birth_cohort,
    extraction_intent,
    pool_dispatch,
    population_homogeneity,
    queue_sharding,
    shared_infrastructure,
    template_reuse,
)
from stillwatch.signals.contract import Signal

SIGNALS: tuple[Signal, ...] = (
    template_reuse,
    queue_sharding,
    pool_dispatch,
    population_homogeneity,
    shared_infrastructure,
    birth_cohort,
    extraction_intent,
)
