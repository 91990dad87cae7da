"""Draw docs/images/campaign.png anew: the first campaign's chapter in the report of a real demo.

Run by hand, with chromium installed: .venv/bin/python tools/draw_campaign.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "campaign.png"

SIZE = "960,1840"
"""As high as what is kept of the chapter; look at the picture when the report has changed."""

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--hide-scrollbars", f"--window-size={SIZE}",
)  # fmt: skip

CLOSER = "body .chapter { margin: 0; border: 0 } body h2 { margin-top: 1.5rem } body figure { margin: 1.2rem 0 }"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(folder) / "demo"
        program = Path(sys.executable).with_name("stillwatch")
        subprocess.run([program, "demo", "--out", demo, "--no-progress"], check=True)
        page = Path(folder) / "chapter.html"
        page.write_text(chapter((demo / "run" / "report.html").read_text(encoding="utf-8")), encoding="utf-8")
        command = ["chromium", *FLAGS, f"--user-data-dir={folder}/profile", f"--screenshot={PICTURE}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


def chapter(report: str) -> str:
    """Keep the report's style and, of its first chapter, what a stranger sees at a glance."""
    style = re.search(r"<style>(.*?)</style>", report, re.DOTALL)
    found = re.search(r'<section class="chapter".*?</section>', report, re.DOTALL)
    assert style, "the report has no style sheet"
    assert found, "the report has no campaign"
    text = re.sub(r"<h3>What the prompts.*?(?=<h3>Evidence)", "", found[0], flags=re.DOTALL)
    text = re.sub(r"<h3>Counter-evidence.*", "</section>", text, flags=re.DOTALL)
    return f'<!doctype html><meta charset="utf-8"><style>{style[1]}{CLOSER}</style><main>{text}</main>'


if __name__ == "__main__":
    main()
