"""What honest families score on the extraction axis: the reference that conformal p-values rank against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from stillwatch.errors import Error

CALIBRATION_VERSION = 1
SHIPPED = "shipped-1"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores of honest families, ascending. `source` says how they were made."""

    ident: str
    source: str
    scores: tuple[float, ...]

    def p_value(self, score: float) -> float:
        """Return the conformal p-value: (1 + honest families that score as high) / (1 + honest families).

        Source:  Bates and others 2023, "Testing for outliers with conformal p-values".
        """
        as_high = len(self.scores) - int(np.searchsorted(np.array(self.scores), score, side="left"))
        return (1 + as_high) / (1 + len(self.scores))


def shipped() -> Calibration:
    """Return the calibration that comes with the package, fitted on simulated honest traffic."""
    text = resources.files("stillwatch.campaign").joinpath(f"calibrations/{SHIPPED}.json").read_text()
    return _parse(text, SHIPPED)


def load(path: Path) -> Calibration:
    """Read a calibration file. Raises Error where it is no calibration of this version."""
    return _parse(path.read_text(), str(path))


def dump(calibration: Calibration) -> str:
    """Return the file's text: scores that are 0 are counted, the others listed."""
    above = [round(score, 6) for score in sorted(calibration.scores) if score > 0]
    body = {
        "version": CALIBRATION_VERSION,
        "ident": calibration.ident,
        "source": calibration.source,
        "families_count": len(calibration.scores),
        "scores_above_zero": above,
    }
    return json.dumps(body, indent=1) + "\n"


def _parse(text: str, where: str) -> Calibration:
    try:
        body = json.loads(text)
        above = [float(score) for score in body["scores_above_zero"]]
        zeros = int(body["families_count"]) - len(above)
        version, ident, source = body["version"], str(body["ident"]), str(body["source"])
    except (ValueError, KeyError, TypeError) as error:
        raise Error("bad-calibration", "the calibration file cannot be read", where=where) from error
    if version != CALIBRATION_VERSION or zeros < 0:
        raise Error(
            "bad-calibration",
            f"expected calibration version {CALIBRATION_VERSION}, got {version}",
            hint="fit it again with this version",
            where=where,
        )
    return Calibration(ident, source, (0.0,) * zeros + tuple(sorted(above)))
