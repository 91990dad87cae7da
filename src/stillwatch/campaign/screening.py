"""Which families are tested: chosen on the discovery blocks, but for volumes of the whole log (texts, shares)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.campaign.fusion import OWNERS_MIN
from stillwatch.trace import PHRASE_CLASSES, SIGNS

CALLS_MIN = 100
"""Discovery calls of a family, about two hundred in all: an eightieth of the smallest campaign on public record, and
the least from which a queue can be told from chance. Each smaller family tested would only raise the bar for all."""

BUSY_ACCOUNTS_MIN = 8
"""Accounts with two discovery calls: without them nothing can be said of how alike accounts are."""

ITEMS_MIN = 24
"""Fewer different texts than this went round; they were not worked off."""

INTENT_MIN = 0.15
"""Half of the calls asking for steps, or a fifth asking for grades: what is below asks for nothing."""

SIGNED_MIN = 0.2
"""A fifth of the calls refused, or presenting what another was issued: honest families have one in a hundred of either
(the laboratory assumes 0.8 % of refusals)."""


SHARE_MIN = 0.3
"""From this share of all that its accounts send on, a family is what they are there for: a tool, a product, a queue.
Most families are turns of phrase, with a few hundredths."""

CALLS_EACH_MIN = 2.0
"""Below two discovery calls an account, counts are nearly all 1 whoever makes them."""

SPREAD_MAX = 0.5
"""Variance beyond chance over the squared mean of calls an account; published client rates have 25 and more (ServeGen),
the mildest honest ones of `pool-dispatch` 0.25: what is at most twice that may have been shared out."""


def screen(
    facts: dict[str, npt.NDArray[np.int64]], weights: dict[str, float]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return which families to test and each one's intent score in the discovery blocks.

    A family is tested for what it asks, for being refused or replaying, for being most of what its accounts do, or for
    being spread evenly over them: prompts can be worded so that no lexicon knows what they are after.

    Shapes:  facts: columns of statements.FAMILY_FACTS with `items`, f entries → bool[f], float64[f].
    """
    discovery = np.maximum(facts["calls"] - facts["tested_calls"], 0).astype(np.float64)
    shares = [weights[name] * facts[f"class_{c}"].astype(np.float64) for c, name in enumerate(PHRASE_CLASSES)]
    intent = np.max(np.stack(shares), axis=0) / np.maximum(discovery, 1)
    signed = np.max(np.stack([facts[sign] for sign in SIGNS]), axis=0) / np.maximum(discovery, 1)
    enough = (
        (discovery >= CALLS_MIN)
        & (facts["items"] >= ITEMS_MIN)
        & (facts["busy_accounts"] >= BUSY_ACCOUNTS_MIN)
        & (facts["owners"] >= OWNERS_MIN)
    )
    asked = (intent >= INTENT_MIN) | (signed >= SIGNED_MIN)
    return enough & (asked | _is_their_work(facts) | _is_shared_out(facts, discovery)), intent


def _is_their_work(facts: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.bool_]:
    return np.asarray(facts["calls"] >= SHARE_MIN * np.maximum(facts["account_calls"], 1))


def _is_shared_out(
    facts: dict[str, npt.NDArray[np.int64]], discovery: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    accounts = np.maximum(facts["discovery_accounts"], 1)
    mean = discovery / accounts
    spread = (facts["discovery_squares"] / accounts - mean**2 - mean) / np.maximum(mean, 1) ** 2
    return np.asarray((mean >= CALLS_EACH_MIN) & (spread <= SPREAD_MAX))
