"""The benchmark's charts as SVG files that need no style sheet and no script."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

Found = dict[str, Any]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 60, 24, 34, 46
INK, FAINT, ACCENT = "#222", "#ccc", "#b5482a"
COLOURS = ("#b5482a", "#27638c", "#4c7a34", "#7d4f9e", "#8a6d1f", "#555")
ROW = 20
"""Height of one row of a chart with a row for each class."""

SHARE_MIN = 1e-6
"""Left end of the scale of false accusations; the promise for all honest accounts lies at 1e-5."""

LABELS_MAX = 40
"""Names beside points: more would cover each other."""


def write_charts(results: Path, folder: Path) -> list[Path]:
    """Write each chart that the results have figures for, and return the files."""
    summed = json.loads(results.read_text(encoding="utf-8"))["summary"]
    drawn = {
        "recall-against-leak": recall_against_leak(summed["scenarios"]),
        "power-against-pool-size": power_against_size(summed["power"]),
        "false-accusations": false_accusations(summed["classes"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in drawn.items():
        if text:
            path = folder / f"{name}.svg"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def recall_against_leak(scenarios: Sequence[Found]) -> str:
    """Draw a point for each scenario: how much leaked before detection, and how many accounts were named."""
    rows = [row for row in scenarios if row["leaked_share"] is not None and row["accounts_recall"] is not None]
    if not rows:
        return ""
    box = Box(360, "Accounts named against calls leaked before detection")
    parts = [*box.axis_x([(at / 4, f"{at * 25} %") for at in range(5)], "calls leaked before detection (median)")]
    parts += box.axis_y([(at / 4, f"{at * 25} %") for at in range(5)])
    for row in rows[:LABELS_MAX]:
        x, y = box.x(row["leaked_share"]), box.y(row["accounts_recall"])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{ACCENT}" fill-opacity=".8"/>')
        side, shift = ("end", -8) if row["leaked_share"] > 0.6 else ("start", 8)
        parts.append(text_at(x + shift, y + 4, row["scenario"], side))
    return box.whole(parts)


def power_against_size(power: Sequence[Found]) -> str:
    """Draw a line for each scenario: the share of worlds in which a pool of that size was found."""
    if not power:
        return ""
    sizes = sorted({row["accounts"] for row in power})
    low, high = math.log(sizes[0]), math.log(max(sizes[-1], sizes[0] + 1))
    box = Box(320, "Found, by the number of accounts in the pool")
    parts = [*box.axis_x([((math.log(n) - low) / (high - low), f"{n:,}") for n in sizes], "accounts in the pool")]
    parts += box.axis_y([(at / 4, f"{at * 25} %") for at in range(5)])
    for index, name in enumerate(dict.fromkeys(row["scenario"] for row in power)):
        colour = COLOURS[index % len(COLOURS)]
        mine = [row for row in power if row["scenario"] == name]
        at = [
            (box.x((math.log(row["accounts"]) - low) / (high - low)), box.y(row["found_count"] / row["worlds_count"]))
            for row in mine
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in at]
        parts.append(text_at(WIDTH - RIGHT, 18 + 15 * index, name, "end", colour))
    return box.whole(parts)


def false_accusations(classes: Sequence[Found]) -> str:
    """Draw a bar for each class of honest accounts up to the 95 % bound, and a dot at what was seen."""
    if not classes:
        return ""
    box = Box(TOP + BOTTOM + ROW * len(classes), "Honest accounts named: seen (dot) and at most (bar, 95 % bound)", 170)
    decades = round(-math.log10(SHARE_MIN))
    ticks = [(at / decades, f"{100 * SHARE_MIN * 10**at:g} %") for at in range(decades + 1)]
    parts = [*box.axis_x(ticks, "share of the class, on a logarithmic scale")]
    for index, row in enumerate(classes):
        y = TOP + ROW * index + ROW / 2
        bound = box.x(_decade(row["upper_bound"], decades))
        parts.append(text_at(box.left - 8, y + 4, f"{row['name']} ({row['accounts_count']:,})", "end"))
        parts.append(f'<path d="M{box.left} {y:.1f}H{bound:.1f}" stroke="{FAINT}" stroke-width="9"/>')
        if row["named_count"]:
            seen = box.x(_decade(row["named_count"] / row["accounts_count"], decades))
            parts.append(f'<circle cx="{seen:.1f}" cy="{y:.1f}" r="4.5" fill="{ACCENT}"/>')
    return box.whole(parts)


def _decade(share: float, decades: int) -> float:
    return min(max(math.log10(max(share, SHARE_MIN) / SHARE_MIN) / decades, 0.0), 1.0)


class Box:
    """The frame of a chart and its scales from 0 to 1."""

    def __init__(self, height: int, title: str, left: int = LEFT) -> None:
        self.height, self.title, self.left = height, title, left

    def x(self, share: float) -> float:
        return self.left + share * (WIDTH - self.left - RIGHT)

    def y(self, share: float) -> float:
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def axis_x(self, ticks: Sequence[tuple[float, str]], name: str) -> list[str]:
        base = self.height - BOTTOM
        lines = [f'<path d="M{self.x(at):.1f} {TOP}V{base}" stroke="{FAINT}"/>' for at, _ in ticks]
        labels = [text_at(self.x(at), base + 16, text, "middle") for at, text in ticks]
        return [*lines, *labels, text_at((self.left + WIDTH - RIGHT) / 2, self.height - 10, name, "middle")]

    def axis_y(self, ticks: Sequence[tuple[float, str]]) -> list[str]:
        lines = [f'<path d="M{self.left} {self.y(at):.1f}H{WIDTH - RIGHT}" stroke="{FAINT}"/>' for at, _ in ticks]
        return lines + [text_at(self.left - 8, self.y(at) + 4, text, "end") for at, text in ticks]

    def whole(self, parts: Sequence[str]) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" role="img" '
            f'font-family="sans-serif" font-size="12"><title>{escape(self.title)}</title>'
            f'<rect width="{WIDTH}" height="{self.height}" fill="#fff"/>'
        )
        return "\n".join([head, text_at(12, 20, self.title, "start"), *parts, "</svg>\n"])


def text_at(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    """Return a line of text that starts, ends or has its middle at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
