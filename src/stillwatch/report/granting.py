"""A grant in words, for whoever inspects or verifies it."""

from __future__ import annotations

from stillwatch.grant import Grant
from stillwatch.report import wording

NAMES_MAX = 5
"""Accounts, organisations or models that are named; the file has them all."""


def lines(grant: Grant, key: str, is_verified: bool, revoked_from: str = "") -> list[str]:
    """Write what a grant says, a line for each field, whether its signature was checked, and from when it is revoked,
    which was checked likewise."""
    signed = f"by key {wording.printable(key)}"
    said = {
        "grant": wording.printable(grant.grant_id),
        "signed": f"{signed}, verified" if is_verified else f"it says {signed}; NOT verified",
        "grantee": wording.printable(grant.grantee),
        "organisations": _listed(grant.organizations),
        "accounts": _listed(grant.accounts),
        "models": _listed(grant.models),
        "purpose": wording.printable(grant.purpose),
        "calls": f"at most {wording.count(grant.calls_max)}",
        "tokens": f"at most {wording.count(grant.output_tokens_max)} of output",
        "valid": f"{wording.moment(grant.not_before)} until before {wording.moment(grant.expires)}",
        "issued": f"{wording.moment(grant.issued)} by {wording.printable(grant.issuer)}",
    }
    if revoked_from:
        said["revoked"] = f"from {wording.moment(revoked_from)}{'' if is_verified else '; NOT verified'}"
    return [f"{label:<14}{text}" for label, text in said.items()]


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(wording.printable(name) for name in names[:NAMES_MAX]) or "none"
    more = len(names) - NAMES_MAX
    return f"{shown} and {wording.count(more)} more" if more > 0 else shown
