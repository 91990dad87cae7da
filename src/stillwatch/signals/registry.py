"""The signals, in the order in which reports show them."""

from __future__ import annotations

from stillwatch.signals import (
    adoption,
    birth_cohort,
    capability_sweep,
    economics,
    extraction_intent,
    failover,
    jailbreak_exploration,
    pool_dispatch,
    population_homogeneity,
    program_mismatch,
    queue_sharding,
    reasoning_replay,
    relay,
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
    capability_sweep,
    shared_infrastructure,
    relay,
    birth_cohort,
    program_mismatch,
    extraction_intent,
    temporal_synchrony,
    failover,
    adoption,
    economics,
    jailbreak_exploration,
    reasoning_replay,
)
