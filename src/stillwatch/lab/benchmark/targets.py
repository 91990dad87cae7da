"""What was promised, what was measured, and by how much it was missed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.lab.benchmark.plan import NULL_WORLDS

Found = dict[str, Any]

FDR = 0.05
LARGE_CALLS = 1_000_000
"""A campaign of that size is to be seen before a hundredth of it has leaked."""


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the promises. `measured` is None where the plan held nothing to measure it on.

    `at_least` says on which side of `limit` the figure should lie; `cure` what would help where it does not.
    """

    name: str
    limit: float
    measured: float | None
    at_least: bool
    cure: str
    share: bool = True

    @property
    def missed_by(self) -> float:
        """Return how far the figure is on the wrong side, 0 where it is met or was not measured."""
        if self.measured is None:
            return 0.0
        return max(self.limit - self.measured if self.at_least else self.measured - self.limit, 0.0)


def targets(table: Found) -> list[Target]:
    """Return every promise with its figure."""
    return [*_of_honest(table["summary"]), *_of_ledger(table), *_of_evasions(table["summary"]), *_of_all(table)]


def _of_honest(summed: Found) -> Iterable[Target]:
    rows = {row["name"]: row for row in summed["classes"]}
    honest = rows.get("all honest")
    more = "more worlds narrow the bound where nobody was named; a stricter core or naming where somebody was"
    yield Target("honest accounts named, 95 % bound", 1e-5, honest and honest["upper_bound"], False, more)
    alike = [row for name, row in rows.items() if not name.startswith("all ")]
    worst = max((row["upper_bound"] for row in alike), default=None)
    yield Target("worst class of honest accounts, 95 % bound", 1e-4, worst, False, more)
    null = summed["null"]
    enough = null["worlds_count"] >= NULL_WORLDS
    allowed = FDR + 3 * math.sqrt(FDR * (1 - FDR) / max(null["worlds_count"], NULL_WORLDS))
    realised = null["realised_rate"] if enough else None
    cure = "a calibration that holds families like those that were reported"
    yield Target(f"realised false-discovery rate, {NULL_WORLDS} null worlds", allowed, realised, False, cure)


def _of_ledger(table: Found) -> Iterable[Target]:
    blind = tuple(table["blind"])
    rows = [row for row in table["summary"]["scenarios"] if row["scenario"].startswith("ledger-")]
    visible = [row for row in rows if not (blind and row["scenario"].startswith(blind))]
    cure = "the scenario's own row says what was seen of it"
    yield Target("ledger campaigns found, of those that ingress can see", 1.0, _found(visible), True, cure)
    recall = min((row["accounts_recall"] for row in visible if row["accounts_recall"] is not None), default=None)
    yield Target("worst ledger scenario, accounts named", 0.99, recall, True, cure)
    sooner = "windows that are judged as they arrive, and evidence that needs fewer calls"
    large = [
        wait
        for each in table["tasks"]
        if each["task"]["scenario"].startswith("ledger-") and not (blind and each["task"]["scenario"].startswith(blind))
        for wait in each.get("delays", [])
        if wait["calls_count"] >= LARGE_CALLS
    ]
    worst = max((wait["leaked_share"] for wait in large), default=None)
    yield Target("leaked before detection, campaigns of a million calls", 0.01, worst, False, sooner)
    fast = [row for row in visible if re.match(r"ledger-c6\b", row["scenario"])]
    hours = fast[0]["hours_worst"] if fast else None
    yield Target("hours to see 640,000 calls a day", 1.0, hours, False, sooner, share=False)


def _found(rows: Sequence[Found]) -> float | None:
    total = sum(row["campaigns_count"] for row in rows)
    return sum(row["found_count"] for row in rows) / total if total else None


def _of_evasions(summed: Found) -> Iterable[Target]:
    rows = {
        int(known[1]): row for row in summed["scenarios"] if (known := re.match(r"evasion-(\d+)\b", row["scenario"]))
    }
    cure = "the scenario's own row says what was seen of it"
    some = [rows[number] for number in (1, 2, 5, 6, 7, 8) if number in rows]
    yield Target("evasions 1, 2, 5, 6, 7, 8: campaigns found", 0.95, _found(some), True, cure)
    worst = [rows[n]["calls_recall" if n == 2 else "accounts_recall"] for n in (1, 2, 5, 6, 7, 8) if n in rows]
    yield Target("... worst of them, accounts (slice for 2)", 0.9, min(worst, default=None), True, cure)
    # Which later accounts go on with whose work is not in the truth that a world writes.
    yield Target("evasion 5, accounts linked again within 24 h", 0.8, None, True, cure)
    paraphrase = "a second pass that merges families whose fills are exchangeable"
    gap = rows[1]["accounts_recall"] - rows[4]["accounts_recall"] if {1, 4} <= rows.keys() else None
    yield Target("evasion 4, recall under evasion 1", 0.2, gap, False, paraphrase)
    replay = rows[9]["accounts_recall"] if 9 in rows else None
    yield Target("evasion 9, accounts where blocks are logged", 0.99, replay, True, cure)


def _of_all(table: Found) -> Iterable[Target]:
    rows = [row for row in table["summary"]["scenarios"] if row["campaigns_count"]]
    worst = min((row["b_cubed_f"] for row in rows), default=None)
    yield Target(
        "B-cubed F, worst scenario", 0.9, worst, True, "fewer accounts left out, fewer reports for one campaign"
    )
    rivals = table["summary"]["rivals"]
    cure = "what the rival sees and the detector does not, as a signal"
    for name, key in (("the detector's false rate", "recall_at_rate"), ("its own best F", "best_recall")):
        won = sum(beaten(row, key) for row in rivals) / len(rivals) if rivals else None
        yield Target(f"baselines beaten in recall, at {name}", 1.0, won, True, cure)


def beaten(row: Found, key: str) -> bool:
    """Return whether the detector names more of a scenario than a rival; where both name all, it is not outdone."""
    return bool(row["detector_recall"] > row[key] or row["detector_recall"] == row[key] == 1.0)
