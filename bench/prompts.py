"""Prompts as long as a measurement asks: the lab's own texts with words drawn at random after them.

A text always gets the same words, so that equal prompts stay equal and no two others share a shingle of them. The
words stand for what people paste behind a request; they are invented, and compress less well than a language does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from stillwatch.lab.world import Chunk, World

VOCABULARY = 1 << 15
"""Five words of so many never meet twice by chance in any log measured here."""

BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class LongerWorld:
    """A world whose prompts are `prompt_bytes` long on average, or as the lab writes them where those are longer."""

    world: World
    prompt_bytes: int

    @property
    def accounts_count(self) -> int:
        return self.world.accounts_count

    def accounts(self) -> pa.Table:
        return self.world.accounts()

    def truth_accounts(self) -> pa.Table:
        return self.world.truth_accounts()

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self.world.chunks():
            yield Chunk(longer_events(chunk.events, self.prompt_bytes), chunk.truth)


def longer_events(events: pa.RecordBatch, prompt_bytes: int) -> pa.RecordBatch:
    """Return the events with longer prompts, and the tokens that they add billed."""
    texts = longer(events["input_text"], prompt_bytes)
    added = pc.subtract(pc.binary_length(texts), pc.binary_length(events["input_text"]))
    tokens = pc.add(events["input_tokens"], pc.fill_null(pc.divide(added, BYTES_PER_TOKEN), 0).cast(pa.int64()))
    changed = {"input_text": texts, "input_tokens": tokens}
    columns = [changed.get(field.name, events[field.name]) for field in events.schema]
    return pa.RecordBatch.from_arrays(columns, schema=events.schema)


def longer(texts: pa.StringArray, mean_bytes: int) -> pa.StringArray:
    """Return the texts of one batch with words behind them, up to a mean length; what is null stays null."""
    known = len(texts) - texts.null_count
    held = int(pc.sum(pc.binary_length(texts)).as_py() or 0)
    gap = mean_bytes - held / max(known, 1)
    if gap <= 0 or not known:
        return texts
    _, offsets, data = pa.concat_arrays([texts]).buffers()
    starts = np.frombuffer(offsets, np.int32)[: len(texts) + 1]
    there = texts.is_valid().to_numpy(zero_copy_only=False)
    ends, filled = _longer(starts, np.frombuffer(data, np.uint8), there, 2.0 * gap, *vocabulary())
    validity = None if known == len(texts) else texts.is_valid().buffers()[1]
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(filled), validity)


@cache
def vocabulary() -> tuple[np.ndarray, np.ndarray]:
    """Return invented words of one to four syllables: int32[VOCABULARY + 1] offsets, uint8[bytes]."""
    rng = np.random.default_rng(20_260_923)
    syllables = np.array([a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")])
    drawn = rng.choice(syllables, (VOCABULARY, 4))
    counts = rng.choice(np.arange(1, 5), VOCABULARY, p=[0.25, 0.4, 0.25, 0.1])
    words = ["".join(row[:count]) for row, count in zip(drawn, counts, strict=True)]
    offsets = np.cumsum([0, *map(len, words)], dtype=np.int32)
    return offsets, np.frombuffer("".join(words).encode(), np.uint8)


@njit(nogil=True, cache=True)
def _longer(starts, data, there, most, word_starts, word_data):  # type: ignore[no-untyped-def]
    rows = starts.shape[0] - 1
    seeds = np.empty(rows, np.uint64)
    ends = np.zeros(rows + 1, np.int32)
    for row in range(rows):
        seed = np.uint64(0xCBF29CE484222325)
        for at in range(starts[row], starts[row + 1]):
            seed = (seed ^ np.uint64(data[at])) * np.uint64(0x100000001B3)
        seed = _next(seed)
        seeds[row] = seed
        extra = int((seed >> np.uint64(11)) / 9007199254740992.0 * most) if there[row] else 0
        ends[row + 1] = ends[row] + starts[row + 1] - starts[row] + extra
    out = np.empty(ends[rows], np.uint8)
    for row in range(rows):
        at = ends[row]
        for place in range(starts[row], starts[row + 1]):
            out[at] = data[place]
            at += 1
        seed = seeds[row]
        while at < ends[row + 1]:
            out[at] = 32
            at += 1
            seed = _next(seed)
            word = seed & np.uint64(VOCABULARY - 1)
            for place in range(word_starts[word], word_starts[word + np.uint64(1)]):
                if at < ends[row + 1]:
                    out[at] = word_data[place]
                    at += 1
    return ends, out


@njit(nogil=True, cache=True, inline="always")
def _next(state):  # type: ignore[no-untyped-def]
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
