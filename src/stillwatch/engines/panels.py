"""One family's rows → the panel that signals look at: its core calls, its accounts, what they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.digests.statements import ACCOUNT_FACT_COLUMNS, IDENTITY_KINDS
from stillwatch.engines.blocks import Blocks
from stillwatch.engines.shingles import shingle_rows
from stillwatch.kernels.fill import core_hits, core_shingles, item_keys
from stillwatch.signals.contract import AccountFacts, Calls, Panel, Population, SharedValues

EVENT_COLUMNS = (
    "event_key", "account_key", "organization_key", "model_key", "time_us", "family", "output_tokens", "source",
)  # fmt: skip

PANEL_COLUMNS = (
    "account_key",
    "time_us",
    "item_key",
    "topic",
    "model_key",
    "phrases",
    "turn_index",
    "choice_count",
    "max_tokens",
    "output_tokens",
    "flags",
    "session_key",
    "end_user_key",
    "path_key",
    "agent_key",
    "tls_key",
    "tools_key",
    "status",
    "input_tokens",
    "words",
    "issuer_key",
    "taker_key",
    "shingles",
)


@dataclass(frozen=True, slots=True)
class Core:
    """What most calls of a family carry. Who shares but a phrase with them is no part of the family.

    Shapes:  shingle uint32[c] ascending; a call must carry `hits_needed` of them.
    """

    shingle: np.ndarray
    hits_needed: int

    @staticmethod
    def kept_of(rows: pa.RecordBatch) -> tuple[Core, pa.RecordBatch]:
        """Return the core of a family's calls (their column `shingles`), and the calls that carry it."""
        shingle, hits, needed = core_shingles(shingle_rows(rows))
        return Core(shingle, needed), rows.filter(pa.array(hits >= needed))

    def hits(self, rows: pa.RecordBatch | pa.Table) -> np.ndarray:
        """Return how many of the core's shingles each call carries: int64[n]."""
        return np.asarray(core_hits(shingle_rows(rows), self.shingle))

    def keep(self, rows: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
        """Return the calls that carry the core."""
        return rows.filter(pa.array(self.hits(rows) >= self.hits_needed))

    def closeness(self, rows: pa.Table) -> pa.Table:
        """Return EVENT_COLUMNS of the calls that carry the core, and how much of it each carries (`hits`)."""
        kept = self.keep(rows)
        return kept.select(EVENT_COLUMNS).append_column("hits", pa.array(self.hits(kept), pa.int16()))


def closest(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each call once, under the family of which it has the most `hits`; of equals, the smaller family's.

    Shapes:  columns of EVENT_COLUMNS and `hits`, a row for each call of each family → EVENT_COLUMNS, ordered by event.
    """
    if not rows:
        return {name: np.zeros(0, dtype=np.int64) for name in EVENT_COLUMNS}
    size = np.bincount(rows["family"])[rows["family"]]
    order = np.lexsort((rows["family"], size, -rows["hits"], rows["event_key"]))
    event = rows["event_key"][order]
    order = order[np.concatenate([[True], event[1:] != event[:-1]])[: len(order)]]
    return {name: rows[name][order] for name in EVENT_COLUMNS}


@dataclass(frozen=True, slots=True)
class FamilyRows:
    """A family as the digests give it: calls of PANEL_COLUMNS by account and time, of a share (`kept`) of its items;
    its accounts' facts by account (account_key, calls, organization_key, created_us, ACCOUNT_FACT_COLUMNS); the values
    they share (kind, value, degree, account_key).
    """

    name: str
    calls: pa.RecordBatch
    kept: float
    members: dict[str, np.ndarray]
    held: dict[str, np.ndarray]


def build_panel(rows: FamilyRows, population: Population, blocks: Blocks, available: frozenset[str]) -> Panel:
    """Return the panel of one family; accounts without a core call are not in it."""
    column = {name: rows.calls[name].to_numpy() for name in PANEL_COLUMNS if name != "shingles"}
    begins = np.ones(len(column["account_key"]), dtype=bool)
    begins[1:] = column["account_key"][1:] != column["account_key"][:-1]
    accounts, account = column["account_key"][begins], np.cumsum(begins) - 1
    place = np.searchsorted(rows.members["account_key"], accounts)
    tested = blocks.tested(column["time_us"]).astype(bool)
    newest = np.ascontiguousarray(shingle_rows(rows.calls)[:, trace.INPUT_PLACES])
    fact = {name: rows.members[name][place].astype(np.int64) for name in ACCOUNT_FACT_COLUMNS}
    calls = Calls(
        account=account,
        time_us=column["time_us"],
        tested=tested,
        item=item_keys(column["item_key"], newest, account, ~tested),
        topic=column["topic"],
        model=column["model_key"],
        phrases=column["phrases"],
        turn_index=column["turn_index"].astype(np.int64),
        choice_count=column["choice_count"].astype(np.int64),
        max_tokens=column["max_tokens"].astype(np.int64),
        output_tokens=np.maximum(column["output_tokens"], 0).astype(np.int64),
        flags=column["flags"],
        session=column["session_key"],
        end_user=column["end_user_key"],
        path=column["path_key"],
        agent=column["agent_key"],
        tls=column["tls_key"],
        tools=column["tools_key"],
        status=column["status"].astype(np.int64),
        input_tokens=column["input_tokens"].astype(np.int64),
        words=column["words"].astype(np.int64),
        issuer=column["issuer_key"],
        taker=column["taker_key"],
    )
    return Panel(
        group_id=rows.name,
        accounts=accounts,
        organizations=rows.members["organization_key"][place].astype(np.uint64),
        account_calls=rows.members["calls"][place].astype(np.int64),
        created_us=rows.members["created_us"][place].astype(np.int64),
        facts=AccountFacts(
            **{**fact, "banned": fact["banned"].astype(bool), "reseller": fact["reseller"].astype(bool)}
        ),
        calls=calls,
        shared=_shared_values(rows.held, accounts),
        population=population,
        available=available,
        kept=rows.kept,
    )


def _shared_values(held: dict[str, np.ndarray], accounts: np.ndarray) -> tuple[SharedValues, ...]:
    shared = []
    place = np.minimum(np.searchsorted(accounts, held["account_key"]), len(accounts) - 1)
    inside = accounts[place] == held["account_key"]
    for number, kind in enumerate(IDENTITY_KINDS):
        of_kind = (held["kind"] == number) & inside
        if of_kind.any():
            value, first, index = np.unique(held["value"][of_kind], return_index=True, return_inverse=True)
            holder = place[of_kind]
            degree = held["degree"][of_kind][first]
            shared.append(SharedValues(kind, value.astype(np.uint64), degree, index.astype(np.int64), holder))
    return tuple(shared)
