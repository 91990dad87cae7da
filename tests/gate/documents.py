"""What docs/gate.md teaches, to be run as it is written there."""

from __future__ import annotations

import re

from tests.house.repository import ROOT

PAGE = ROOT / "docs" / "gate.md"


def block(heading: str, language: str) -> str:
    """Return the first fenced block of a language under a heading."""
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, heading
    found = re.search(rf"^```{language}\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]
