"""One batch of events → one batch of traces. The only place where a prompt is looked at for detection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch import trace
from stillwatch.kernels.intent import role_table
from stillwatch.kernels.markers import NO_NAME, join_markers, markers
from stillwatch.kernels.pseudonyms import pseudonyms, text_buffers
from stillwatch.kernels.semantic import SEMANTIC_CODES, Embedder
from stillwatch.kernels.sketch import mix_all, sketch
from stillwatch.pseudonym import Key

JSON_FORMATS = pa.array(["json_object", "json_schema"])


@dataclass(frozen=True, slots=True)
class TraceKeys:
    """The keys of one run: `identifiers` for pseudonyms, `shingles` for words."""

    identifiers: Key
    shingles: Key

    @staticmethod
    def derive(secret: bytes) -> TraceKeys:
        return TraceKeys(Key.derive(secret, "identifiers"), Key.derive(secret, "shingles"))


def must_compile() -> bool:
    """Make the smallest kernel ready; return whether it had to be compiled, as then all others have to be.

    Compiled kernels are kept on disk beside the code, or in the user's cache where that cannot be written.
    """
    compiled = getattr(mix_all, "stats", None)
    before = sum(compiled.cache_misses.values()) if compiled else 0
    mix_all(np.zeros(1, dtype=np.uint64))
    return compiled is not None and sum(compiled.cache_misses.values()) > before


def trace_batch(
    events: pa.RecordBatch, keys: TraceKeys, source: int, embedder: Embedder | None = None
) -> pa.RecordBatch:
    """Return the traces (`trace.TRACE_SCHEMA`) of a batch of events, row for row.

    Cost:    O(bytes of text and identifiers), no Python object per row unless there is an embedder.
    """
    rows = events.num_rows
    columns: dict[str, pa.Array] = {
        name: pa.array(pseudonyms(events[origin], keys.identifiers)) for name, origin in trace.KEY_COLUMNS.items()
    }
    columns["tools_key"] = pa.array(pseudonyms(pc.binary_join(events["tool_names"], "\n"), keys.identifiers))
    columns["asn"] = pc.fill_null(events["client_asn"], 0)
    columns["time_us"] = events["time"].cast(pa.int64())
    for name, origin in trace.COUNT_COLUMNS.items():
        clipped = pc.min_element_wise(pc.fill_null(events[origin], -1), np.iinfo(np.int32).max)
        columns[name] = clipped.cast(pa.int32())
    columns["temperature_milli"] = _milli(events["temperature"], absent=-1)
    columns["weight_milli"] = _milli(events["sampled_weight"], absent=1000)
    columns["source"] = pa.array(np.full(rows, source, dtype=np.int32))
    columns |= _sketch_columns(events, keys, embedder)
    columns["item_key"] = pa.array(_with_blocks(columns["item_key"].to_numpy(), events["presented_blocks"], keys))
    return pa.RecordBatch.from_arrays([columns[name] for name in trace.TRACE_SCHEMA.names], schema=trace.TRACE_SCHEMA)


def _with_blocks(item: np.ndarray, presented: pa.ListArray, keys: TraceKeys) -> np.ndarray:
    """Return what each call asks about: its text, and the reasoning blocks that it brings for it."""
    row = pc.list_parent_indices(presented).to_numpy()
    block = mix_all(pseudonyms(presented.flatten(), keys.identifiers))
    brought = np.zeros(len(item), dtype=np.uint64)
    np.add.at(brought, row, block)
    return np.asarray(np.where(brought == 0, item, mix_all(item ^ brought)))


def block_rows(events: pa.RecordBatch, traces: pa.RecordBatch, keys: TraceKeys) -> pa.RecordBatch:
    """Return a row (`trace.BLOCK_SCHEMA`) for each reasoning block that a batch's calls presented or were issued."""
    issued, shown = events["issued_blocks"], events["presented_blocks"]
    block = np.concatenate([pseudonyms(column.flatten(), keys.identifiers) for column in (issued, shown)])
    call = np.concatenate([pc.list_parent_indices(column).to_numpy() for column in (issued, shown)])
    presented = np.repeat(np.array([0, 1], dtype=np.uint8), [len(issued.flatten()), len(shown.flatten())])
    known = block != 0
    rows = pa.array(call[known])
    columns = [
        pa.array(block[known]),
        *(traces[name].take(rows) for name in ("event_key", "account_key")),
        pa.array(presented[known]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=trace.BLOCK_SCHEMA)


@dataclass(frozen=True, slots=True)
class _Sketched:
    """What the different texts of a column leave, the last of them the empty one, and which text each call has.

    Shapes:  place int32[n]; the others as `kernels.sketch.sketch` and `kernels.markers.markers` have them, by text.
    """

    place: np.ndarray
    shingles: np.ndarray
    item: np.ndarray
    topic: np.ndarray
    phrases: np.ndarray
    words: np.ndarray
    cut: np.ndarray
    names: np.ndarray

    @staticmethod
    def of(column: pa.Array, width: int, seed: np.uint64) -> _Sketched:
        """Sketch each different text once: a system prompt is sent a thousand times."""
        encoded = column.dictionary_encode()
        texts = len(encoded.dictionary)
        place = pc.fill_null(encoded.indices, texts).to_numpy()
        found = _Sketched(
            place,
            shingles=np.zeros((texts + 1, width), dtype=np.uint32),
            item=np.zeros(texts + 1, dtype=np.uint64),
            topic=np.zeros(texts + 1, dtype=np.uint64),
            phrases=np.zeros(texts + 1, dtype=np.uint32),
            words=np.zeros(texts + 1, dtype=np.int32),
            cut=np.zeros(texts + 1, dtype=np.uint8),
            names=np.full((texts + 1, trace.MARKERS), NO_NAME),
        )
        offsets, data = text_buffers(encoded.dictionary)
        targets = (found.shingles, found.item, found.topic, found.phrases, found.words, found.cut)
        sketch(offsets, data, seed, *role_table(), *targets)
        markers(offsets, data, seed, found.names)
        return found


def _sketch_columns(events: pa.RecordBatch, keys: TraceKeys, embedder: Embedder | None) -> dict[str, pa.Array]:
    seed = np.uint64(keys.shingles.first)
    system = _Sketched.of(events["system_prompt"], trace.SYSTEM_SHINGLES, seed)
    newest = _Sketched.of(events["input_text"], trace.INPUT_SHINGLES, seed)
    shingles = np.empty((events.num_rows, trace.SHINGLES), dtype=np.uint32)
    shingles[:, : trace.SYSTEM_SHINGLES] = system.shingles[system.place]
    shingles[:, trace.INPUT_PLACES] = newest.shingles[newest.place]
    names = shingles[:, -trace.MARKERS :]
    join_markers(system.names, system.place, newest.names, newest.place, names)
    if embedder is not None:
        shingles[:, -SEMANTIC_CODES:] = embedder.codes(events["input_text"])
    cut = system.cut[system.place] | newest.cut[newest.place]
    return {
        "item_key": pa.array(newest.item[newest.place]),
        "topic": pa.array(newest.topic[newest.place]),
        "phrases": pa.array(system.phrases[system.place] | newest.phrases[newest.place]),
        "words": pa.array(system.words[system.place] + newest.words[newest.place]),
        "flags": pa.array(_flags(events, system.item[system.place], cut)),
        "shingles": pa.FixedSizeListArray.from_arrays(pa.array(shingles.ravel()), trace.SHINGLES),
    }


def _flags(events: pa.RecordBatch, system_item: np.ndarray, cut: np.ndarray) -> np.ndarray:
    flags = np.zeros(events.num_rows, dtype=np.uint32)
    for flag, column in ((trace.FLAG_LOGPROBS, "logprobs"), (trace.FLAG_REFUSED, "refused")):
        flags |= _as_flag(pc.fill_null(events[column], False), flag)
    as_json = pc.is_in(events["response_format"], value_set=JSON_FORMATS)
    flags |= _as_flag(pc.fill_null(as_json, False), trace.FLAG_JSON)
    for flag, column in (
        (trace.FLAG_TOOLS, "tool_names"),
        (trace.FLAG_PRESENTS, "presented_blocks"),
        (trace.FLAG_ISSUES, "issued_blocks"),
    ):
        flags |= _as_flag(pc.greater(pc.fill_null(pc.list_value_length(events[column]), 0), 0), flag)
    flags[system_item != 0] |= np.uint32(trace.FLAG_SYSTEM)
    flags[cut != 0] |= np.uint32(trace.FLAG_TEXT_CUT)
    lost, rows = events["losses"].flatten(), pc.list_parent_indices(events["losses"])
    for loss, flag in trace.LOSS_FLAGS.items():
        flags[rows.filter(pc.equal(lost, loss)).to_numpy()] |= np.uint32(flag)
    return flags


def _as_flag(column: pa.Array, flag: int) -> np.ndarray:
    on: np.ndarray = column.to_numpy(zero_copy_only=False).astype(np.uint32)
    return on * np.uint32(flag)


def _milli(column: pa.Array, absent: int) -> pa.Array:
    values = pc.round(pc.multiply(pc.fill_null(column, absent / 1000), 1000.0))
    return pc.min_element_wise(values, 2_000_000_000.0).cast(pa.int32(), safe=False)
