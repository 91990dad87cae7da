"""The pictures are exact, bounded and well-formed."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.report import charts
from stillwatch.report.charts import BINS_MAX, Span, heat_levels, heat_map, timeline

HOUR = 498_500


@given(st.integers(0, 1_000_000), st.integers(0, 200_000))
def test_any_span_fits_the_picture_and_holds_every_hour(first: int, length: int) -> None:
    span = Span.over(first, first + length)
    assert span.bins <= BINS_MAX
    columns = span.index(np.array([first, first + length], dtype=np.int64))
    assert columns.min() >= 0
    assert columns.max() < span.bins


@given(st.integers(1, 10**9))
def test_the_calls_axis_has_few_round_steps_and_room_for_all(most: int) -> None:
    ceiling, steps = charts._nice_axis(most)
    assert ceiling >= most
    assert 1 <= len(steps) <= 4
    assert steps[-1] == ceiling


@pytest.mark.parametrize("length", [1, 5, 30, 100, 168, 500, 2160, 9000])
def test_both_pictures_are_well_formed_whatever_the_window(length: int) -> None:
    span = Span.over(HOUR, HOUR + length - 1)
    cells = np.random.default_rng(1).poisson(1.0, (20, span.bins)).astype(np.int64)
    for svg in (timeline(span, [cells[0], cells[1]], "<calls>"), heat_map(span, cells, "accounts & hours")):
        root = ET.fromstring(svg)
        assert root[0].text in ("<calls>", "accounts & hours")
        labels = [node.text or "" for node in root.iter("text")]
        assert len(labels) < 20


def test_a_heat_map_draws_each_cell_once_in_its_shade() -> None:
    span = Span.over(HOUR, HOUR + 3)
    svg = heat_map(span, np.array([[1, 1, 0, 9], [0, 0, 0, 0]], dtype=np.int64), "x")
    assert re.findall(r'class="h(\d)" d="([^"]*)"', svg) == [
        ("1", "M0 0.5h2"),
        ("2", ""),
        ("3", ""),
        ("4", ""),
        ("5", "M3 0.5h1"),
    ]


@given(st.integers(0, 10**7))
def test_shades_always_rise_from_one_call(most: int) -> None:
    levels = heat_levels(np.array([[most]], dtype=np.int64))
    assert levels[0] == 1
    assert all(low < high for low, high in pairwise(levels))
