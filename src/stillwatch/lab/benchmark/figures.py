"""Figures and tables as a page prints them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

LINE_CHARACTERS = 118
NONE = "–"


def paragraph(text: str) -> str:
    """Return a paragraph broken into lines as the other documents are."""
    return textwrap.fill(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def table(rows: Sequence[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """Return a Markdown table; the first row is its head, and all columns but those in `texts` are figures."""
    head, *body = rows
    rule = ["---" if at in texts else "---:" for at in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def count(value: float | None) -> str:
    """Return a whole number with its thousands apart."""
    return NONE if value is None else f"{value:,.0f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in percent; what is not whole is never rounded up to 100."""
    if share is None:
        return NONE
    scale = 10 ** (digits + 2)
    shown = math.floor(share * scale) / scale if 0.5 < share < 1.0 else share
    text = f"{shown * 100:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "\N{NO-BREAK SPACE}%"


def small(share: float | None) -> str:
    """Return a small share in percent with two digits that say something, rounded up: it is a bound."""
    if not share:
        return NONE if share is None else percent(share)
    digits = max(1, 1 - math.floor(math.log10(share * 100)))
    return percent(math.ceil(share * 10 ** (digits + 2) - 1e-6) / 10 ** (digits + 2), digits)


def number(value: float | None, digits: int = 1) -> str:
    """Return a number with a fixed count of digits."""
    return NONE if value is None else f"{value:,.{digits}f}"
