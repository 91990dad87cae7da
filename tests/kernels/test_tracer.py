from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from stillwatch import trace
from stillwatch.event import EVENT_SCHEMA, LOSSES
from stillwatch.kernels.sketch import TEXT_BYTES_MAX
from stillwatch.kernels.tracer import TraceKeys, block_rows, trace_batch
from tests.naive import markers, pseudonyms, sketch

KEYS = TraceKeys.derive(b"a secret of a test")
TIME = dt.datetime(2026, 11, 2, 8, 30, tzinfo=dt.UTC)
FULL = {
    "event_id": "e-1", "time": TIME, "account_id": "acct-1", "request_model": "m", "client_asn": 64500,
    "system_prompt": "You grade answers by a rubric, with `score`.", "input_text": "Grade answer 17 by the rubric.",
    "turn_index": 2, "choice_count": 4, "max_tokens": 2**40, "temperature": 0.7, "logprobs": True,
    "response_format": "json_schema", "tool_names": ["search", "read"], "presented_blocks": ["b-1", "b-2"],
    "refused": True, "sampled_weight": 2.5,
}  # fmt: skip
BARE = {"event_id": "e-2", "time": TIME, "account_id": "acct-2", "request_model": "m"}


def traced(*events: dict) -> list[dict]:
    batch = pa.RecordBatch.from_pylist(list(events), schema=EVENT_SCHEMA)
    found = trace_batch(batch, KEYS, source=3)
    assert found.schema.equals(trace.TRACE_SCHEMA)
    return found.to_pylist()


def test_a_call_leaves_its_keys_its_counts_and_its_sketch() -> None:
    (row,) = traced(FULL)
    system, newest = (sketch.tokenise(FULL[name].encode()) for name in ("system_prompt", "input_text"))
    seed = KEYS.shingles.first
    key = KEYS.identifiers
    assert row["account_key"] == pseudonyms.pseudonym("acct-1", key.first, key.second)
    assert row["organization_key"] == 0
    blocks = sum(sketch.mix(pseudonyms.pseudonym(name, key.first, key.second)) for name in ("b-1", "b-2")) % 2**64
    assert row["item_key"] == sketch.mix(sketch.mix(sketch.digest(newest) ^ seed) ^ blocks)
    assert row["shingles"] == [
        *sketch.winnow(system, seed, trace.SYSTEM_SHINGLES),
        *sketch.winnow(newest, seed, trace.INPUT_SHINGLES),
        *markers.markers([FULL["system_prompt"].encode(), FULL["input_text"].encode()], seed, trace.MARKERS),
    ]
    assert row["topic"] == sketch.topic_bits(newest, seed)
    assert row["phrases"] == sketch.phrase_bits(system) | sketch.phrase_bits(newest)
    assert row["words"] == len(system) + len(newest)
    assert (row["turn_index"], row["choice_count"], row["temperature_milli"]) == (2, 4, 700)
    assert (row["weight_milli"], row["asn"], row["source"]) == (2500, 64500, 3)
    assert row["max_tokens"] == np.iinfo(np.int32).max
    assert row["time_us"] == int(TIME.timestamp() * 1e6)
    everything = trace.FLAG_LOGPROBS | trace.FLAG_JSON | trace.FLAG_REFUSED | trace.FLAG_TOOLS | trace.FLAG_SYSTEM
    assert row["flags"] == everything | trace.FLAG_PRESENTS
    assert row["tools_key"] == pseudonyms.pseudonym("search\nread", key.first, key.second)


def test_what_a_log_does_not_say_is_absent_and_not_zero() -> None:
    (row,) = traced(BARE)
    assert (row["item_key"], row["topic"], row["phrases"], row["words"], row["flags"]) == (0, 0, 0, 0, 0)
    assert set(row["shingles"]) == {0}
    assert {row[name] for name in trace.COUNT_COLUMNS} == {-1}
    assert (row["temperature_milli"], row["weight_milli"]) == (-1, 1000)


def test_each_block_that_a_call_presented_or_was_issued_is_a_row() -> None:
    events = [{**FULL, "issued_blocks": ["b-3"]}, BARE]
    batch = pa.RecordBatch.from_pylist(events, schema=EVENT_SCHEMA)
    traces = trace_batch(batch, KEYS, source=3)
    found = block_rows(batch, traces, KEYS).to_pylist()
    key = KEYS.identifiers
    assert [(row["block_key"], row["presented"]) for row in found] == [
        (pseudonyms.pseudonym(name, key.first, key.second), presented)
        for name, presented in (("b-3", 0), ("b-1", 1), ("b-2", 1))
    ]
    assert {row["event_key"] for row in found} == {traces["event_key"][0].as_py()}


def test_a_text_that_was_cut_is_flagged() -> None:
    (row,) = traced({**BARE, "input_text": "x " * TEXT_BYTES_MAX})
    assert row["flags"] & trace.FLAG_TEXT_CUT


def test_rows_do_not_depend_on_the_batch_they_came_in() -> None:
    assert traced(FULL, BARE) == traced(FULL) + traced(BARE)


def test_a_trace_holds_no_text() -> None:
    assert not [field for field in trace.TRACE_SCHEMA if pa.types.is_string(field.type)]


def test_every_loss_that_an_event_can_have_is_counted_by_a_flag_of_its_own() -> None:
    assert tuple(trace.LOSS_FLAGS) == LOSSES
    flags = [row["flags"] for row in traced(BARE, {**BARE, "losses": ["masked", "sampled"]}, {**BARE, "losses": []})]
    assert flags == [0, trace.LOSS_FLAGS["masked"] | trace.LOSS_FLAGS["sampled"], 0]
