"""Adoption: the family's calls move to a new model faster than everybody else's do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Mark, Panel, Population

IDENT = "adoption"
FAMILY: Family = "dispatch"
NEEDS = frozenset({"request_model"})

DAY_US = 86_400_000_000

NEW_CHANCE = 1e-6
"""A model is new if, used all along as it is used later, it would be absent so long with this chance at most."""

CALLS_MIN = 30
"""Calls of the family after the model's arrival: a share to within a tenth."""

SCORE_MAX = 0.2
"""What a whole pivot is worth at most: everyone benchmarks a new model, so it settles nothing (threat model H14)."""


class Move(NamedTuple):
    """How many calls of the day after a model's arrival went to it: the family's, and everybody else's."""

    moved: int
    calls: int
    others_moved: int
    others_calls: int

    @property
    def share(self) -> float:
        return self.moved / max(1, self.calls)

    @property
    def others_share(self) -> float:
        return self.others_moved / max(1, self.others_calls)

    @property
    def ahead(self) -> float:
        return self.share - self.others_share


def conclude(panel: Panel) -> Mark | Skipped:
    """Compare how much of the family moved to a new model within a day of its arrival with everybody else.

    Sees:       a pool whose operator turns it to a new model within hours.
    Misled by:  enthusiasts, evaluators and products that always follow the newest model.
    Evaded by:  moving when the others do.
    Source:     threat model H14 and R-I12.
    """
    new = new_models(panel.population)
    if not new:
        return Skipped(IDENT, "no model appears within this log that was not used from its beginning")
    moves = [each for row, start in new if (each := _move(panel, row, start)).calls >= CALLS_MIN]
    if not moves:
        return Skipped(IDENT, f"the family has fewer than {CALLS_MIN} tested calls in the day after a model's arrival")
    best = max(moves, key=lambda each: (each.ahead, each.calls))
    said = Evidence(
        IDENT,
        f"{best.share:.0%} of the family's {best.calls} calls went to a new model within a day of its arrival, and "
        f"{best.others_share:.0%} of everybody else's",
        best.share,
        None,
        FAMILY,
    )
    score = SCORE_MAX * max(0.0, _lower(best) - best.others_share)
    if score > 0:
        return Mark(IDENT, FAMILY, None, (said,), score=score, figures={"ahead": best.ahead})
    return Mark(IDENT, FAMILY, None, (), (said,), score=0.0)


def new_models(population: Population) -> list[tuple[int, int]]:
    """Return the row and the first stretch of each model that was not there when the log began.

    Twin:    tests/naive/adoption.py::new_models
    """
    found = []
    total = np.concatenate(([0], np.cumsum(population.block_calls)))
    for row, used in enumerate(population.model_calls):
        if not used.any():
            continue
        start = int(np.flatnonzero(used)[0])
        later = (total[-1] - total[start]) / max(1, total[-1])
        if later < 1 and used.sum() * np.log(max(later, 1e-300)) <= np.log(NEW_CHANCE):
            found.append((row, start))
    return found


def _move(panel: Panel, row: int, start: int) -> Move:
    """Count the tested calls of the day from the model's first stretch on."""
    population, calls = panel.population, panel.calls
    stop = min(start + max(1, DAY_US // population.block_us), len(population.block_calls))
    at = calls.time_us // population.block_us - population.block_first
    within = calls.tested & (at >= start) & (at < stop)
    moved = within & (calls.model == population.models[row])
    tested = population.block_tested[start:stop]
    everybody = int(population.block_calls[start:stop][tested].sum())
    everybody_moved = int(population.model_calls[row, start:stop][tested].sum())
    return counted(within, moved, everybody, everybody_moved)


def counted(within: np.ndarray, moved: np.ndarray, everybody: int, everybody_moved: int) -> Move:
    """Take the family's own calls out of everybody's.

    Twin:    tests/naive/adoption.py::move
    """
    calls, own = int(within.sum()), int(moved.sum())
    others = max(0, everybody - calls)
    return Move(own, calls, min(max(0, everybody_moved - own), others), others)


def _lower(move: Move) -> float:
    """Return the share less two standard errors (Agresti and Coull 1998)."""
    calls = move.calls + 4
    share = (move.moved + 2) / calls
    return float(share - 2 * np.sqrt(share * (1 - share) / calls))
