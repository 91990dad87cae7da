"""Pictures of a campaign's hours as SVG: sharp on paper, coloured by the page's style sheet alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from stillwatch.report.wording import count

BINS_MAX = 168
"""Columns of a picture: a week of hours, and still 1.3 mm each on A4; longer windows get wider columns."""

BIN_HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344)
TICK_HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688)
TICKS_MAX = 9
"""Labels below a picture: more would touch on a telephone's screen."""
LEVELS = 5

_WIDTH = 880
_LEFT = 48
_RIGHT = 8
_PLOT = _WIDTH - _LEFT - _RIGHT


@dataclass(frozen=True, slots=True)
class Span:
    """The columns of a picture.

    Units:  `first_hour` in hours since 1970 (UTC), a multiple of `bin_hours`.
    """

    first_hour: int
    bin_hours: int
    bins: int

    @staticmethod
    def over(first_hour: int, last_hour: int) -> Span:
        """Choose the narrowest columns of which `BINS_MAX` suffice."""
        for bin_hours in BIN_HOURS:
            start = first_hour // bin_hours * bin_hours
            bins = (last_hour - start) // bin_hours + 1
            if bins <= BINS_MAX:
                return Span(start, bin_hours, bins)
        # Only a log of decades comes here; the last column then holds all that follows.
        return Span(start, bin_hours, BINS_MAX)

    def index(self, hours: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give each hour its column."""
        return np.minimum((hours - self.first_hour) // self.bin_hours, self.bins - 1)


def timeline(span: Span, series: Sequence[NDArray[np.int64]], title: str) -> Markup:
    """Draw calls by hour as stacked columns, one layer a series, the first at the bottom."""
    height, top, bottom = 190, 10, 164
    total = np.sum(np.stack(series), axis=0)
    ceiling, steps = _nice_axis(int(total.max()))
    scale = (bottom - top) / ceiling
    width = _PLOT / span.bins
    bar = max(width - (1.0 if width >= 4 else 0.0), 0.5)
    parts = [_open(height, title)]
    for value in steps:
        y = bottom - value * scale
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}h{_PLOT}"/>')
        parts.append(f'<text class="tick end" x="{_LEFT - 8}" y="{y + 3.5:.1f}">{count(value)}</text>')
    base = np.zeros(span.bins, dtype=np.int64)
    for layer, values in enumerate(series):
        strokes = []
        for column in np.flatnonzero(values):
            y = bottom - int(base[column]) * scale
            tall = int(values[column]) * scale
            strokes.append(f"M{_LEFT + column * width:.1f} {y:.1f}v{-tall:.1f}h{bar:.1f}v{tall:.1f}z")
        parts.append(f'<path class="s{layer}" d="{"".join(strokes)}"/>')
        base = base + values
    parts.append(f'<path class="axis" d="M{_LEFT} {bottom}h{_PLOT}"/>')
    parts.append(_time_axis(span, bottom))
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704 (figures of ours; the title is escaped)


def heat_map(span: Span, cells: NDArray[np.int64], title: str) -> Markup:
    """Draw accounts (rows) by hours (columns); the darker, the more calls.

    Shapes:  cells int64[accounts, span.bins].
    """
    rows = cells.shape[0]
    tall = float(min(rows * 10, max(60, rows * 2)))
    bottom = 8 + tall
    levels = np.searchsorted(np.array(heat_levels(cells)), cells, side="right")
    parts = [_open(math.ceil(bottom) + 26, title)]
    parts.append(f'<rect class="field" x="{_LEFT}" y="8" width="{_PLOT}" height="{tall:g}"/>')
    parts.append(
        f'<svg x="{_LEFT}" y="8" width="{_PLOT}" height="{tall:g}"'
        f' viewBox="0 0 {span.bins} {rows}" preserveAspectRatio="none">'
    )
    parts.extend(f'<path class="h{level}" d="{_runs(levels == level)}"/>' for level in range(1, LEVELS + 1))
    parts.append("</svg>")
    parts.append(f'<text class="tick end" x="{_LEFT - 8}" y="17">1</text>')
    if rows > 1:
        parts.append(f'<text class="tick end" x="{_LEFT - 8}" y="{bottom:g}">{count(rows)}</text>')
    parts.append(_time_axis(span, bottom))
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704 (figures of ours; the title is escaped)


def heat_levels(cells: NDArray[np.int64]) -> list[int]:
    """Choose the least number of calls of each shade, evenly on a log scale, always rising."""
    most = max(int(cells.max(initial=1)), 1)
    levels: list[int] = []
    for step in range(LEVELS):
        levels.append(max(math.ceil(most ** (step / LEVELS)), levels[-1] + 1 if levels else 1))
    return levels


def _runs(mask: NDArray[np.bool_]) -> str:
    """Write the set cells as horizontal strokes, neighbours as one."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    rows, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    strokes = zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return "".join(f"M{start} {row}.5h{end - start}" for row, start, end in strokes)


def _open(height: int, title: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img"><title>{escape(title)}</title>'


def _nice_axis(most: int) -> tuple[int, list[int]]:
    """Choose a round ceiling and two to four round steps below it."""
    size = 10 ** max(0, math.floor(math.log10(max(most, 1))) - 1)
    for factor in (1, 2, 5, 10, 20, 25, 50, 100):
        step = size * factor
        if most <= 4 * step:
            ceiling = max(step, -(-most // step) * step)
            return ceiling, list(range(step, ceiling + 1, step))
    raise AssertionError("a factor of a hundred covers every number of its size")


def _time_axis(span: Span, y: float) -> str:
    """Write hours or days below a picture, at round times only."""
    length = span.bins * span.bin_hours
    step = next((hours for hours in TICK_HOURS if length <= hours * TICKS_MAX), TICK_HOURS[-1])
    parts = []
    hour = -(-span.first_hour // step) * step
    named_day = None
    while hour <= span.first_hour + length:
        x = _LEFT + (hour - span.first_hour) / length * _PLOT
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        day = f"{time.day} {time:%b}"
        label = f"{time:%H:%M}" if step < 24 and named_day == day else day
        if step < 24 and named_day != day and time.hour:
            label = f"{day}, {time:%H:%M}"
        named_day = day
        anchor = "end" if x > _WIDTH - 30 else "start" if x < _LEFT + 30 else "mid"
        parts.append(f'<path class="axis" d="M{x:.1f} {y:g}v4"/>')
        parts.append(f'<text class="tick {anchor}" x="{x:.1f}" y="{y + 18:g}">{label}</text>')
        hour += step
    return "".join(parts)
