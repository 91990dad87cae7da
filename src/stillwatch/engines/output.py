"""What a run writes to its directory: staged beside it, then renamed, so that a part is never taken for the whole."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import stillwatch
from stillwatch.campaign.conclusion import Conclusion, Draft
from stillwatch.campaign.families import Families
from stillwatch.campaign.judgement import judge_untested
from stillwatch.engines.contract import ROWS_WRITTEN, Engine
from stillwatch.errors import Error
from stillwatch.event import TIME
from stillwatch.finding import Campaign, Group
from stillwatch.kernels.rows import distinct

SCHEMA_VERSION = 1
WORK = "work"
EXEMPTIONS = "exemptions.jsonl"

HOUR_US = 3_600_000_000

GROUPS_SHOWN_MAX = 500
"""Families listed besides the tested ones, those with the most accounts first: a page a person scrolls."""

BOUND_NOTES = {
    "families_per_call_max": "calls with more skeletons kept the eight they carry most of",
    "panel_calls_max": "the largest family was tested on a share of its items",
    "families_tested_max": "the largest families were tested; the smaller ones were not",
    "kin_bucket_families_max": "a rare value that more families hold links none of them",
    "kin_links_max": "of the families that hang together the pairs that do so most surely were looked into",
    "kin_compared_max": "of the families that hang together those around the largest were compared",
    "groups_shown_max": "families that were not tested are listed up to this number",
}

EXCHANGE_SCHEMA = pa.schema([("event_id", pa.string()), ("account_id", pa.string()), ("campaign_id", pa.string())])

CONSIDERED_SCHEMA = pa.schema([("account_key", pa.uint64()), ("group_id", pa.string()), ("calls", pa.int64())])

ACCOUNTS_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("campaign_id", pa.string()),
        ("membership", pa.float64()),
        ("verdict", pa.string()),
        ("events_count", pa.int64()),
        ("campaign_events_count", pa.int64()),
    ]
)

ACTIVITY_SCHEMA = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("group_id", pa.string()),
        ("account_id", pa.string()),
        ("hour", TIME),
        ("calls", pa.int64()),
    ]
)


@dataclass(slots=True)
class Flagged:
    """The calls of all campaigns, one row each, by event key.

    Shapes:  every field has n entries; `draft` indexes the campaigns; `named` and `sliced` say what becomes of the
             account: neither for one under watch.
    """

    event: np.ndarray
    account: np.ndarray
    time_us: np.ndarray
    family: np.ndarray
    output_tokens: np.ndarray
    source: np.ndarray
    draft: np.ndarray
    named: np.ndarray
    sliced: np.ndarray

    @property
    def listed(self) -> np.ndarray:
        """The calls that the campaign is made of: bool[n]."""
        return np.asarray(self.named | self.sliced)


@dataclass(frozen=True, slots=True)
class Screened:
    """All families of a log, what the digests say of each, and its intent score in the discovery blocks.

    Shapes:  facts: columns of statements.FAMILY_FACTS with `items`, f entries; intent float64[f].
    """

    families: Families
    facts: dict[str, np.ndarray]
    intent: np.ndarray


def tool_version() -> str:
    """Return the version that goes into `run.json`."""
    return stillwatch.__version__


def rfc3339(time_us: int) -> str:
    """Return a time in microseconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def stage(out: Path, force: bool) -> Path:
    """Make the directory that a run is written to before it is renamed to `out`.

    Raises:  out-not-empty where `out` holds anything and `force` is not set; out-not-a-run where `force` would
             replace what no run wrote.
    """
    occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if occupied and force and not (out / "run.json").is_file():
        raise Error(
            "out-not-a-run",
            "the output folder holds something that is no earlier run, and is not replaced",
            hint="name another folder",
            where=str(out),
        )
    if occupied and not force:
        raise Error(
            "out-not-empty",
            "the output folder is not empty",
            hint="name another folder, or pass --force to replace it",
            where=str(out),
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    (staged / WORK).mkdir()
    return staged


def publish(staged: Path, out: Path, force: bool) -> None:
    """Rename the staged directory into place; an earlier run goes only when the new one is there."""
    umask = os.umask(0)
    os.umask(umask)
    staged.chmod(0o777 & ~umask)
    earlier = None
    if out.exists() and force:
        earlier = out.rename(staged.with_name(f"{staged.name}-earlier"))
    elif out.exists():
        out.rmdir()
    staged.rename(out)
    if earlier is not None:
        shutil.rmtree(earlier, ignore_errors=True)


def write_json(path: Path, body: object) -> None:
    """Write one JSON value, indented for people."""
    path.write_text(json.dumps(body, indent=1) + "\n")


def write_lines(path: Path, bodies: Iterable[object]) -> None:
    """Write one JSON value a line."""
    with path.open("w") as stream:
        for body in bodies:
            stream.write(json.dumps(body) + "\n")


def write_exchanges(staged: Path, batches: pa.RecordBatchReader) -> None:
    """Write the campaigns' calls by event id."""
    _write_batches(staged / "exchanges.parquet", EXCHANGE_SCHEMA, batches)


def _write_batches(path: Path, schema: pa.Schema, batches: pa.RecordBatchReader) -> None:
    """Write batches of one size as row groups, however their rows came."""
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(batch.cast(schema), row_group_size=ROWS_WRITTEN)


def write_accounts(
    staged: Path,
    flagged: Flagged,
    drafts: Sequence[Draft],
    idents: list[str],
    names: dict[int, str],
    engine: Engine,
) -> None:
    """Write each named or watched account once: under a campaign that names it, else under one that it carries a slice
    of, and of several under the one that most of its calls belong to.
    """
    best: dict[int, tuple[bool, bool, int, int]] = {}
    (accounts, of), counts = distinct(flagged.account, flagged.draft)
    for account, draft, count in zip(accounts.tolist(), of.tolist(), counts.tolist(), strict=True):
        at = np.searchsorted(drafts[draft].accounts, np.uint64(account))
        claim = (bool(drafts[draft].named[at]), bool(drafts[draft].sliced[at]), count, -draft)
        if account not in best or claim > best[account]:
            best[account] = claim
    every = engine.calls_of(sorted(best))
    rows = []
    for account, (named, sliced, count, negative) in best.items():
        draft = drafts[-negative]
        held = float(draft.membership[np.searchsorted(draft.accounts, np.uint64(account))])
        if named or sliced or count >= WATCH_CALLS_MIN:
            verdict = "campaign" if named else "watch"
            rows.append((names[account], idents[-negative], held, verdict, every[account], count))
    rows.sort()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(ACCOUNTS_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, ACCOUNTS_SCHEMA, strict=True)]
    pq.write_table(pa.table(arrays, schema=ACCOUNTS_SCHEMA), staged / "accounts.parquet")


WATCH_CALLS_MIN = 2
"""Whoever sent a campaign's skeleton once is not even listed."""


def write_activity(
    staged: Path, flagged: Flagged, concluded: Conclusion, idents: list[str], names: dict[int, str]
) -> None:
    """Write the campaigns' calls by account, family and hour."""
    group = {family: said.group_id for family, said in concluded.groups}
    kept = flagged.listed
    cells, counts = distinct(
        flagged.draft[kept], flagged.family[kept], flagged.account[kept], flagged.time_us[kept] // HOUR_US
    )
    table = pa.table(
        [
            pa.array([idents[d] for d in cells[0]], pa.string()),
            pa.array([group[f] for f in cells[1].tolist()], pa.string()),
            pa.array([names[a] for a in cells[2].tolist()], pa.string()),
            pa.array(cells[3] * HOUR_US, pa.int64()).cast(TIME),
            pa.array(counts, pa.int64()),
        ],
        schema=ACTIVITY_SCHEMA,
    )
    order = pc.sort_indices(table, [(name, "ascending") for name in ACTIVITY_SCHEMA.names[:4]])
    pq.write_table(table.take(order), staged / "activity.parquet")


def write_campaigns(staged: Path, flagged: Flagged, drafts: Sequence[Draft], idents: list[str], engine: Engine) -> None:
    """Write a line for each campaign, most certain first."""
    lines = []
    for index, draft in enumerate(drafts):
        mine = flagged.listed & (flagged.draft == index)
        carried = int((mine & flagged.sliced).sum())
        carriers = engine.calls_of(draft.accounts[draft.sliced].tolist())
        lines.append(
            Campaign(
                campaign_id=idents[index],
                p_value=draft.p_value,
                q_value=draft.q_value,
                accounts_count=int(draft.named.sum()),
                events_count=int(mine.sum()),
                output_tokens=int(np.maximum(flagged.output_tokens[mine], 0).sum()),
                first_seen=rfc3339(int(flagged.time_us[mine].min())),
                last_seen=rfc3339(int(flagged.time_us[mine].max())),
                evidence=draft.evidence,
                counter_evidence=draft.counter_evidence,
                capabilities=draft.capabilities,
                techniques=draft.techniques,
                links=draft.links,
                group_ids=draft.group_ids,
                carriers_count=int(draft.sliced.sum()),
                carried_events_count=carried,
                collateral_events_count=sum(carriers.values()) - carried,
            )
        )
    write_lines(staged / "campaigns.jsonl", [asdict(line) for line in lines])


def write_groups(
    staged: Path,
    concluded: Conclusion,
    engine: Engine,
    screened: Screened,
    idents: list[str],
) -> int:
    """Write `groups.jsonl` and `considered.parquet`: what was tested, and the largest of what was not."""
    families, facts = screened.families, screened.facts
    campaign = {f: idents[i] for i, draft in enumerate(concluded.campaigns) for f in draft.families}
    listed = {family: replace(group, campaign_id=campaign.get(family)) for family, group in concluded.groups}
    order = np.lexsort((facts["family"], -facts["accounts"]))
    untested = [at for at in order.tolist() if int(facts["family"][at]) not in listed]
    if len(untested) > GROUPS_SHOWN_MAX:
        engine.saturated["groups_shown_max"] = len(untested)
    for at in untested[:GROUPS_SHOWN_MAX]:
        family = int(facts["family"][at])
        listed[family] = _untested(
            families.name(family), {name: int(facts[name][at]) for name in FACTS}, screened.intent[at]
        )
    groups = sorted(listed.items(), key=lambda item: (-item[1].accounts_count, item[1].group_id))
    write_lines(staged / "groups.jsonl", [asdict(group) for _, group in groups])
    considered = engine.considered({family: families.name(family) for family in listed})
    _write_batches(staged / "considered.parquet", CONSIDERED_SCHEMA, considered)
    return len(groups)


FACTS = ("accounts", "owners", "calls", "items")


def _untested(name: str, facts: dict[str, int], intent: float) -> Group:
    judged = judge_untested(facts["owners"], facts["items"], facts["accounts"], float(intent))
    return Group(
        group_id=name,
        outcome=judged.outcome,
        accounts_count=facts["accounts"],
        organizations_count=facts["owners"],
        events_count=facts["calls"],
        log_e_coordination=0.0,
        p_extraction=1.0,
        q_value=1.0,
        evidence=(),
        counter_evidence=(),
        reason=judged.reason,
        would_change=judged.would_change,
    )
