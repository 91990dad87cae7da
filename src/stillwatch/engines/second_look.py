"""The second look: read the flagged calls again for their ids, and show their texts to the observer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaign.conclusion import Conclusion
from stillwatch.engines import output
from stillwatch.engines.contract import Observer, RunRequest
from stillwatch.engines.embedded import Embedded
from stillwatch.engines.output import Flagged
from stillwatch.engines.reading import ReadFacts, flagged_batches
from stillwatch.errors import Error
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys


def look_again(
    engine: Embedded,
    concluded: Conclusion,
    read: ReadFacts,
    request: RunRequest,
    staged: Path,
    observer: Observer | None,
) -> tuple[list[str], int]:
    """Write the campaigns, their accounts, calls and hours; return the campaigns' ids and the number of calls."""
    flagged = flagged_calls(engine, concluded)
    drafts = concluded.campaigns
    idents = [campaign_ident(draft.accounts[draft.named]) for draft in drafts]
    names: dict[int, str] = {}
    met = np.zeros(len(flagged.event), dtype=bool)
    found = staged / output.WORK / "found.parquet"
    with pq.ParquetWriter(found, output.EXCHANGE_SCHEMA) as writer:
        for batch, rows, at in _matches(flagged, met, read, request):
            keys, first = np.unique(flagged.account[at], return_index=True)
            names.update(zip(keys.tolist(), batch["account_id"].take(pa.array(rows[first])).to_pylist(), strict=True))
            kept = flagged.named[at]
            campaign = pa.array([idents[d] for d in flagged.draft[at[kept]]], pa.string())
            taken = batch.take(pa.array(rows[kept]))
            columns = [taken["event_id"], taken["account_id"], campaign]
            writer.write_batch(pa.record_batch(columns, schema=output.EXCHANGE_SCHEMA))
            if observer and len(campaign):
                observer.add(taken, campaign.to_pylist())
    _all_found(met)
    output.write_exchanges(staged, engine.sorted_exchanges(found))
    output.write_accounts(staged, flagged, drafts, idents, names, engine)
    output.write_activity(staged, flagged, concluded, idents, names)
    output.write_campaigns(staged, flagged, drafts, idents)
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


def flagged_calls(engine: Embedded, concluded: Conclusion) -> Flagged:
    """Return the calls of the campaigns' families by accounts that are named or under watch."""
    drafts = concluded.campaigns
    rows = engine.event_rows([family for draft in drafts for family in draft.families])
    of_family = {family: index for index, draft in enumerate(drafts) for family in draft.families}
    draft = np.array([of_family[int(family)] for family in rows["family"]], dtype=np.int64)
    keep = np.zeros(len(draft), dtype=bool)
    named = np.zeros(len(draft), dtype=bool)
    for index, one in enumerate(drafts):
        mine = np.flatnonzero(draft == index)
        place = np.searchsorted(one.accounts, rows["account_key"][mine])
        place = np.minimum(place, len(one.accounts) - 1)
        inside = one.accounts[place] == rows["account_key"][mine]
        keep[mine] = inside
        named[mine] = inside & one.named[place]
    # A call that carries two families of its campaign is one call; a named account's claim goes first.
    order = np.lexsort((rows["family"], draft, ~named, rows["event_key"]))
    order = order[keep[order]]
    event = rows["event_key"][order]
    order = order[np.concatenate([[True], event[1:] != event[:-1]])] if len(order) else order
    return Flagged(
        rows["event_key"][order],
        rows["account_key"][order],
        rows["time_us"][order],
        rows["family"][order],
        rows["output_tokens"][order],
        rows["source"][order],
        draft[order],
        named[order],
    )


def _matches(
    flagged: Flagged, met: np.ndarray, read: ReadFacts, request: RunRequest
) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Yield (batch, its flagged rows, their places in `flagged`), each flagged call once, and mark it in `met`."""
    keys = TraceKeys.derive(request.key).identifiers
    sources = frozenset(int(source) for source in np.unique(flagged.source))
    if not len(flagged.event):
        return
    for batch in flagged_batches(read, sources, request):
        event = pseudonyms(batch["event_id"], keys)
        place = np.minimum(np.searchsorted(flagged.event, event), len(flagged.event) - 1)
        same = (flagged.event[place] == event) & (flagged.time_us[place] == batch["time"].cast(pa.int64()).to_numpy())
        rows = np.flatnonzero(same)
        rows = rows[pseudonyms(batch["account_id"].take(pa.array(rows)), keys) == flagged.account[place[rows]]]
        # Repeats of one call, in this batch or an earlier one, are looked at once.
        first = np.unique(place[rows], return_index=True)[1]
        rows = rows[np.sort(first)]
        rows = rows[~met[place[rows]]]
        met[place[rows]] = True
        if len(rows):
            yield batch, rows, place[rows]
