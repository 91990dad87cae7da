"""The second look: read the flagged calls again for their ids, and show their texts to the observer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaign.conclusion import NO_DRAFT, Conclusion, Draft
from stillwatch.engines import output
from stillwatch.engines.contract import Engine, Observer, Read
from stillwatch.engines.output import Flagged
from stillwatch.errors import Error
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys


def look_again(
    engine: Engine,
    flagged: Flagged,
    concluded: Conclusion,
    read: Read,
    staged: Path,
    observer: Observer | None,
) -> tuple[list[str], int]:
    """Write the campaigns, their accounts, calls and hours; return the campaigns' ids and the number of calls."""
    drafts = concluded.campaigns
    idents = [campaign_ident(draft.accounts[draft.taking_part]) for draft in drafts]
    names: dict[int, str] = {}
    met = np.zeros(len(flagged.event), dtype=bool)
    found = staged / output.WORK / "found.parquet"
    with pq.ParquetWriter(found, output.EXCHANGE_SCHEMA) as writer:
        for batch, rows, at in _matches(engine, flagged, met, read):
            keys, first = np.unique(flagged.account[at], return_index=True)
            names.update(zip(keys.tolist(), batch["account_id"].take(pa.array(rows[first])).to_pylist(), strict=True))
            kept = flagged.listed[at]
            campaign = pa.array([idents[d] for d in flagged.draft[at[kept]]], pa.string())
            taken = batch.take(pa.array(rows[kept]))
            columns = [taken["event_id"], taken["account_id"], campaign]
            writer.write_batch(pa.record_batch(columns, schema=output.EXCHANGE_SCHEMA))
            if observer and read.has_text and len(campaign):
                observer.add(taken, campaign.to_pylist())
    _all_found(met)
    output.write_exchanges(staged, engine.sorted_exchanges(found))
    output.write_accounts(staged, flagged, drafts, idents, names, engine)
    output.write_activity(staged, flagged, concluded, idents, names)
    output.write_campaigns(staged, flagged, drafts, idents, engine)
    return idents, len(flagged.event)


def _all_found(met: np.ndarray) -> None:
    if not met.all():
        raise Error(
            "log-changed",
            f"{int((~met).sum())} of {len(met)} flagged calls were not found when the log was read again",
            hint="run on files that nobody writes to or moves",
        )


def campaign_ident(accounts: np.ndarray) -> str:
    """Return a campaign's id: a digest of the sorted pseudonyms of its members (uint64[K] ascending)."""
    return "c-" + hashlib.blake2b(accounts.astype("<u8").tobytes(), digest_size=8).hexdigest()


def flagged_calls(calls: dict[str, np.ndarray], concluded: Conclusion) -> Flagged:
    """Return the calls (FamilyCalls.closest) that belong to campaigns, with what becomes of their accounts."""
    draft = drafts_of(calls, concluded)
    kept = draft != NO_DRAFT
    calls, draft = {name: column[kept] for name, column in calls.items()}, draft[kept]
    named, sliced = part_of(calls, draft, concluded.campaigns)
    columns = {name: calls[f"{name}_key"] for name in ("event", "account")}
    columns |= {name: calls[name] for name in ("time_us", "family", "output_tokens", "source")}
    return Flagged(**columns, draft=draft, named=named, sliced=sliced)


def drafts_of(calls: dict[str, np.ndarray], concluded: Conclusion) -> np.ndarray:
    """Return the campaign that each call belongs to: int64[n]."""
    claims = concluded.claims
    draft = np.zeros(len(calls["event_key"]), dtype=np.int64)
    for family in np.unique(claims.family):
        mine, claim = np.flatnonzero(calls["family"] == family), np.flatnonzero(claims.family == family)
        place = np.searchsorted(claims.account[claim], calls["account_key"][mine])
        draft[mine] = concluded.draft_of_claim[claim[place]]
    return draft


def part_of(
    calls: dict[str, np.ndarray], draft: np.ndarray, campaigns: Sequence[Draft]
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each call's account is named in its campaign, and whether it carries a slice: bool[n] twice."""
    named, sliced = (np.zeros(len(draft), dtype=bool) for _ in range(2))
    for index, one in enumerate(campaigns):
        mine = np.flatnonzero(draft == index)
        place = np.searchsorted(one.accounts, calls["account_key"][mine])
        named[mine], sliced[mine] = one.named[place], one.sliced[place]
    return named, sliced


def _matches(
    engine: Engine, flagged: Flagged, met: np.ndarray, read: Read
) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Yield (batch, its flagged rows, their places in `flagged`), each flagged call once, and mark it in `met`."""
    keys = TraceKeys.derive(read.request.key).identifiers
    if not len(flagged.event):
        return
    moments = np.unique(flagged.time_us)
    for batch in engine.flagged_events(read, flagged):
        time_us = batch["time"].cast(pa.int64()).to_numpy()
        moment = np.minimum(np.searchsorted(moments, time_us), len(moments) - 1)
        rows = np.flatnonzero(moments[moment] == time_us)
        event = pseudonyms(batch["event_id"].take(pa.array(rows)), keys)
        place = np.minimum(np.searchsorted(flagged.event, event), len(flagged.event) - 1)
        same = (flagged.event[place] == event) & (flagged.time_us[place] == time_us[rows])
        rows, place = rows[same], place[same]
        same = pseudonyms(batch["account_id"].take(pa.array(rows)), keys) == flagged.account[place]
        rows, place = rows[same], place[same]
        # Repeats of one call, in this batch or an earlier one, are looked at once.
        first = np.sort(np.unique(place, return_index=True)[1])
        first = first[~met[place[first]]]
        rows, place = rows[first], place[first]
        met[place] = True
        if len(rows):
            yield batch, rows, place
