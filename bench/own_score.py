"""Print how well a run of Stillwatch did on a replayed world, as JSON.

python -m bench.own_score RUN TRUTH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stillwatch.lab.score import score


def main(run: str, truth: str) -> None:
    found = score(Path(run), Path(truth))
    hidden = sum(each.accounts_count for each in found.campaigns)
    named = sum(each.accounts_recall * each.accounts_count for each in found.campaigns)
    calls = sum(each.calls_count for each in found.campaigns)
    seen = sum(each.calls_recall * each.calls_count for each in found.campaigns)
    print(
        json.dumps(
            {
                "recall": named / max(hidden, 1), "precision": found.accounts_precision, "accounts_count": hidden,
                "calls_recall": seen / max(calls, 1), "calls_count": calls, "reported_count": found.reported_count,
                "honest_accounts_count": found.honest.accounts_count, "honest_named_count": found.honest.named_count,
                "honest_bound": found.honest.upper_bound,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
