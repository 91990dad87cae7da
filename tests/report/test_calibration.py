from __future__ import annotations

import json
from io import StringIO

import numpy as np
from rich.console import Console

from stillwatch.campaign.calibration import Calibration, Curve, Excluded, shipped
from stillwatch.report.calibration import curve_markdown, show, show_json

MINE = Calibration(
    "fitted-1",
    "3 run(s)",
    tuple(np.linspace(0, 1, 199)),
    {
        "pool-dispatch": Curve(log_e=tuple(np.linspace(-1, 5, 199))),
        "extraction-intent": Curve(score=tuple(np.linspace(0, 1, 199))),
    },
    ("r1", "r2", "r3"),
    ("0.1.0",),
    ("2026-11-01T00:00:00Z", "2026-11-03T23:59:59Z"),
    Excluded(4, 1, 37),
)


def shown(calibration: Calibration) -> str:
    console = Console(file=StringIO(), width=100)
    show(calibration, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_person_sees_what_a_calibration_is_made_of_and_what_it_can_tell() -> None:
    text = shown(MINE)
    for said in ("fitted-1", "199 families", "3 run(s)", "4 of reported campaigns, 1 by name, 37 met before", "0.005"):
        assert said in text
    assert "needs more families" in text
    assert "pool-dispatch, log e" in text


def test_a_machine_gets_the_same_figures() -> None:
    body = json.loads(json.dumps(show_json(MINE)))
    assert body["families_count"] == 199
    assert body["resolution"] == 0.005
    assert body["signals"]["pool-dispatch"]["log_e"]["exceedances"][3] == {"e": 100, "count": 14, "allowed": 2.0}
    assert body["runs_count"] == 3


def test_a_signals_page_can_show_its_curve() -> None:
    assert "| 100 | 14 | 2.0 |" in curve_markdown(MINE.curves["pool-dispatch"])
    assert "| 95% | 0.955 |" in curve_markdown(MINE.curves["extraction-intent"])


def test_the_shipped_calibration_can_be_shown() -> None:
    assert "shipped-1" in shown(shipped())
