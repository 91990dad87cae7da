"""Write each signal's calibration curve into its page, from the shipped calibration.

.venv/bin/python tools/write_curves.py
"""

from __future__ import annotations

import re
from pathlib import Path

from stillwatch.campaign.calibration import Calibration, Curve, shipped
from stillwatch.report.calibration import curve_markdown

PAGES = Path("docs/signals")
SECTION = re.compile(r"(?<=^## Calibration curve\n\n).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def section(calibration: Calibration, ident: str) -> str:
    """Return what stands below the heading of one signal's page."""
    curve = calibration.curves.get(ident, Curve())
    if not curve.log_e and not curve.score:
        return "The shipped calibration has no figure of it: it gives neither an e-value nor a score.\n"
    return (
        f"What the shipped calibration holds of it ({calibration.source}), honest families only:\n\n"
        f"{curve_markdown(curve)}"
    )


def main() -> None:
    calibration = shipped()
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        found = section(calibration, page.stem)
        page.write_text(SECTION.sub(lambda _, found=found: f"{found}\n", text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
