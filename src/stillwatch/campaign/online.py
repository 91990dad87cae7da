"""Windows that arrive one after another → campaigns whose false-discovery rate holds over the whole stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.fusion import Axes, Verdict
from stillwatch.campaign.state_files import replace_state
from stillwatch.errors import Error

STATE_VERSION = 2

PATIENCE = 20
"""Coordinated families that a stream can ask about extraction before it has named any, where the calibration is fine
enough: a log has a few such families that are honest, and a campaign may come after them."""

STATE_BYTES_MAX = 50_000_000
"""A million named families; what is larger is another file."""


@dataclass(frozen=True, slots=True)
class OnlineState:
    """What a stream remembers: what it promised and to whom it compares, how far it got, what it named and spent.

    `named` maps every family of a named pool to the number of the window that named the pool, and `named_count` counts
    the pools; `spent` is the part of fdr / 2 that the extraction null has used; `passed_over` counts coordinated pools
    that could not be asked about for want of it.

    Units:   until_us is microseconds since the epoch, the last call of the last window; -1 before the first.
    """

    fdr: float
    calibration: str
    key: str
    level: float
    windows_count: int = 0
    until_us: int = -1
    spent: float = 0.0
    passed_over: int = 0
    named_count: int = 0
    named: dict[str, int] = field(default_factory=dict)
    version: int = STATE_VERSION

    def asks_left(self) -> int:
        """Return how many coordinated families can still be asked before another one is named."""
        return int(np.floor((self.fdr / 2 - self.spent) * (self.named_count + 1) / self.level + 1e-9))


def begin(calibration: Calibration, fdr: float, key: str) -> OnlineState:
    """Begin a stream. `key` names the key of its runs, since names of families hold under one key only.

    The level of the extraction null is one for the whole stream: the rank among the honest families that leaves
    PATIENCE asks, and the first rank where they are too few.

    Raises:  calibration-too-coarse where not a single family could be asked.
    """
    rank = max(1, int(np.floor(fdr / 2 / PATIENCE / calibration.resolution + 1e-9)))
    state = OnlineState(fdr, calibration.ident, key, rank * calibration.resolution)
    if state.asks_left() < 1:
        raise Error(
            "calibration-too-coarse",
            f"a stream at a rate of {fdr:g} needs a calibration on {int(np.ceil(2 / fdr)) - 1} families at least, got "
            f"{len(calibration.scores)}",
            hint="fit a calibration on more runs, or state a higher rate",
        )
    return state


def gamma(window: int) -> float:
    """Return the share of the coordination half that window 1, 2, … gets: 1 / (w (w + 1)), which sums to 1."""
    return 1 / (window * (window + 1))


def decide(
    state: OnlineState, window_us: tuple[int, int], hypotheses: Sequence[tuple[Sequence[str], Axes]]
) -> tuple[list[Verdict], OnlineState]:
    """Decide the pools of one window, each given by the names of its families, and return the stream's next state.

    A pool that is not named yet needs both: an e-value against the coordination null that e-BH accepts at this
    window's share of the rate, and an extraction p-value at the stream's level. A pool of which any family was named
    before stays named as long as both axes still speak, and is no new discovery; what families it has now are names of
    it from then on, since which of them leads changes from day to day. The verdicts do not depend on the order of the
    pools; their q-value is the stream's rate, since a stream has no other.

    Raises:  window-not-later where the window does not begin after the last one ended, a replay for instance.
    Source:  Xu and Ramdas 2024, "Online multiple testing with e-values" (e-LOND), here with e-BH inside a window; the
             derivation is in docs/decisions/0009-online-rate.md.
    """
    first_us, last_us = window_us
    if first_us <= state.until_us:
        raise Error(
            "window-not-later",
            "the log does not begin after the last window of the stream ended, and its calls may have been counted",
            hint="run windows in order of time, each once, or begin another stream",
        )
    names = [tuple(sorted(of)) for of, _ in hypotheses]
    every = [name for of in names for name in of]
    assert len(set(every)) == len(every), "two pools of one window have a family in common"
    log_e = np.array([axes.log_e_coordination for _, axes in hypotheses])
    p_value = np.array([axes.p_extraction for _, axes in hypotheses])
    since = [min((state.named[name] for name in of if name in state.named), default=None) for of in names]
    fresh = np.array([window is None for window in since], dtype=bool)
    passing = fresh & (p_value <= state.level)
    window = state.windows_count + (1 if fresh.any() else 0)
    bar = np.log(2 * max(1, int(fresh.sum())) / (state.fdr * gamma(max(1, window))))

    most = _most(log_e[fresh], bar, state.named_count)
    candidates = fresh & (log_e >= bar - np.log(max(1, state.named_count + most)))
    by_weight = sorted(np.flatnonzero(candidates), key=lambda at: (-log_e[at], names[at]))
    asked = by_weight[: state.asks_left()]
    found = np.zeros(len(names), dtype=bool)
    found[asked] = True
    found &= passing
    count = _most(log_e[found], bar, state.named_count)
    found &= log_e >= bar - np.log(max(1, state.named_count + count))
    assert found.sum() == count

    stays = ~fresh & (log_e >= np.log(2 / state.fdr)) & (p_value <= state.fdr)
    verdicts = [
        Verdict(
            axes.log_e_coordination, axes.log_e_without, axes.p_extraction, state.fdr if named else 1.0, bool(named)
        )
        for (_, axes), named in zip(hypotheses, found | stays, strict=True)
    ]
    charge = len(asked) * state.level / (state.named_count + max(1, count))
    after = replace(
        state,
        windows_count=window,
        until_us=last_us,
        spent=state.spent + charge,
        passed_over=state.passed_over + len(by_weight) - len(asked),
        named_count=state.named_count + count,
        named=dict(sorted((state.named | _names(names, since, found, stays, window)).items())),
    )
    return verdicts, after


def _names(
    names: Sequence[tuple[str, ...]], since: Sequence[int | None], found: np.ndarray, stays: np.ndarray, window: int
) -> dict[str, int]:
    """Return the families of the pools that are named, and the window that named each pool."""
    when = {at: since[at] if stays[at] else window for at in np.flatnonzero(found | stays).tolist()}
    return {name: first for at, first in when.items() if first is not None for name in names[at]}


def candidates_count(before: OnlineState, after: OnlineState) -> int:
    """Return how many coordinated families the window between two states asked about, or lacked the budget for."""
    named = before.named_count
    count = after.named_count - named
    asked = round((after.spent - before.spent) * (named + max(1, count)) / before.level)
    return asked + after.passed_over - before.passed_over


def _most(log_e: np.ndarray, bar: float, named_count: int) -> int:
    """Return the largest r for which r families have log e >= bar - log(named_count + r)."""
    descending = np.sort(log_e)[::-1]
    enough = np.flatnonzero(descending >= bar - np.log(named_count + np.arange(1, len(descending) + 1)))
    return int(enough[-1]) + 1 if len(enough) else 0


def open_stream(path: Path, calibration: Calibration, fdr: float, key: str) -> tuple[OnlineState | None, OnlineState]:
    """Return what is on the disk (None where the stream is new) and the state to decide with.

    Raises:  stream-differs where the stream was begun at another rate, calibration or key; what `begin` and
             `load_state` raise.
    """
    known = load_state(path)
    if known is None:
        return None, begin(calibration, fdr, key)
    if (known.fdr, known.calibration, known.key) != (fdr, calibration.ident, key):
        raise Error(
            "stream-differs",
            f"the stream was begun at a rate of {known.fdr:g} with calibration {known.calibration} and key "
            f"{known.key}, got {fdr:g}, {calibration.ident} and {key}",
            hint="go on with what it was begun with, or begin another stream",
            where=str(path),
        )
    return known, known


def load_state(path: Path) -> OnlineState | None:
    """Read a stream's file, None where there is none. Raises Error where it is something else."""
    try:
        with path.open("rb") as stream:
            data = stream.read(STATE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _bad(path) from error
    try:
        state = msgspec.json.decode(data, type=OnlineState)
    except msgspec.DecodeError as error:
        raise _bad(path) from error
    fits = 0 < state.level <= state.fdr / 2 < 0.5 and 0 <= state.spent <= state.fdr / 2 * (1 + 1e-9)
    if state.version != STATE_VERSION or not fits or len(data) > STATE_BYTES_MAX:
        raise _bad(path)
    return state


def save_state(path: Path, before: OnlineState | None, after: OnlineState) -> None:
    """Replace the stream's file, whole or not at all. To be called when the window's run is published.

    Raises:  stream-moved where the file is no longer what it was when the run began: another run was faster.
    """
    if load_state(path) != before:
        raise Error(
            "stream-moved",
            "another run went on with the stream in the meantime, and this one decided without it",
            hint="run windows one after another; detect this one again",
            where=str(path),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_state(path, asdict(after))


def _bad(path: Path) -> Error:
    return Error(
        "bad-stream",
        "the stream's file cannot be read: it is something else, was changed, or is of another version",
        hint="name the file that earlier runs wrote, or another name to begin a stream",
        where=str(path),
    )
