"""The published campaign of 16 million exchanges and 24,000 accounts, in ten times as much honest traffic.

    python -m bench.replay --calls 2000000 --prompt-bytes 400 --out build/bench/world

Accounts and exchanges: report of 23 Feb 2026, over all that it counts. What it asks is ours, from the ledger's
wordings of that report (`lab/campaigns/ledger.py`, c2 and c3), and so are the days, the cards and the address blocks. A
world of fewer calls has fewer accounts that do the same, the campaign's as well as the honest. It is written as it is
drawn, an hour at a time; what is held are the accounts and the campaign's plan.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

from bench.prompts import LongerWorld
from stillwatch.lab.campaigns.harvest import Harvest, Rhythm, Task
from stillwatch.lab.campaigns.ledger import AGENTIC, GRADING
from stillwatch.lab.campaigns.origins import Origin
from stillwatch.lab.scenario import Scenario, around
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import World, simulate

ACCOUNTS = 24_000
EXCHANGES = 16_000_000
CALLS = 176_000_000
DAYS = 30

CAMPAIGN = Harvest(
    "replay", ACCOUNTS, EXCHANGES / ACCOUNTS, DAYS,
    (
        Task("hv_hindsight", 0.4, topic_count=6), Task("hv_grade", 0.25, GRADING, topic_count=6),
        Task("hv_rewrite", 0.15, topic_count=3), Task("hv_episode", 0.2, AGENTIC, topic_count=5),
    ),
    origin=Origin(per_card=30.0, per_block=40.0), rhythm=Rhythm(ticks=48),
)  # fmt: skip


def scenario(calls: int, days: int = DAYS) -> Scenario:
    """Return the window of so many days and calls, a part of the whole."""
    whole = around(CAMPAIGN, "16 million exchanges of 24,000 accounts", share=EXCHANGES / CALLS)
    return whole.at(calls / CALLS * DAYS / days, days)


class Lines:
    """Says every few million calls how far the writing is."""

    def __init__(self, calls: int) -> None:
        self._calls, self._rows, self._told = calls, 0, 0

    def begin(self, stage: str, total_bytes: int | None) -> None: ...

    def advance(self, rows: int, size_bytes: int) -> None:
        self._rows += rows
        if self._rows - self._told >= max(self._calls // 20, 1):
            self._told = self._rows
            print(f"{self._rows:,} of about {self._calls:,} calls", flush=True)

    def note(self, text: str) -> None:
        print(text, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, required=True)
    options.add_argument("--days", type=int, default=DAYS)
    options.add_argument("--prompt-bytes", type=int, default=400)
    options.add_argument("--seed", type=int, default=2026)
    options.add_argument("--out", type=Path, required=True)
    asked = options.parse_args()
    part = scenario(asked.calls, asked.days)
    world = LongerWorld(simulate(part, asked.seed, part.calls), asked.prompt_bytes)
    write_world(cast(World, world), asked.out, "canonical", Lines(part.calls))


if __name__ == "__main__":
    main()
