"""What honest families score on the extraction axis: the reference that conformal p-values rank against."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path

import numpy as np

from stillwatch.errors import Error

CALIBRATION_VERSION = 2
SHIPPED = "shipped-1"

MEASURE = "extraction score of a pool, 4"
"""What the scores measure: `fusion.extraction_score`. Whoever changes that gives it another number here, so that scores
of two measures are never ranked among each other."""

FAMILIES_MAX = 200_000
"""Families of one calibration: a p-value of 5e-6 is finer than any rate asks for, and the file has 10 MB."""

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
LEVELS = (0.05, 0.025, 0.01, 0.005, 0.0025, 0.001)
"""p-values whose scores are shown."""

E_LEVELS = (2, 10, 20, 100, 1000)
"""e-values whose exceedances are counted; of an honest family an e-value reaches k with a probability of 1 / k."""

SCORE_LEVELS = (0.1, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """What one signal measured on honest families, ascending: logarithms of e-values, scores, or both."""

    log_e: tuple[float, ...] = ()
    score: tuple[float, ...] = ()

    def exceedances(self) -> list[tuple[float, int, float]]:
        """Return (k, honest families whose e-value is k or more, how many may be), for each of E_LEVELS."""
        log_e = np.array(self.log_e)
        return [(k, int((log_e >= np.log(k)).sum()), len(log_e) / k) for k in E_LEVELS] if len(log_e) else []


@dataclass(frozen=True, slots=True)
class Excluded:
    """Families of a history that are no examples: of reported campaigns, named by the user, met before in another
    run.
    """

    reported: int = 0
    named: int = 0
    repeated: int = 0

    def __add__(self, other: Excluded) -> Excluded:
        return Excluded(self.reported + other.reported, self.named + other.named, self.repeated + other.repeated)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores of honest families, ascending. `source` says how they were made, `runs` which runs they are from, and
    `curves` what each signal measured on them.
    """

    ident: str
    source: str
    scores: tuple[float, ...]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    tool_versions: tuple[str, ...] = ()
    window: tuple[str, str] | None = None
    excluded: Excluded = field(default_factory=Excluded)

    def p_value(self, score: float) -> float:
        """Return the conformal p-value: (1 + honest families that score as high) / (1 + honest families).

        Source:  Bates and others 2023, "Testing for outliers with conformal p-values".
        """
        as_high = len(self.scores) - int(np.searchsorted(np.array(self.scores), score, side="left"))
        return (1 + as_high) / (1 + len(self.scores))

    @property
    def resolution(self) -> float:
        """The smallest p-value that a score can have."""
        return 1 / (1 + len(self.scores))

    def threshold(self, p_value: float) -> float | None:
        """Return the score above which the p-value is at most this, None where too few families tell.

        0 stands for "any score": scores are never below.
        """
        above = int(np.floor(p_value * (1 + len(self.scores)) + 1e-9)) - 1
        if above < 0:
            return None
        return self.scores[-1 - above] if above < len(self.scores) else 0.0

    def coordinated_max(self, fdr: float) -> int:
        """Return among how many coordinated families a single campaign can still be named at this rate."""
        return int(np.floor(fdr / 2 * (1 + len(self.scores)) + 1e-9))

    def quantiles(self) -> dict[str, float]:
        """Return the score that so large a share of honest families does not exceed, for each of QUANTILES."""
        return quantiles(self.scores)


def quantiles(values: tuple[float, ...]) -> dict[str, float]:
    """Return quantiles that are values themselves; nothing of nothing."""
    if not values:
        return {}
    found = np.quantile(np.array(values), QUANTILES, method="inverted_cdf")
    return {f"{share:g}": float(value) for share, value in zip(QUANTILES, found, strict=True)}


def shipped() -> Calibration:
    """Return the calibration that comes with the package, fitted on simulated honest traffic."""
    text = resources.files("stillwatch.campaign").joinpath(f"calibrations/{SHIPPED}.json").read_text()
    return _parse(text, SHIPPED)


def load(path: Path) -> Calibration:
    """Read a calibration file. Raises Error where it is no calibration of this version."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Error("bad-calibration", "the calibration file cannot be read", where=str(path)) from error
    return _parse(text, str(path))


def dump(calibration: Calibration) -> str:
    """Return the file's text. Scores that are 0 are counted, the others listed; what stands under `derived` is for
    people and computed again by whoever reads the file.
    """
    body = {
        "version": CALIBRATION_VERSION,
        "ident": calibration.ident,
        "measure": MEASURE,
        "source": calibration.source,
        "tool_versions": calibration.tool_versions,
        "window": calibration.window,
        "runs": calibration.runs,
        "excluded": asdict(calibration.excluded),
        "families_count": len(calibration.scores),
        "derived": derived(calibration),
        "scores_above_zero": [round(score, 6) for score in sorted(calibration.scores) if score > 0],
        "signals": {
            ident: {
                "log_e": [round(value, 3) for value in curve.log_e],
                "score": [round(value, 6) for value in curve.score],
            }
            for ident, curve in sorted(calibration.curves.items())
        },
    }
    # A list of numbers stands on one line, or a person could not find the rest.
    text = json.dumps(body, indent=1)
    return re.sub(r"\[[\d\s.,e+-]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def derived(calibration: Calibration) -> dict[str, object]:
    """Return what follows from the scores, as plain values: resolution, thresholds, quantiles, exceedances."""
    return {
        "resolution": round(calibration.resolution, 6),
        "thresholds": [{"p_value": p, "score_above": calibration.threshold(p)} for p in LEVELS],
        "score_quantiles": calibration.quantiles(),
        "signals": {ident: curve_facts(curve) for ident, curve in sorted(calibration.curves.items())},
    }


def curve_facts(curve: Curve) -> dict[str, object]:
    """Return a signal's calibration curve as plain values."""
    facts: dict[str, object] = {}
    if curve.log_e:
        facts["log_e"] = {
            "families_count": len(curve.log_e),
            "quantiles": quantiles(curve.log_e),
            "exceedances": [{"e": e, "count": n, "allowed": round(most, 1)} for e, n, most in curve.exceedances()],
        }
    if curve.score:
        score = np.array(curve.score)
        facts["score"] = {
            "families_count": len(score),
            "quantiles": quantiles(curve.score),
            "exceedances": [{"score": level, "count": int((score >= level).sum())} for level in SCORE_LEVELS],
        }
    return facts


def _parse(text: str, where: str) -> Calibration:
    try:
        body = json.loads(text)
        version = body["version"]
        if version != CALIBRATION_VERSION:
            raise _unfit(f"expected calibration version {CALIBRATION_VERSION}, got {str(version)[:20]}", where)
        if body["measure"] != MEASURE:
            raise _unfit("its scores measure something else than this version of Stillwatch does", where)
        found = _calibration(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Error("bad-calibration", "the calibration file cannot be read", where=where) from error
    if len(found.scores) > FAMILIES_MAX:
        raise Error("bad-calibration", f"expected {FAMILIES_MAX} families at most, got more", where=where)
    return found


def _calibration(body: dict[str, object]) -> Calibration:
    above = _numbers(body["scores_above_zero"])
    count = body["families_count"]
    if not isinstance(count, int) or not len(above) <= count or (above and above[0] <= 0):
        raise ValueError
    window, signals, excluded = body["window"], body["signals"], body["excluded"]
    if not isinstance(signals, dict) or not isinstance(excluded, dict):
        raise TypeError
    return Calibration(
        ident=_word(body["ident"]),
        source=_word(body["source"]),
        scores=(0.0,) * min(count - len(above), FAMILIES_MAX + 1) + above,
        curves={
            _word(ident): Curve(_numbers(curve["log_e"]), _numbers(curve["score"])) for ident, curve in signals.items()
        },
        runs=_words(body["runs"]),
        tool_versions=_words(body["tool_versions"]),
        window=None if window is None else _pair(window),
        excluded=Excluded(*(int(excluded[name]) for name in ("reported", "named", "repeated"))),
    )


def _numbers(values: object) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(type(value) in (int, float) and np.isfinite(value) for value in values):
        raise TypeError
    return tuple(sorted(float(value) for value in values))


def _words(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError
    return tuple(_word(value) for value in values)


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _pair(value: object) -> tuple[str, str]:
    first, second = _words(value)
    if datetime.fromisoformat(first) > datetime.fromisoformat(second):
        raise ValueError
    return first, second


def _unfit(message: str, where: str) -> Error:
    return Error("calibration-unfit", message, hint="fit it again with this version", where=where)
