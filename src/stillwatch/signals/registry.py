"""The signals, in the order in which reports show them."""

from __future__ import annotations

from stillwatch.signals import (
    adoption,
    birth_cohort,
    economics,
    extraction_intent,
    failover,
    pool_dispatch,
    population_homogeneity,
    queue_sharding,
    shared_infrastructure,
    template_reuse,
    temporal_synchrony,
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
    temporal_synchrony,
    failover,
    adoption,
    economics,
)
