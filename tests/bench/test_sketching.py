from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.sketching import PEERS, PERMUTATIONS, Sample, here, main, shingled

INSTALLED = [name for name, peer in PEERS.items() if here(peer)]
"""All of them after `pip install -r requirements/bench.txt`; DuckDB's statement always."""

TEXTS = ("Grade this answer from 1 to 10: it is wrong", "Grade this answer from 1 to 99: it is wrong", "Something else")


@pytest.mark.parametrize("name", INSTALLED)
def test_every_peer_sketches_every_text(name: str) -> None:
    found: Any = PEERS[name].ready(TEXTS)()
    counts = {"sql": lambda: found.num_rows, "rensa": lambda: found.len(), "rensa-plain": lambda: found.len()}
    assert counts.get(name, lambda: len(found))() == len(TEXTS)


def test_the_statement_gives_texts_that_differ_in_a_number_one_sketch() -> None:
    found: Any = PEERS["sql"].ready(TEXTS)()
    columns = [found.column(f"m{at}").to_pylist() for at in range(PERMUTATIONS)]
    values = np.array(columns, dtype=np.uint64)
    assert (values[:, 0] == values[:, 1]).all()
    assert (values[:, 0] != values[:, 2]).all()


def test_masked_words_are_run_together_by_five() -> None:
    assert shingled('Say "yes" 20 times now please') == ["say 0 0 times now", "0 0 times now please"]


def test_a_sample_has_the_same_texts_first() -> None:
    sample = Sample(400)
    few = sample.texts(10)
    assert sample.texts(20_000)[:10] == few


def test_the_smallest_comparison_is_made_and_not_repeated(tmp_path: Path) -> None:
    asked = ["--seconds", "0.05", "--rounds", "1", "--prompt-bytes", "400", "--work", str(tmp_path / "sketching")]
    found = main(asked)
    assert [row["peer"] for row in found["rows"]] == INSTALLED
    assert all(row["ratio"] > 0 and row["cores_max"] < 1.5 for row in found["rows"])
    assert main(asked)["rows"] == found["rows"]
