"""Grants for tests."""

from __future__ import annotations

from stillwatch.grant import Grant

PLAIN = Grant(
    grant_id="",
    grantee="A licensed customer",
    organizations=("org-licensed",),
    accounts=("acct-1", "pseudonym:00000000000000ff"),
    models=("model-a",),
    purpose="distillation of a small model for use inside the customer's product",
    calls_max=100,
    output_tokens_max=10_000,
    not_before="2026-11-01T00:00:00Z",
    expires="2026-12-01T00:00:00Z",
    issuer="The provider",
    issued="2026-10-20T09:00:00Z",
)
