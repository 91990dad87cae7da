"""What marks the calls of a campaign, for a gate that meets the next one: `signatures.jsonl`.

A signature is keyed hashes of word shingles, 32 bits each, under the provider's secret: no word can be read from it,
and under another secret it matches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stillwatch.campaign.conclusion import Draft
from stillwatch.engines import output
from stillwatch.kernels.fill import carried_counts
from stillwatch.kernels.rows import distinct

FILE = "signatures.jsonl"

SHINGLES_MAX = 64
"""Shingles kept of a core, and of a family: a call carries 36 at most, and half of the calls carry each of a core, so
that no core has more than 72."""


LINK_FIELDS = ("kind", "pseudonym", "accounts_count", "population_accounts_count")
"""What of a campaign's links is written beside its signatures."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """How many calls of each account carry a family's core, in the whole log.

    Shapes:  accounts uint64[K] ascending; calls int64[K].
    """

    accounts: np.ndarray
    calls: np.ndarray

    @staticmethod
    def of(account: np.ndarray) -> Carriers:
        """Count them from one entry a call."""
        (accounts,), calls = distinct(account)
        return Carriers(accounts, calls)


@dataclass(frozen=True, slots=True)
class Signature:
    """What most calls of a family carry. A call is of it that carries `own_needed` of the family's own shingles and
    `hits_needed` of those of its core; a core has shingles of harnesses and preambles too, which are other families'.

    Shapes:  shingles, own uint32, ascending; banned uint64[b]: accounts of the family that were banned, banned_us
             int64[b]: when.
    """

    group_id: str
    shingles: np.ndarray
    hits_needed: int
    own: np.ndarray
    own_needed: int
    carriers: Carriers
    banned: np.ndarray
    banned_us: np.ndarray


def most_carried(calls: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return, ascending, those of the values that most calls carry: uint32[n, k], uint32[c] ascending → uint32."""
    counts = carried_counts(calls, values)
    best = np.lexsort((values, -counts))[:SHINGLES_MAX]
    return np.sort(values[best[counts[best] > 0]])


def write_signatures(
    staged: Path, drafts: Sequence[Draft], idents: Sequence[str], signature: Callable[[int], Signature]
) -> None:
    """Write a line for each family of each campaign, in their order. What grants exempt is in no campaign any more, and
    the accounts that they cover count as outside.
    """
    lines: list[dict[str, object]] = []
    for ident, draft in zip(idents, drafts, strict=True):
        members = draft.accounts[draft.taking_part]
        found = [signature(family) for family in draft.families]
        banned_us = max((int(one.banned_us[np.isin(one.banned, members)].max(initial=-1)) for one in found), default=-1)
        campaign: dict[str, object] = {
            "links": [{name: getattr(link, name) for name in LINK_FIELDS} for link in draft.links],
            "last_banned": output.rfc3339(banned_us) if banned_us >= 0 else None,
        }
        found.sort(key=lambda one: one.group_id)
        lines += [{"campaign_id": ident, **_line(one, members), **campaign} for one in found]
    output.write_lines(staged / FILE, lines)


def _line(one: Signature, members: np.ndarray) -> dict[str, object]:
    inside = np.isin(one.carriers.accounts, members)
    return {
        "group_id": one.group_id,
        "shingles": one.shingles.tolist(),
        "hits_needed": one.hits_needed,
        "own_shingles": one.own.tolist(),
        "own_needed": one.own_needed,
        "calls_count": int(one.carriers.calls[inside].sum()),
        "accounts_count": int(inside.sum()),
        "outside_calls_count": int(one.carriers.calls[~inside].sum()),
        "outside_accounts_count": int((~inside).sum()),
    }
