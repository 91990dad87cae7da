"""Which families are tested: chosen on the discovery blocks alone, so that the test has not been looked at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.trace import PHRASE_CLASSES

CALLS_MIN = 100
"""Discovery calls of a family, about two hundred in all: an eightieth of the smallest campaign on public record, and
the least from which a queue can be told from chance. Each smaller family tested would only raise the bar for all."""

BUSY_ACCOUNTS_MIN = 8
"""Accounts with two discovery calls: without them nothing can be said of how alike accounts are."""

ITEMS_MIN = 24
"""Fewer different texts than this went round; they were not worked off."""

INTENT_MIN = 0.15
"""Half of the calls asking for steps, or a fifth asking for grades: what is below asks for nothing."""


def screen(
    facts: dict[str, npt.NDArray[np.int64]], weights: dict[str, float]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return which families to test and each one's intent score in the discovery blocks.

    Shapes:  facts: columns of statements.FAMILY_FACTS with `items`, f entries → bool[f], float64[f].
    """
    discovery = np.maximum(facts["calls"] - facts["tested_calls"], 0).astype(np.float64)
    shares = [weights[name] * facts[f"class_{c}"].astype(np.float64) for c, name in enumerate(PHRASE_CLASSES)]
    intent = np.max(np.stack(shares), axis=0) / np.maximum(discovery, 1)
    enough = (discovery >= CALLS_MIN) & (facts["items"] >= ITEMS_MIN) & (facts["busy_accounts"] >= BUSY_ACCOUNTS_MIN)
    return enough & (intent >= INTENT_MIN), intent
