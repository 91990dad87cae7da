"""What is true of the whole log, from the digests of whichever engine is asked."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stillwatch import trace
from stillwatch.engines.accounts import programme_tenths
from stillwatch.engines.blocks import Blocks, LogFacts
from stillwatch.signals.contract import Population

MODELS_MAX = 16
"""Models whose adoption is followed: what comes after them has too few calls to have a curve."""


class Ask(Protocol):
    """Answers a statement of `digests.statements` by its name, with its holes filled."""

    def __call__(self, name: str, **given: int) -> dict[str, np.ndarray]: ...


def log_facts(ask: Ask, duplicates_count: int) -> LogFacts:
    """Return how large a log is, when it begins and ends, and what befell its rows."""
    found = {name: int(column[0]) for name, column in ask("LOG_FACTS").items()}
    befell = ask("LOG_LOSSES")
    losses = {loss: int(befell[loss][0]) for loss in sorted(trace.LOSS_FLAGS) if befell[loss][0]}
    return LogFacts(found["events"], found["accounts"], found["first_us"], found["last_us"], duplicates_count, losses)


def population(ask: Ask, facts: LogFacts, blocks: Blocks) -> Population:
    """Return what signals know of everybody; six stretches make a block."""
    width = max(1, blocks.width_us // 6)
    found = ask("BLOCK_CALLS", block_us=width)
    first = facts.first_us // width
    calls = np.zeros(facts.last_us // width - first + 1, dtype=np.int64)
    calls[found["block"].astype(np.int64) - first] = found["calls"]
    tested = blocks.tested((np.arange(len(calls)) + first) * width).astype(bool)
    models, model_calls = _model_calls(ask, width, first, len(calls))
    born = ask("SIGN_UPS")["created_us"]
    owners = int(ask("OWNERS")["owners"][0])
    tenths = programme_tenths(ask("PROGRAMME_TENTHS"))
    return Population(owners, born, width, first, calls, tested, models, model_calls, tenths)


def _model_calls(ask: Ask, width: int, first: int, stretches: int) -> tuple[np.ndarray, np.ndarray]:
    found = ask("MODEL_CALLS", block_us=width, models_max=MODELS_MAX)
    models, model = np.unique(found["model_key"], return_inverse=True)
    calls = np.zeros((len(models), stretches), dtype=np.int64)
    calls[model, found["block"].astype(np.int64) - first] = found["calls"]
    return models.astype(np.uint64), calls
