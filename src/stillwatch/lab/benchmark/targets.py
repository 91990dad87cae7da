"""What was promised, what was measured, and by how much it was missed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.lab.benchmark.plan import NULL_WORLDS
from stillwatch.lab.benchmark.summary import CROWDS
from stillwatch.lab.campaigns.ledger import LEDGER
from stillwatch.lab.scenario import FULL_RATE

Found = dict[str, Any]

FDR = 0.05
LARGE_EXCHANGES = 1_000_000
"""A campaign of that size is to be seen before a hundredth of it has leaked."""

TEMPLATED = tuple(f"ledger-c{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14))
"""Ledger campaigns most of whose calls are fills of prompts of their own; the others relay people's."""

ROW = "the scenario's own row says what was seen of it"


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the promises. `measured` is None where the plan held nothing to measure it on.

    `at_least` says on which side of `limit` the figure should lie; `cure` what would help where it does not. `share`
    is false for what is no share.
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
    """Return every promise with its figure; `table` may lack its tasks."""
    summed = table["summary"]
    rows = {row["scenario"]: row for row in summed["scenarios"]}
    blind = tuple(table["blind"])
    visible = [row for name, row in rows.items() if row["campaigns_count"] and not (blind and name.startswith(blind))]
    return [
        *_of_honest(summed),
        *_of_ledger(rows, [row for row in visible if row["scenario"].startswith("ledger-")]),
        *_of_evasions({int(name.split("-")[1]): row for name, row in rows.items() if name.startswith("evasion-")}),
        *_of_all(visible, summed["rivals"]),
    ]


def _of_honest(summed: Found) -> Iterable[Target]:
    rows = {row["name"]: row for row in summed["classes"]}
    honest, alike = (rows.get(name) for name in ("all honest", "all look-alikes"))
    bound = honest["upper_bound"] if honest else None
    yield Target("honest accounts named, 95 % bound", 1e-5, bound, False, _cure_of(honest, 300_000))
    classes = [row for name, row in rows.items() if not name.startswith("all ") and name not in CROWDS]
    worst = max(classes, key=lambda row: float(row["upper_bound"]), default=None)
    yield Target(
        "look-alikes named, worst class, 95 % bound", 1e-4, worst["upper_bound"] if worst else None, False,
        _cure_of(worst, 30_000),
    )  # fmt: skip
    more = "more worlds"
    yield Target(
        "honest accounts measured", 300_000, honest["accounts_count"] if honest else None, True, more, share=False
    )
    yield Target(
        "look-alike accounts measured", 20_000, alike["accounts_count"] if alike else None, True, more, share=False
    )
    null = summed["null"]
    allowed = FDR + 3 * math.sqrt(FDR * (1 - FDR) / NULL_WORLDS)
    realised = null["realised_rate"] if null["worlds_count"] >= NULL_WORLDS else None
    cure = "a calibration that holds families like those that were reported"
    yield Target(f"realised false-discovery rate, {NULL_WORLDS} null worlds", allowed, realised, False, cure)


def _cure_of(row: Found | None, needed: int) -> str:
    if row is None or row["named_count"]:
        return "a narrower core of the families that named them"
    kind = "honest" if row["name"] == "all honest" else row["name"]
    held = row["accounts_count"]
    return f"more accounts: nobody was named among {held:,} ({kind}), and the bound takes {needed:,}"


def _of_ledger(rows: dict[str, Found], ledger: Sequence[Found]) -> Iterable[Target]:
    yield Target("ledger campaigns found, of those that ingress can see", 1.0, _found(ledger), True, ROW)
    worst = min((row for row in ledger if row["scenario"] in TEMPLATED), key=_accounts_recall, default=None)
    at = f", worst: {worst['scenario']}" if worst else ""
    yield Target(
        f"templated ledger campaigns, accounts named{at}", 0.99, _accounts_recall(worst) if worst else None, True, ROW
    )
    sooner = "windows that are judged as they arrive, and evidence that needs fewer calls"
    large = {entry.campaign.name: entry for entry in LEDGER if entry.published.exchanges >= LARGE_EXCHANGES}
    shares = {
        row["scenario"]: _pace(row, large[row["scenario"]].campaign.days)
        for row in ledger
        if row["scenario"] in large and row["timed_count"]
    }
    name = max(shares, key=lambda each: shares[each], default="")
    at = f", worst: {name}" if name else ""
    yield Target(
        f"leaked before detection, published campaigns of a million and more at their own pace{at}",
        0.01, shares.get(name), False, sooner,
    )  # fmt: skip
    fast = rows.get(FULL_RATE)
    hours = None
    if fast and fast["timed_count"]:
        hours = fast["hours_worst"] if fast["seen_count"] == fast["timed_count"] else math.inf
    yield Target("hours to see 640,000 calls a day", 1.0, hours, False, sooner, share=False)


def _pace(row: Found, days: int) -> float:
    """Return the part of a published campaign's days that passed before its smaller copy was seen, in the worst case.

    The copy makes fewer calls an hour, so that the original would not be seen later.
    """
    if row["seen_count"] < row["timed_count"]:
        return 1.0
    return float(row["hours_worst"]) / (24.0 * days)


def _accounts_recall(row: Found) -> float:
    return float(row["accounts_recall"])


def _found(rows: Sequence[Found]) -> float | None:
    total = sum(row["campaigns_count"] for row in rows)
    return sum(row["found_count"] for row in rows) / total if total else None


def _of_evasions(rows: dict[int, Found]) -> Iterable[Target]:
    some = {number: rows[number] for number in (1, 2, 5, 6, 7, 8) if number in rows}
    yield Target("evasions 1, 2, 5, 6, 7, 8: campaigns found", 0.95, _found(list(some.values())), True, ROW)
    recall: dict[int, float] = {
        n: float(row["calls_recall"] if n == 2 else row["accounts_recall"]) for n, row in some.items()
    }
    worst = min(recall, key=lambda n: recall[n], default=0)
    at = f", worst: {worst}" if worst else ""
    yield Target(f"evasions 1, 2, 5, 6, 7, 8: accounts (calls for 2){at}", 0.9, recall.get(worst), True, ROW)
    linked = rows[5]["relinked_day_share"] if 5 in rows else None
    yield Target(
        "evasion 5: later accounts named with the first ones, a day after the first ban", 0.8, linked, True,
        "evidence from few calls of a new account, and births after bans weighed as one family's",
    )  # fmt: skip
    gap = rows[1]["accounts_recall"] - rows[4]["accounts_recall"] if {1, 4} <= rows.keys() else None
    paraphrase = "a second pass that merges families whose fills are exchangeable"
    yield Target("evasion 4: accounts, under evasion 1", 0.2, gap, False, paraphrase)
    replay = rows[9]["accounts_recall"] if 9 in rows else None
    yield Target("evasion 9: accounts, where blocks are logged", 0.99, replay, True, ROW)


def _of_all(visible: Sequence[Found], rivals: Sequence[Found]) -> Iterable[Target]:
    worst = min(visible, key=lambda row: float(row["b_cubed_f"]), default=None)
    at = f": {worst['scenario']}" if worst else ""
    cure = "fewer accounts left out, fewer reports for one campaign"
    yield Target(
        f"B-cubed F, worst scenario that ingress can see{at}", 0.9, worst["b_cubed_f"] if worst else None, True, cure
    )
    cure = "what the baseline sees and the detector does not, as a signal"
    for name, key in (("the detector's false rate", "recall_at_rate"), ("its own best F", "best_recall")):
        won = sum(beaten(row, key) for row in rivals) / len(rivals) if rivals else None
        yield Target(f"baselines beaten in recall, each in each scenario, at {name}", 1.0, won, True, cure)


def beaten(row: Found, key: str) -> bool:
    """Return whether the detector names more of a scenario than a rival; where both name all, it is not outdone."""
    return bool(row["detector_recall"] > row[key] or row["detector_recall"] == row[key] == 1.0)
