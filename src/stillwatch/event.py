"""The canonical event and account: names, types, units. Everything that reads or writes them asks here.

Names follow the OpenTelemetry GenAI conventions where these have one.
"""

from __future__ import annotations

import pyarrow as pa

EVENT_VERSION = 1

TIME = pa.timestamp("us", tz="UTC")

EVENT_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("time", TIME, nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("organization_id", pa.string()),
        pa.field("credential_id", pa.string()),
        pa.field("end_user_id", pa.string()),
        pa.field("session_id", pa.string()),
        pa.field("access_path", pa.string()),
        pa.field("client_ip", pa.string()),
        pa.field("client_asn", pa.int64()),
        pa.field("tls_fingerprint", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("request_model", pa.string(), nullable=False),
        pa.field("response_model", pa.string()),
        pa.field("operation", pa.string()),
        pa.field("system_prompt", pa.string()),
        pa.field("input_text", pa.string()),
        pa.field("turn_index", pa.int32()),
        pa.field("tool_names", pa.list_(pa.string())),
        pa.field("response_format", pa.string()),
        pa.field("temperature", pa.float64()),
        pa.field("top_p", pa.float64()),
        pa.field("choice_count", pa.int64()),
        pa.field("max_tokens", pa.int64()),
        pa.field("logprobs", pa.bool_()),
        pa.field("stream", pa.bool_()),
        pa.field("reasoning_level", pa.string()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cached_tokens", pa.int64()),
        pa.field("status", pa.int32()),
        pa.field("finish_reason", pa.string()),
        pa.field("refused", pa.bool_()),
        pa.field("duration_ms", pa.float64()),
        pa.field("presented_blocks", pa.list_(pa.string())),
        pa.field("issued_blocks", pa.list_(pa.string())),
        pa.field("sampled_weight", pa.float64()),
        pa.field("losses", pa.list_(pa.string())),
    ]
)
"""One row, one model call. `losses` names what the log's writer took away from this row (`LOSSES`)."""

EVENT_REQUIRED = ("event_id", "time", "account_id", "request_model")

LOSSES = ("sampled", "truncated", "masked")
"""sampled: other rows were dropped; truncated: a text was cut; masked: an identifier was blurred."""

ACCOUNT_SCHEMA = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("organization_id", pa.string()),
        pa.field("created_at", TIME),
        pa.field("closed_at", TIME),
        pa.field("closed_reason", pa.string()),
        pa.field("email_domain", pa.string()),
        pa.field("email_digest", pa.string()),
        pa.field("phone_digest", pa.string()),
        pa.field("payment_digest", pa.string()),
        pa.field("signup_ip", pa.string()),
        pa.field("signup_tls_fingerprint", pa.string()),
        pa.field("programme", pa.string()),
        pa.field("verification", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("declared_use", pa.string()),
        pa.field("is_reseller", pa.bool_()),
    ]
)
"""One row, one account."""

TIME_MIN_S = 1_577_836_800
"""2020-01-01T00:00:00Z: no provider had a public chat-model API to log before."""

TIME_MAX_S = 4_102_444_800
"""2100-01-01T00:00:00Z: epoch milliseconds or .NET ticks taken for seconds fall far beyond."""
