"""Authorised distillation: who may draw training material from which models, how much, and until when.

A grant forbids nothing and allows nothing by itself. It turns a finding about its grantee into an audited exemption,
as long as the calls stay inside its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

GRANT_VERSION = 1
REVOCATION_VERSION = 1

PSEUDONYM_PREFIX = "pseudonym:"
"""An account or organisation may be named by its pseudonym under the provider's key, 16 hex digits, and not its id."""

IDS_MAX = 100_000
"""Accounts, organisations or models of one grant: more than the largest campaign on public record had accounts."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorisation. It covers a call by one of `accounts`, or by any account of one of `organizations`, on one of
    `models` (as requested, spelt exactly), from `not_before` until before `expires`.

    `calls_max` and `output_tokens_max` bound the volume of its whole life. `grantee`, `purpose` and `issuer` are words
    for people. `grant_id` is a digest of everything else.

    Units:   times are RFC 3339 in UTC.
    """

    grant_id: str
    grantee: str
    organizations: tuple[str, ...]
    accounts: tuple[str, ...]
    models: tuple[str, ...]
    purpose: str
    calls_max: int
    output_tokens_max: int
    not_before: str
    expires: str
    issuer: str
    issued: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """The end of a grant before the one that it states. `reason` is in words, for people.

    Units:   revoked_from is RFC 3339 in UTC, the first moment that the grant no longer covers; it may lie in the past.
    """

    grant_id: str
    revoked_from: str
    reason: str


def micros(rfc3339: str) -> int:
    """Return a time as microseconds since the epoch. Raises ValueError where it is none, or has no offset."""
    time = datetime.fromisoformat(rfc3339)
    if time.utcoffset() is None:
        raise ValueError
    return round(time.timestamp() * 1e6)
