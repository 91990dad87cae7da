"""What a user meets who did not install the extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WITHOUT = """
import sys
sys.modules["cryptography"] = None
from stillwatch.errors import Error
from stillwatch.evidence import grants, signing
try:
    signing.new_private_key()
except Error as error:
    assert error.ident == "missing-extra" and "stillwatch[grants]" in error.hint
else:
    raise SystemExit("no error")
signed = grants.inspect(sys.stdin.read())
assert signed.grant.calls_max == 100
"""

GRANT = """{"version": 1, "signature": {"key": "00"}, "grant": {"grant_id": "%s", "grantee": "A licensed customer",
"organizations": ["org-licensed"], "accounts": ["acct-1", "pseudonym:00000000000000ff"], "models": ["model-a"],
"purpose": "distillation of a small model for use inside the customer's product", "calls_max": 100,
"output_tokens_max": 10000, "not_before": "2026-11-01T00:00:00Z", "expires": "2026-12-01T00:00:00Z",
"issuer": "The provider", "issued": "2026-10-20T09:00:00Z"}}"""


def test_it_is_said_which_extra_is_missing_and_a_grant_can_still_be_looked_at(tmp_path: Path) -> None:
    from stillwatch.evidence.grants import grant_ident
    from tests.evidence.grants import PLAIN

    outcome = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input=GRANT % grant_ident(PLAIN),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
