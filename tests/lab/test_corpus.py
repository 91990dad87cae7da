"""A user's own prompts in the place of the grammar's free texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import Error
from stillwatch.lab import corpus
from stillwatch.lab.corpus import read_prompts
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.world import simulate
from tests.lab.worlds import read

TEXTS = ["what is a tern", "déjà vu, 你好", "write a haiku"]


@pytest.mark.parametrize("field", ["prompt", "text", "input_text"])
def test_prompts_are_read_from_lines_json_and_parquet(tmp_path: Path, field: str) -> None:
    plain, lines, table = tmp_path / "a.txt", tmp_path / "a.jsonl", tmp_path / "a.parquet"
    plain.write_text("\r\n".join(TEXTS) + "\n\n", encoding="utf-8")
    lines.write_text("\n".join(json.dumps({"id": 1, field: text}) for text in TEXTS) + "\n\n")
    pq.write_table(pa.table({"id": [1, 2, 3, 4], field: [*TEXTS, None]}), table)
    for path in (plain, lines, table):
        assert read_prompts(path).to_pylist() == TEXTS


def test_packed_prompts_and_bare_json_strings_are_read_too(tmp_path: Path) -> None:
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, TEXTS)).encode()))
    assert read_prompts(packed).to_pylist() == TEXTS


@pytest.mark.parametrize(
    ("name", "content", "ident", "where"),
    [
        ("a.txt", b"fine\n\xff\xfe\n", "prompts-unreadable", "a.txt"),
        ("a.jsonl", b'{"prompt": "x"}\n{oops\n', "prompts-unreadable", "line 2"),
        ("a.jsonl", b'{"prompt": "x"}\n{"question": "y"}\n', "prompts-no-field", "line 2"),
        ("a.jsonl", b'{"prompt": 7}\n', "prompts-no-field", "line 1"),
        ("a.txt", b"\n \n", "prompts-empty", "a.txt"),
        ("a.parquet", b"PAR1 but nothing else", "prompts-unreadable", "a.parquet"),
        ("a.txt.gz", b"\x1f\x8b cut off", "prompts-unreadable", "a.txt.gz"),
    ],
)
def test_a_bad_file_is_an_error_that_says_where(
    tmp_path: Path, name: str, content: bytes, ident: str, where: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Error) as caught:
        read_prompts(path)
    assert caught.value.ident == ident
    assert where in caught.value.where


def test_a_missing_file_and_a_table_without_prompts_are_errors(tmp_path: Path) -> None:
    with pytest.raises(Error, match="No such file") as caught:
        read_prompts(tmp_path / "none.txt")
    assert caught.value.ident == "prompts-unreadable"
    pq.write_table(pa.table({"prompt": [1, 2]}), tmp_path / "numbers.parquet")
    with pytest.raises(Error) as caught:
        read_prompts(tmp_path / "numbers.parquet")
    assert caught.value.ident == "prompts-no-field"


def test_a_prompt_beyond_the_bound_is_refused_and_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("short\n" + "x" * (corpus.PROMPT_BYTES_MAX + 1))
    with pytest.raises(Error) as caught:
        read_prompts(path)
    assert caught.value.ident == "prompts-too-large"


def test_free_texts_come_from_the_corpus_and_templates_do_not() -> None:
    prompts = pa.array([f"corpus prompt {number}" for number in range(5_000)])
    plain = read(simulate(scenario_named("quiet"), 0, 8_000)).events
    mine = read(simulate(scenario_named("quiet"), 0, 8_000, prompts)).events
    assert mine["event_id"].equals(plain["event_id"])
    texts = mine["input_text"].to_pylist()
    drawn = np.array([text.startswith("corpus prompt") for text in texts])
    assert 0.15 < drawn.mean() < 0.6
    assert len({text for text in texts if text.startswith("corpus")}) > 1_000
    kept = [a == b for a, b in zip(texts, plain["input_text"].to_pylist(), strict=True)]
    assert (np.array(kept) == ~drawn).all()
    assert mine["system_prompt"].equals(plain["system_prompt"])


def test_a_corpus_gives_the_same_world_each_time_however_it_is_cut() -> None:
    prompts = pa.array(TEXTS)
    whole = simulate(scenario_named("quiet"), 1, 2_000, prompts)
    cut = simulate(scenario_named("quiet"), 1, 2_000, prompts)
    cut.batch_rows = 97
    assert read(whole).events.combine_chunks().equals(read(cut).events.combine_chunks())
