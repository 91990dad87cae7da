"""Whether the accounts that took over from banned ones are seen as the same campaign."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from stillwatch.lab.baselines.log import DAY_US
from stillwatch.lab.benchmark.contract import Detector
from stillwatch.lab.benchmark.delay import cut
from stillwatch.lab.benchmark.worlds import Day
from stillwatch.lab.score import reported_accounts


@dataclass(frozen=True, slots=True)
class Relinked:
    """Of a campaign's later accounts that called, the share in a report that also names one of its first.

    `day_share` is of a run on the log as it stood a day after the first of its accounts was banned.
    """

    campaign: str
    heirs_count: int
    share: float
    day_heirs_count: int
    day_share: float


def relinked(day: Day, run_dir: Path, detector: Detector, seed: int, scratch: Path) -> list[Relinked]:
    """Return the figures of each campaign that replaced banned accounts; `run_dir` is the run on the whole log.

    Cost:    one more run for each of them.
    """
    known = pq.read_table(day.truth / "accounts.parquet")
    if "generation" not in known.column_names:
        return []
    later = known.filter(pc.greater(known["generation"], 1))
    found = []
    for name in sorted(set(later["campaign"].to_pylist())):
        mine = known.filter(pc.equal(known["campaign"], name))
        banned_us = _first_ban(day, mine["account_id"].combine_chunks())
        if banned_us is None:
            continue
        out = scratch / "relink"
        shutil.rmtree(out, ignore_errors=True)
        log = cut(day.log, banned_us + DAY_US, out / "log")
        early = detector.run(log.events, log.accounts, out / "run", seed)
        heirs, share = _share(mine, _callers(day.log.events), run_dir)
        day_heirs, day_share = _share(mine, _callers(log.events), early)
        found.append(Relinked(name, heirs, share, day_heirs, day_share))
    return found


def _first_ban(day: Day, accounts: pa.Array) -> int | None:
    fields = [("account_id", pa.string()), ("closed_at", pa.timestamp("us")), ("closed_reason", pa.string())]
    options = pj.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore")
    table = pj.read_json(day.log.accounts, parse_options=options)
    mine = pc.and_(pc.is_in(table["account_id"], value_set=accounts), pc.equal(table["closed_reason"], "banned"))
    first = pc.min(table.filter(mine)["closed_at"].cast(pa.int64())).as_py()
    return None if first is None else int(first)


def _callers(events: Path) -> set[str]:
    return set(pc.unique(pq.read_table(events, columns=["account_id"])["account_id"]).to_pylist())


def _share(mine: pa.Table, callers: set[str], run_dir: Path) -> tuple[int, float]:
    reported = reported_accounts(run_dir)
    generation = dict(zip(mine["account_id"].to_pylist(), mine["generation"].to_pylist(), strict=True))
    firsts = {reported[account] for account, number in generation.items() if number == 1 and account in reported}
    heirs = [account for account, number in generation.items() if number > 1 and account in callers]
    linked = sum(reported.get(account) in firsts for account in heirs)
    return len(heirs), linked / len(heirs) if heirs else 0.0
