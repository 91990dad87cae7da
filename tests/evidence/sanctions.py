"""Sanctions for tests."""

from __future__ import annotations

from stillwatch.evidence.sanctions import SanctionList
from stillwatch.sanction import Sanction

CONFIRMED = Sanction(
    sanction_id="",
    accounts=("acct-1", "pseudonym:00000000000000ff"),
    organizations=("org-1",),
    campaigns=("c-0123456789abcdef",),
    standing="confirmed",
    reason="distillation-campaign",
    reference="case 2026-117",
    decided_by="The review board",
    not_before="2026-11-01T00:00:00Z",
    expires="2027-02-01T00:00:00Z",
)

PLAIN = SanctionList(list_id="", issuer="The provider", issued="2026-11-01T09:00:00Z", sanctions=(CONFIRMED,))
