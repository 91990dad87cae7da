"""Prompts of the user's own, from which free texts are drawn instead of the grammar's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import Error
from stillwatch.lab.streams import mix
from stillwatch.lab.traffic import Records
from stillwatch.lab.words.language import language

FIELDS = ("prompt", "text", "input_text")
"""Where a record holds its prompt; the first that is there counts."""

FREE_FORMS = ("free", "free_first", "free_code", "question")
"""Rules of the grammar that are free text, and nothing but free text."""

PROMPTS_MAX = 1_000_000
CORPUS_BYTES_MAX = 1 << 28
"""The corpus is held in memory whole, and for a moment twice."""

PROMPT_BYTES_MAX = 1 << 16
"""A batch of 16,384 calls, each with a prompt of that size, still fits the 32-bit offsets of an array."""

LINE_BYTES_MAX = 1 << 20
"""A record may hold more than its prompt; a line without an end must not fill the memory."""

_JSON_SUFFIXES = (".jsonl", ".ndjson")
_PARQUET_MAGIC = b"PAR1"


def read_prompts(path: Path) -> pa.StringArray:
    """Return the prompts of a text file (one a line), of JSONL or of Parquet (the first of `FIELDS`).

    Text and JSONL may be compressed (`.gz`, `.zst`). What is empty is passed over.
    Raises:  Error("prompts-unreadable"), Error("prompts-no-field"), Error("prompts-too-large"),
             Error("prompts-empty").
    """
    try:
        with path.open("rb") as file:
            packed = file.read(4) == _PARQUET_MAGIC
        texts = _parquet_texts(path) if packed else _line_texts(path)
        prompts = _collected(texts, path)
    except (OSError, pa.ArrowInvalid, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Error(
            "prompts-unreadable",
            f"the file of prompts cannot be read: {reason}",
            hint="pass a text file with one prompt a line, JSONL or Parquet, in UTF-8",
            where=str(path),
        ) from error
    if len(prompts) == 0:
        raise Error("prompts-empty", "there is no prompt in the file", where=str(path))
    return prompts


def with_prompts(texts: pa.StringArray, calls: Records, prompts: pa.StringArray) -> pa.StringArray:
    """Put a prompt of the corpus in the place of each free text: a pure function of the call's own key."""
    free = np.isin(calls["form"], _free_symbols())
    drawn = prompts.take(pa.array(mix(calls["draw"], 70) % np.uint64(len(prompts))))
    return pc.if_else(pa.array(free), drawn, texts)


@cache
def _free_symbols() -> tuple[int, ...]:
    return tuple(language().symbol(name) for name in FREE_FORMS)


def _collected(texts: Iterator[str], path: Path) -> pa.StringArray:
    found: list[str] = []
    size = 0
    for text in texts:
        if not text.strip():
            continue
        length = len(text.encode())
        size += length
        found.append(text)
        if length > PROMPT_BYTES_MAX or size > CORPUS_BYTES_MAX or len(found) > PROMPTS_MAX:
            raise Error(
                "prompts-too-large",
                f"got {len(found)} prompts with {size} bytes, the last with {length}, expected at most {PROMPTS_MAX}, "
                f"{CORPUS_BYTES_MAX} and {PROMPT_BYTES_MAX}",
                hint="pass a sample of them",
                where=str(path),
            )
    return pa.array(found, pa.string())


def _line_texts(path: Path) -> Iterator[str]:
    suffixes = path.suffixes
    json = any(suffix in _JSON_SUFFIXES for suffix in suffixes)
    decoder = msgspec.json.Decoder()
    with pa.input_stream(path, compression="detect") as stream:
        for number, line in enumerate(_lines(stream), start=1):
            if not json:
                yield line.decode()
            elif line.strip():
                yield _field_of(decoder, line, f"{path}, line {number}")


def _lines(stream: pa.NativeFile) -> Iterator[bytes]:
    held = b""
    while block := stream.read(1 << 20):
        *lines, held = (held + block).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in lines)
        if len(held) > LINE_BYTES_MAX:
            raise Error("prompts-too-large", f"got a line of over {LINE_BYTES_MAX} bytes", hint="split it")
    if held:
        yield held


def _field_of(decoder: msgspec.json.Decoder[object], line: bytes, where: str) -> str:
    try:
        record = decoder.decode(line)
    except msgspec.DecodeError:
        raise Error("prompts-unreadable", "got a line that is not JSON", hint="check the file", where=where) from None
    values = [record] if isinstance(record, str) else []
    if isinstance(record, dict):
        values = [record[name] for name in FIELDS if isinstance(record.get(name), str)]
    if not values:
        raise _no_field(where)
    return str(values[0])


def _parquet_texts(path: Path) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        held = [name for name in FIELDS if name in file.schema_arrow.names]
        if not held:
            raise _no_field(str(path))
        for batch in file.iter_batches(batch_size=4_096, columns=held[:1]):
            column = batch.column(0)
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                raise _no_field(str(path))
            yield from column.drop_null().to_pylist()


def _no_field(where: str) -> Error:
    return Error(
        "prompts-no-field",
        "got a record without a text, expected a string in `prompt`, `text` or `input_text`",
        hint="rename the field that holds the prompt",
        where=where,
    )
