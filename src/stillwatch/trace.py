"""The text-free row that detection works on: keyed hashes and integers, one row for each call.

A trace holds no text, no identifier and no word: a column that ends in `_key` is a keyed 64-bit
pseudonym (0 stands for absent), `shingles` are 32 bits of the keyed hashes of word shingles.
"""

from __future__ import annotations

import pyarrow as pa

TRACE_VERSION = 2

SYSTEM_SHINGLES = 8
INPUT_SHINGLES = 24
MARKERS = 4
SHINGLES = SYSTEM_SHINGLES + INPUT_SHINGLES + MARKERS
"""How many shingles of the system text and of the user text a trace keeps, and how many names that the prompt fixes
for its answer (`kernels.markers`), in this order, each smallest hash first.

Two calls with one template keep the same template shingles, whatever fills the slots. Eight find a system prompt of
any length; twenty-four find a run of template words that is a twelfth of a long text. Four names tell one output
schema from another. Where a run embeds its texts (`kernels.semantic`), two codes of the user text take the places of
the last two names, so that a trace is as wide as without."""

INPUT_PLACES = slice(SYSTEM_SHINGLES, SYSTEM_SHINGLES + INPUT_SHINGLES)
"""Where in `shingles` those of the user text stand."""

KEY_COLUMNS = {
    "event_key": "event_id",
    "account_key": "account_id",
    "organization_key": "organization_id",
    "credential_key": "credential_id",
    "end_user_key": "end_user_id",
    "session_key": "session_id",
    "path_key": "access_path",
    "ip_key": "client_ip",
    "tls_key": "tls_fingerprint",
    "agent_key": "user_agent",
    "model_key": "request_model",
}
"""Trace column ← the event column whose pseudonym it is."""

COUNT_COLUMNS = {
    "turn_index": "turn_index",
    "choice_count": "choice_count",
    "max_tokens": "max_tokens",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "status": "status",
}
"""Trace column ← the event column; int32, -1 where absent."""

PHRASE_CLASSES = (
    "reasoning-verbatim",
    "reasoning-reconstruction",
    "stepwise",
    "reasoning-language",
    "cover-wording",
    "rubric-grading",
    "answer-judging",
    "synthetic-data",
    "trajectory",
    "trace-cleaning",
    "preference-data",
)
"""What bit c of `phrases` stands for; `kernels.intent` says which words set it."""

SIGNS = ("refused", "replayed")
"""What else is counted of a family's calls before it is chosen: the model or a filter declined; the call presented a
reasoning block that another owner was issued, or was issued one that another owner presented."""

WITNESSES = 8
"""Smallest event hashes kept of each shared shingle. Two shingles whose sets of calls have Jaccard index J agree on
each with probability J (min-wise hashing, Broder 1997)."""

FLAG_LOGPROBS = 1
FLAG_JSON = 2
FLAG_REFUSED = 4
FLAG_TOOLS = 8
FLAG_SYSTEM = 16
FLAG_TEXT_CUT = 32
LOSS_FLAGS = {"sampled": 64, "truncated": 128, "masked": 256}
FLAG_PRESENTS = 512
FLAG_ISSUES = 1024
"""Which flag says that a loss (`event.LOSSES`) befell the row: counted after repeats are gone."""

TRACE_SCHEMA = pa.schema(
    [pa.field(name, pa.uint64(), nullable=False) for name in KEY_COLUMNS]
    + [
        pa.field("tools_key", pa.uint64(), nullable=False),
        pa.field("asn", pa.int64(), nullable=False),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("item_key", pa.uint64(), nullable=False),
        pa.field("topic", pa.uint64(), nullable=False),
        pa.field("phrases", pa.uint32(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
    ]
    + [pa.field(name, pa.int32(), nullable=False) for name in COUNT_COLUMNS]
    + [
        pa.field("temperature_milli", pa.int32(), nullable=False),
        pa.field("weight_milli", pa.int32(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("source", pa.int32(), nullable=False),
        pa.field("shingles", pa.list_(pa.uint32(), SHINGLES), nullable=False),
    ]
)
"""tools_key: pseudonym of the names of the tools offered, in their order. item_key: digest of the user text, numbers
and all, and of the reasoning blocks presented with it. topic: a bit for each bucket that a content word fell into.
phrases: classes of `kernels.intent`. source: the position of the file in this run, used only to look at flagged calls
again; it reaches no digest."""

CONTENT_ORDER = (*(name for name in TRACE_SCHEMA.names if name not in ("source", "event_key")), "source")
"""By these, in this order, one of several rows with the same event id is chosen."""

BLOCK_SCHEMA = pa.schema(
    [
        pa.field("block_key", pa.uint64(), nullable=False),
        pa.field("event_key", pa.uint64(), nullable=False),
        pa.field("account_key", pa.uint64(), nullable=False),
        pa.field("presented", pa.uint8(), nullable=False),
    ]
)
"""A row for each opaque reasoning block that a call presented (1) or that its reply issued (0)."""
