"""What a run found, measured against the truth of its world: the laboratory's score, and why what was missed was.

python bench/grade.py RUN WORLD prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys
from stillwatch.lab.score import score, upper_bound
from stillwatch.pseudonym import UNKEYED

ITS_FAMILY_MIN = 0.3
"""Least agreement (F of its accounts) at which a family counts as one of a hidden or honest group."""

FAMILIES_KEPT_MAX = 10
"""Families kept for each group, the best first: a campaign of many tasks has a family for each."""

REPORTED = ("campaign_id", "q_value", "accounts_count", "events_count", "group_ids")

NO_FAMILY = "no family of its own"

Families = dict[str, list[dict[str, Any]]]

CROWDS = frozenset({"company", "consumer", "developer"})
"""Classes of the honest population: everybody in them is a group of one."""


def grade(run: Path, world: Path) -> dict[str, Any]:
    """Return the score, the classes among accounts that called, and the families in which each campaign was seen.

    The rows of `classes` count accounts with at least one call: who never called could not have been named.
    """
    truth = pq.read_table(world / "truth" / "accounts.parquet")
    truth = truth.filter(pc.is_in(truth["account_id"], value_set=_callers(world / "events")))
    named = pq.read_table(run / "accounts.parquet", columns=["account_id", "campaign_id", "verdict"])
    scored = asdict(score(run, world / "truth"))
    del scored["classes"], scored["honest"]
    families = _families(run, truth)
    rows = _classes(truth, named, families)
    return {
        **scored,
        "classes": rows,
        "honest": _row("all honest", rows),
        "campaign_families": [families[each["campaign"]] for each in scored["campaigns"]],
        "named_count": pc.sum(pc.equal(named["verdict"], "campaign")).as_py() or 0,
        "watched_count": pc.sum(pc.equal(named["verdict"], "watch")).as_py() or 0,
        "reported": [{key: line[key] for key in REPORTED} for line in _lines(run / "campaigns.jsonl")],
    }


def _callers(events: Path) -> pa.Array:
    seen = [pc.unique(pq.read_table(path, columns=["account_id"])["account_id"]) for path in events.glob("*.parquet")]
    return pc.unique(pa.concat_arrays(seen))


def _classes(truth: pa.Table, named: pa.Table, families: Families) -> list[dict[str, Any]]:
    honest = truth.filter(pc.is_null(truth["campaign"]))
    rows = []
    for name in sorted(pc.unique(honest["class"]).to_pylist()):
        mine = honest.filter(pc.equal(honest["class"], name))
        groups = [] if name in CROWDS else sorted(pc.unique(mine["group"]).to_pylist())
        judged = Counter(families[group][0]["outcome"] if families[group] else NO_FAMILY for group in groups)
        verdicts = named.filter(pc.is_in(named["account_id"], value_set=mine["account_id"].combine_chunks()))["verdict"]
        row = {
            "name": name,
            "groups_count": len(groups),
            "accounts_count": len(mine),
            "named_count": pc.sum(pc.equal(verdicts, "campaign")).as_py() or 0,
            "watched_count": pc.sum(pc.equal(verdicts, "watch")).as_py() or 0,
            "judged": dict(sorted(judged.items())),
        }
        rows.append({**row, "upper_bound": upper_bound(row["named_count"], row["accounts_count"])})
    return rows


def _row(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    total = {key: sum(row[key] for row in rows) for key in ("accounts_count", "named_count", "watched_count")}
    return {"name": name, **total, "upper_bound": upper_bound(total["named_count"], total["accounts_count"])}


def _families(run: Path, truth: pa.Table) -> Families:
    """Return, for each group of the world, the listed families that agree with its accounts, the best first."""
    listed = {line["group_id"]: line for line in _lines(run / "groups.jsonl")}
    considered = pq.read_table(run / "considered.parquet")
    key = pseudonyms(truth["account_id"].combine_chunks(), TraceKeys.derive(UNKEYED).identifiers)
    of = truth["group"].combine_chunks().dictionary_encode()
    names, code = of.dictionary.to_pylist(), of.indices.to_numpy()
    order = np.argsort(key)
    group = code[order[np.searchsorted(key[order], considered["account_key"].to_numpy())]]
    family = considered["group_id"].combine_chunks().dictionary_encode()
    lines, place = [listed[ident] for ident in family.dictionary.to_pylist()], family.indices.to_numpy()
    both, calls = (np.zeros((len(names), len(lines)), dtype=np.int64) for _ in range(2))
    np.add.at(both, (group, place), 1)
    np.add.at(calls, (group, place), considered["calls"].to_numpy())
    size = both.sum(axis=0)
    agreement = 2 * both / (np.bincount(code)[:, None] + size[None, :])
    found = {}
    for index, name in enumerate(names):
        fit = [int(at) for at in np.flatnonzero(agreement[index] >= ITS_FAMILY_MIN)]
        fit.sort(key=lambda at: (-agreement[index, at], -lines[at]["events_count"], lines[at]["group_id"]))
        found[name] = [
            _family(lines[at], int(size[at]), int(both[index, at]), int(calls[index, at]))
            for at in fit[:FAMILIES_KEPT_MAX]
        ]
    return found


def _family(line: dict[str, Any], accounts: int, own: int, own_calls: int) -> dict[str, Any]:
    """Return what the page says of a family; the counts are before its core was drawn, `core_calls_count` after."""
    return {
        **{key: line[key] for key in ("group_id", "outcome", "reason", "would_change", "campaign_id")},
        "accounts_count": accounts,
        "own_accounts_count": own,
        "own_calls_count": own_calls,
        "core_calls_count": line["events_count"],
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    print(json.dumps(grade(Path(sys.argv[1]), Path(sys.argv[2])), indent=1))
