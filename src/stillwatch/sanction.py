"""What people have decided about accounts and campaigns: the list that a gate enforces and that others can be sent.

A sanction is bounded: it begins, it expires, and `cleared` takes back what a run or an earlier sanction said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SANCTION_VERSION = 1

Standing = Literal["watch", "suspected", "confirmed", "cleared"]
"""What is decided of its subjects. cleared: nothing is to be done to them, whatever a run finds."""

IDS_MAX = 100_000
"""Accounts, organisations or campaigns of one sanction: more than the largest campaign on record had accounts."""


@dataclass(frozen=True, slots=True)
class Sanction:
    """One decision about `accounts`, all accounts of `organizations`, and `campaigns` (ids of runs).

    Accounts and organisations are ids, or `pseudonym:` and 16 hex digits. `reason` is a kebab code for the record,
    `reference` is what the person concerned can name in an appeal.

    Units:   times are RFC 3339 in UTC; `expires` is the first moment that it no longer holds.
    """

    sanction_id: str
    accounts: tuple[str, ...]
    organizations: tuple[str, ...]
    campaigns: tuple[str, ...]
    standing: Standing
    reason: str
    reference: str
    decided_by: str
    not_before: str
    expires: str
