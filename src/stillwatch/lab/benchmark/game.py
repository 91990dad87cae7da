"""Games of the opponent that learns, against the detector or against a baseline whose threshold honest traffic sets."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.lab.baselines.contract import Baseline
from stillwatch.lab.baselines.log import Log
from stillwatch.lab.baselines.registry import BASELINES
from stillwatch.lab.benchmark.contract import Detector
from stillwatch.lab.benchmark.plan import ROUNDS_MAX, Task
from stillwatch.lab.benchmark.worlds import Silent, honest, honest_day
from stillwatch.lab.opponent import Knobs, Opponent, play, tally
from stillwatch.lab.score import reported_accounts

OPPONENT = Opponent(rounds=ROUNDS_MAX)

HONEST_CALLS = 40_000
"""A day of the opponent has so many calls; a threshold is set on an honest day as large."""

HONEST_SHARE = 1e-3
"""Share of the accounts of an honest day that a baseline may name: it gets a hundred times what the detector
promises, since at less most baselines name nobody at all."""

DETECTOR = "detector"


class _Ours:
    """The detector as the opponent meets it."""

    def __init__(self, detector: Detector, seed: int) -> None:
        self._detector, self._seed = detector, seed

    def flagged(self, events: Path, accounts: Path, out: Path) -> set[str]:
        return set(reported_accounts(self._detector.run(events, accounts, out / "run", self._seed)))


class _Theirs:
    """A baseline with the threshold that names the allowed share of an honest day's accounts."""

    def __init__(self, baseline: Baseline, scratch: Path, seed: int) -> None:
        self._baseline, self._seed = baseline, seed
        self._reference = honest(scratch / "honest")
        usual = baseline.suspect(honest_day(scratch / "usual", HONEST_CALLS), self._reference, seed).score
        allowed = int(HONEST_SHARE * len(usual))
        self._threshold = np.sort(usual)[-1 - allowed] if len(usual) else -np.inf

    def flagged(self, events: Path, accounts: Path, out: Path) -> set[str]:
        found = self._baseline.suspect(Log(events, accounts), self._reference, self._seed)
        return {name for name, score in zip(found.accounts.to_pylist(), found.score, strict=True)
                if score > self._threshold}  # fmt: skip


def game(task: Task, detector: Detector, scratch: Path) -> dict[str, Any]:
    """Play one game in a folder of its own, and return what it cost both sides.

    `calls_per_account_lost` is None where no account was lost; `kept` are the changes that the opponent kept.
    """
    foe: _Ours | _Theirs
    if task.scenario == DETECTOR:
        foe = _Ours(detector, task.seed)
    else:
        foe = _Theirs(next(each for each in BASELINES if task.scenario == each.IDENT), scratch, task.seed)
    opponent = replace(OPPONENT, rounds=task.rounds)
    rounds = play(foe, opponent, task.seed, scratch, Silent())
    total = tally(rounds)
    lost = total.accounts_lost
    last = rounds[-1]
    row = {
        "against": task.scenario,
        "rounds_count": len(rounds),
        **asdict(total),
        "calls_per_account_lost": total.calls_obtained / lost if lost else None,
        "first_lost_share": rounds[0].accounts_lost / rounds[0].accounts_used,
        "last_lost_share": last.accounts_lost / last.accounts_used,
        "calls_wanted": min(opponent.work, opponent.daily * opponent.rounds),
        "kept": [each.changed for each in rounds if each.kept],
        "changed_knobs": {k: v for k, v in asdict(last.knobs).items() if v != asdict(Knobs())[k]},
    }
    return {"rows": [row], "days": [asdict(each) for each in rounds]}
