"""From drawn calls to canonical events: text, identifiers, tokens, outcome; a pure function of each call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab import network
from stillwatch.lab.corpus import with_prompts
from stillwatch.lab.grammar import Rows
from stillwatch.lab.roster import PATHS, hex_text, picked
from stillwatch.lab.streams import Keys, Numbers, mix, normal, unit
from stillwatch.lab.traffic import Ints, Profile, Records, block_key, topic_of
from stillwatch.lab.words.language import language

BYTES_PER_TOKEN = 4.2
HISTORY_TOKENS_PER_TURN = 260
"""About one message of the user and one reply (LMSYS: 70 and 215 tokens)."""
HISTORY_TOKENS_PER_STEP = 650
"""One tool call and its result."""
CACHED_FROM_TOKENS = 1_024

_OWN_COLUMNS = (
    "request_model", "temperature", "top_p", "choice_count", "max_tokens", "logprobs", "stream",
    "reasoning_level", "response_format", "tool_names",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the provider answered. Shapes: [n] each. Units: tokens, milliseconds."""

    input_tokens: Ints
    output_tokens: Ints
    reasoning_tokens: Ints
    cached_tokens: Ints
    refused: npt.NDArray[np.bool_]
    cut: npt.NDArray[np.bool_]
    duration_ms: Numbers


class Renderer:
    """Writes batches of events for one world's accounts and profiles."""

    def __init__(self, roster: Records, profiles: list[Profile], prompts: pa.StringArray | None = None) -> None:
        self._roster, self._prompts = roster, prompts
        self._asked = pa.table(
            {
                "request_model": pa.array([p.model for p in profiles], pa.string()),
                "temperature": pa.array([p.temperature for p in profiles], pa.float64()),
                "top_p": pa.array([p.top_p for p in profiles], pa.float64()),
                "choice_count": pa.array([p.choice_count for p in profiles], pa.int64()),
                "max_tokens": pa.array([p.max_tokens for p in profiles], pa.int64()),
                "logprobs": pa.array([p.logprobs for p in profiles], pa.bool_()),
                "stream": pa.array([p.stream for p in profiles], pa.bool_()),
                "reasoning_level": pa.array([p.reasoning_level for p in profiles], pa.string()),
                "response_format": pa.array([p.response_format for p in profiles], pa.string()),
                "tool_names": pa.array([p.tools or None for p in profiles], pa.list_(pa.string())),
                "response_model": pa.array([f"{p.model}-2026-08" for p in profiles], pa.string()),
            }
        ).combine_chunks()
        self._sizes = np.array([(*p.context, *p.output, p.refusal) for p in profiles])
        self._cap = np.array([p.max_tokens or 1 << 20 for p in profiles], np.int64)
        self._reasons = np.array([p.reasoning_level is not None for p in profiles])
        self._tooled = np.array([bool(p.tools) for p in profiles])

    def write(self, calls: Records, event_keys: Keys) -> pa.RecordBatch:
        """Return the events of these calls, in their order."""
        account = calls["account"]
        held = self._roster[account]
        asked = self._asked.take(pa.array(calls["profile"]))
        system, text = self._system_text(calls, held["key"]), self._user_text(calls, held["key"])
        outcome = self._outcome(calls, event_keys, _bytes(system), _bytes(text))
        good = calls["status"] == 200
        address = self._address(calls, held, event_keys)
        presented, issued = _blocks(calls, event_keys, self._reasons[calls["profile"]] & good)
        agents, prints, _ = network.clients()
        agent, tls = _client(calls, held)
        columns: dict[str, pa.Array] = {
            "event_id": hex_text(event_keys, "evt_"),
            "time": pa.array(calls["time"].astype("M8[us]")),
            "account_id": hex_text(held["key"], "acct_"),
            "organization_id": hex_text(held["org"], "org_", null_zero=True),
            "credential_id": hex_text(calls["credential"], "key_", null_zero=True),
            "end_user_id": hex_text(calls["end_user"], "user_", null_zero=True),
            "session_id": hex_text(calls["session"], "ses_", null_zero=True),
            "access_path": picked(PATHS, np.where(calls["path"] > 0, calls["path"] - 1, held["path"])),
            "client_ip": network.address_text(address),
            "client_asn": pa.array(network.network_of(address)),
            "tls_fingerprint": prints.take(pa.array(tls, mask=agent < 0)),
            "user_agent": agents.take(pa.array(agent, mask=agent < 0)),
            "response_model": asked["response_model"],
            "operation": pa.repeat("chat", len(calls)),
            "system_prompt": system,
            "input_text": text,
            "turn_index": pa.array(calls["turn"]),
            "input_tokens": pa.array(outcome.input_tokens),
            "output_tokens": pa.array(outcome.output_tokens),
            "reasoning_tokens": pa.array(outcome.reasoning_tokens),
            "cached_tokens": pa.array(outcome.cached_tokens),
            "status": pa.array(calls["status"]),
            "finish_reason": self._finish(calls, good, outcome),
            "refused": pa.array(outcome.refused),
            "duration_ms": pa.array(outcome.duration_ms),
            "presented_blocks": presented,
            "issued_blocks": issued,
        }
        columns.update({name: asked[name] for name in _OWN_COLUMNS})
        return pa.RecordBatch.from_arrays(
            [_as_array(columns.get(field.name), field.type, len(calls)) for field in EVENT_SCHEMA],
            schema=EVENT_SCHEMA,
        )

    def _user_text(self, calls: Records, account: Keys) -> pa.StringArray:
        keys = np.stack([calls["draw"], calls["item"], account, calls["author"]])
        root, topic = calls["form"].astype(np.int64), calls["topic"].astype(np.int64)
        texts = language().write(Rows(root, topic, topic_of(account), keys))
        return texts if self._prompts is None else with_prompts(texts, calls, self._prompts)

    def _system_text(self, calls: Records, account: Keys) -> pa.StringArray:
        """Write each system prompt once for the calls that share it: it is the account's, not the call's."""
        fresh = calls["system"] == language().symbol("quickstart_2")
        draw = np.where(fresh, calls["draw"], account)
        same = mix(mix(draw, calls["system"].astype(np.uint64)) ^ account, calls["author"])
        _, first, back = np.unique(same, return_index=True, return_inverse=True)
        chosen = calls[first]
        keys = np.stack([draw[first], draw[first], account[first], chosen["author"]])
        root, topic = chosen["system"].astype(np.int64), topic_of(chosen["author"])
        texts = language().write(Rows(root, topic, topic_of(account[first]), keys))
        return texts.take(pa.array(back))

    def _address(self, calls: Records, held: Records, event_keys: Keys) -> npt.NDArray[np.uint32]:
        """Choose the address of each call: one of the account's own, the same through a conversation."""
        key = np.where(calls["session"] > 0, calls["session"], event_keys)
        wandering = (unit(key, 21) ** 2 * held["span"]).astype(np.uint32)
        away = (held["other_address"] > 0) & (unit(key, 22) < 0.25)
        own = np.where(away, held["other_address"], held["address"] + wandering)
        address: npt.NDArray[np.uint32] = np.where(calls["address"] > 0, calls["address"], own)
        return address

    def _outcome(self, calls: Records, keys: Keys, system_bytes: Ints, text_bytes: Ints) -> _Outcome:
        good = calls["status"] == 200
        context, context_sigma, output, output_sigma, refusal = self._sizes[calls["profile"]].T
        history = calls["turn"] * HISTORY_TOKENS_PER_TURN + calls["step"] * HISTORY_TOKENS_PER_STEP
        session = np.where(calls["session"] > 0, calls["session"], keys)
        brought = context * np.exp(context_sigma * normal(session, 30))
        prefix = system_bytes / BYTES_PER_TOKEN + history + brought
        input_tokens = (prefix + text_bytes / BYTES_PER_TOKEN + 4).astype(np.int64)
        refused = good & (unit(keys, 32) < refusal)
        drawn = output * np.exp(output_sigma * normal(keys, 33))
        drawn = np.where(refused, 20.0 + 40.0 * unit(keys, 35), drawn)
        cap = self._cap[calls["profile"]]
        output_tokens = np.where(good, np.clip(drawn.astype(np.int64), 1, cap), 0)
        reasons = self._reasons[calls["profile"]]
        reasoning = np.where(reasons, output_tokens * (0.3 + 0.6 * unit(keys, 36)), 0).astype(np.int64)
        again = (calls["turn"] > 0) | (calls["step"] > 0)
        cached = np.where(again & (prefix >= CACHED_FROM_TOKENS), prefix // 128 * 128, 0).astype(np.int64)
        pace = 9.0 + 8.0 * unit(keys, 37)
        duration: Numbers = np.where(
            good, 300.0 + 250.0 * unit(keys, 38) + output_tokens * pace, 20.0 + 60.0 * unit(keys, 39)
        )
        return _Outcome(
            input_tokens,
            output_tokens,
            reasoning,
            cached,
            refused,
            good & (drawn >= cap),
            duration.round(1),
        )

    def _finish(self, calls: Records, good: npt.NDArray[np.bool_], outcome: _Outcome) -> pa.StringArray:
        tooled = self._tooled[calls["profile"]] & (unit(mix(calls["draw"], calls["step"].astype(np.uint64)), 40) < 0.7)
        which = np.where(~good, -1, np.where(outcome.refused, 2, np.where(outcome.cut, 1, np.where(tooled, 3, 0))))
        return picked(("stop", "length", "content_filter", "tool_calls"), which)


def _client(calls: Records, held: Records) -> tuple[Ints, Ints]:
    """Return the user agent and the TLS fingerprint of each call: the account's own, or the one that the call names."""
    named = calls["agent"] > 0
    tls: Ints = np.where(named, (calls["agent"] - 1) * network.FINGERPRINTS_EACH, held["tls"]).astype(np.int64)
    agent: Ints = np.where(calls["agent"] == 0, held["agent"], calls["agent"] - named).astype(np.int64)
    return agent, tls


def _bytes(texts: pa.StringArray) -> Ints:
    lengths: Ints = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _blocks(calls: Records, keys: Keys, reasons: npt.NDArray[np.bool_]) -> tuple[pa.ListArray, pa.ListArray]:
    """Return the opaque reasoning blocks: each turn issues one, the conversation's later calls present it.

    A call that brings a block from elsewhere presents that one instead.
    """
    session = np.where(calls["session"] > 0, calls["session"], keys)
    turn, step, brought = calls["turn"].astype(np.int64), calls["step"], calls["block"]
    issues = reasons & (step == 0)
    presents = (reasons & ((step > 0) | (turn > 0))) | (brought > 0)
    before = np.where(step > 0, turn, turn - 1)
    presented = np.where(brought > 0, brought, block_key(session, before))
    return _lists(presents, presented), _lists(issues, block_key(session, turn))


def _lists(some: npt.NDArray[np.bool_], values: Keys) -> pa.ListArray:
    """Return a list of one digest where `some`, else null."""
    offsets = np.zeros(len(some) + 1, np.int32)
    np.cumsum(some, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), hex_text(values[some], "blk_"), mask=pa.array(~some))


def _as_array(column: pa.Array | pa.ChunkedArray | None, kind: pa.DataType, rows: int) -> pa.Array:
    if column is None:
        return pa.nulls(rows, kind)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column if column.type == kind else column.cast(kind)
