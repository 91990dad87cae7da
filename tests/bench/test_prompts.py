from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bench.prompts import longer, longer_events
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.world import simulate


def test_prompts_are_as_long_as_asked_and_begin_as_the_lab_wrote_them() -> None:
    batch = next(simulate(scenario_named("demo"), 1, 20_000).events())
    long = longer_events(batch, 1_500)
    assert pc.mean(pc.binary_length(long["input_text"])).as_py() == pytest.approx(1_500, rel=0.05)
    assert all(
        after.startswith(before)
        for before, after in zip(batch["input_text"].to_pylist(), long["input_text"].to_pylist(), strict=True)
        if before is not None
    )
    assert pc.all(pc.greater_equal(long["input_tokens"], batch["input_tokens"])).as_py()


def test_equal_prompts_stay_equal_and_others_share_no_words_at_their_end() -> None:
    one, again, other, none = longer(pa.array(["ask", "ask", "tell", None]), 400).to_pylist()
    assert one == again
    assert len(one) > 20
    assert one.split()[1:6] != other.split()[1:6]
    assert none is None


def test_prompts_that_are_long_enough_are_left_alone() -> None:
    texts = pa.array(["a prompt of some length"])
    assert longer(texts, 5) is texts
