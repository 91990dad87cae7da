"""Account facts → pseudonyms, times and small codes, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import event
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.tracer import TraceKeys

KEY_COLUMNS = {
    "account_key": "account_id",
    "organization_key": "organization_id",
    "email_domain": "email_domain",
    "email_digest": "email_digest",
    "phone_digest": "phone_digest",
    "payment_digest": "payment_digest",
    "signup_ip": "signup_ip",
    "signup_tls_fingerprint": "signup_tls_fingerprint",
}
"""Column of the digests ← the account column whose pseudonym it is."""

CODES = {
    "programme": ("education", "startup", "security", "nonprofit", "research"),
    "declared_use": (
        "coding", "support", "research", "education", "content", "data", "product", "personal", "evaluation",
    ),
    "plan": ("free", "trial", "plus", "pro", "max", "team", "payg", "scale", "api", "enterprise"),
    "verification": ("none", "email", "phone", "payment", "identity"),
}  # fmt: skip
"""Words by which a provider's own text is known: its code is the place of the first that it contains, from 1 on; 0 is
unknown. A signal that reads a code says what each means to it."""

ACCOUNT_ROWS_SCHEMA = pa.schema(
    [pa.field(name, pa.uint64()) for name in KEY_COLUMNS]
    + [pa.field("created_us", pa.int64()), pa.field("closed_us", pa.int64())]
    + [pa.field(name, pa.int8()) for name in (*CODES, "banned", "reseller", "facts")]
)
"""facts: how many columns of the account's row are filled."""


def write_account_rows(batches: Iterable[pa.RecordBatch], path: Path, secret: bytes) -> set[str]:
    """Write account facts as pseudonyms, times (microseconds, -1 unknown) and codes; return the columns that any fills.

    An account may have several rows here; `digests.statements.ACCOUNT_ROWS` takes one of them.
    """
    keys = TraceKeys.derive(secret)
    filled: set[str] = set()
    with pq.ParquetWriter(path, ACCOUNT_ROWS_SCHEMA, compression="lz4", use_dictionary=False) as writer:
        for batch in batches:
            filled |= {name for name in batch.schema.names if batch[name].null_count < batch.num_rows}
            writer.write_batch(_account_rows(batch, keys))
    return filled


def best_rows(rows: pa.Table) -> pa.Table:
    """Return one row of each account, by account: the one that `digests.statements.ACCOUNT_ROWS` takes.

    Taking the best of some and then the best of those and others comes to the same, so a store keeps only these.
    """
    ranked = [rows[name].to_numpy() for name in ACCOUNT_ROWS_SCHEMA.names if name not in ("account_key", "facts")]
    account = rows["account_key"].to_numpy()
    # Bitwise not turns an order round, for signed and unsigned numbers alike.
    order = np.lexsort([*(~column for column in reversed(ranked)), ~rows["facts"].to_numpy(), account])
    account = account[order]
    first = np.concatenate([[True], account[1:] != account[:-1]])[: len(account)]
    return rows.take(pa.array(order[first])).combine_chunks()


def programme_tenths(found: dict[str, np.ndarray]) -> np.ndarray:
    """Return the rows of `statements.PROGRAMME_TENTHS` as int64[codes, 10], 0 for under ten accounts."""
    tenths = np.zeros((len(CODES["programme"]) + 1, 10), dtype=np.int64)
    tenths[found["programme"].astype(np.int64), found["tenth"].astype(np.int64) - 1] = found["calls"]
    tenths[tenths[:, -1] == 0] = 0
    return tenths


def _account_rows(batch: pa.RecordBatch, keys: TraceKeys) -> pa.RecordBatch:
    columns = {name: pa.array(pseudonyms(batch[origin], keys.identifiers)) for name, origin in KEY_COLUMNS.items()}
    for name, origin in (("created_us", "created_at"), ("closed_us", "closed_at")):
        columns[name] = pc.fill_null(batch[origin].cast(pa.int64()), -1)
    for name, words in CODES.items():
        columns[name] = _code(batch[name], words)
    columns["banned"] = _flag(pc.match_substring(batch["closed_reason"], "ban", ignore_case=True))
    columns["reseller"] = _flag(batch["is_reseller"])
    facts = sum(np.asarray(pc.is_valid(batch[name])).astype(np.int8) for name in event.ACCOUNT_SCHEMA.names)
    columns["facts"] = pa.array(facts, pa.int8())
    return pa.RecordBatch.from_arrays([columns[name] for name in ACCOUNT_ROWS_SCHEMA.names], schema=ACCOUNT_ROWS_SCHEMA)


def _code(column: pa.Array, words: tuple[str, ...]) -> pa.Array:
    code = np.zeros(len(column), dtype=np.int8)
    for at in range(len(words), 0, -1):
        holds = pc.fill_null(pc.match_substring(column, words[at - 1], ignore_case=True), False)
        code[holds.to_numpy(zero_copy_only=False)] = at
    return pa.array(code)


def _flag(column: pa.Array) -> pa.Array:
    return pc.fill_null(column, False).cast(pa.int8())
