"""An engine decides where a run happens, never what it answers: the same bytes from both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.adapters.contract import ReadSettings
from stillwatch.engines import contract, family_calls, run
from stillwatch.errors import Error
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import simulate
from tests.engines.logs import WORLD, request
from tests.parity.engines import LASTING, SMALL, assert_same, both, facts_of
from tests.scenes.scene import Silent, write_lines
from tests.scenes.scene import run as run_scene
from tests.scenes.test_scenes import SCENES, build
from tests.scenes.world import World

pytestmark = [pytest.mark.usefixtures("spark_here"), pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def spark_here() -> Iterator[Any]:
    """One session for all of this file's runs: a run uses the one that is there."""
    pytest.importorskip("pyspark", reason="pip install 'stillwatch[spark]'")
    from stillwatch.engines.spark_session import open_cluster

    with open_cluster(contract.SparkAsk(master="local[2]", conf={**SMALL, **LASTING})) as cluster:
        yield cluster


ALONE = ("many_wordings", "no_prompts", "reasoning_replay", "reseller", "two_campaigns")
"""Scenes that run by themselves as well wherever tests run: each goes another way through an engine."""

OWN = ("event_id", "account_id", "organization_id")
"""What scenes would share by accident, were their logs one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scene" in metafunc.fixturenames:
        metafunc.parametrize("scene", SCENES if metafunc.config.getoption("--every-scene") else ALONE)


def test_all_scenes_in_one_log_are_the_same_bytes_on_both_engines(tmp_path: Path) -> None:
    whole = World(0)
    for name in SCENES:
        world = build(name).world
        for gathered, rows in ((whole.events, world.events), (whole.accounts, world.accounts)):
            gathered += [row | {key: f"{name} {row[key]}" for key in OWN if row.get(key)} for row in rows]
    assert_same(run_scene(whole, tmp_path / "e"), run_scene(whole, tmp_path / "s", "spark"))


def test_a_scene_is_the_same_bytes_on_both_engines(scene: str, tmp_path: Path) -> None:
    world = build(scene).world
    assert_same(run_scene(world, tmp_path / "e"), run_scene(world, tmp_path / "s", "spark"))


def test_a_day_of_the_lab_is_the_same_bytes_on_both_engines(tmp_path: Path) -> None:
    write_world(simulate(scenario_named("demo"), 3, 12_000), tmp_path / "day", "canonical", Silent())
    asked = run.RunRequest(
        (str(tmp_path / "day" / "events"),), tmp_path / "run", (str(tmp_path / "day" / "accounts.jsonl"),)
    )
    assert_same(*both(asked))


def test_repeats_and_bad_records_are_told_alike_by_file_line_and_reason(tmp_path: Path) -> None:
    """Repeats of one event differ in what they say, and one of them is kept on either engine."""
    events = [dict(event) for event in WORLD.events]
    changed = [{**event, "input_text": "another " + str(event["input_text"])} for event in events[::7]]
    asked = request(tmp_path, events + changed, rejected_max=0.5)
    more = tmp_path / "more.jsonl"
    write_lines(more, [{**event, "account_id": "acct-other"} for event in events[3::50]])
    with more.open("a") as stream:
        stream.write('no json\n{"event_id": "x"}\n' + json.dumps({**events[0], "time": 1}) + "\n")
    here, there = both(replace(asked, events=(*asked.events, str(more))))
    assert_same(here, there)
    assert facts_of(there)["duplicates_count"] > len(changed)
    rejected = [json.loads(line) for line in (there / "rejected.jsonl").read_text().splitlines()]
    assert [one["reason"] for one in rejected] == ["not-json", "missing-field", "time-out-of-range"]


def test_a_family_that_is_tested_on_a_share_of_its_items_is_the_same_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family_calls, "PANEL_CALLS_MAX", 300)
    from stillwatch.engines import spark

    monkeypatch.setattr(spark, "PANEL_CALLS_MAX", 300)
    here, there = both(request(tmp_path))
    assert_same(here, there)
    assert "panel_calls_max" in {one["bound"] for one in facts_of(there)["saturated"]}


def test_one_account_with_a_third_of_the_log_and_one_family_with_half_change_nothing(tmp_path: Path) -> None:
    events = [dict(event) for event in WORLD.events]
    heavy, loud = [], []
    for at in range(len(events)):
        base = events[at % len(events)]
        heavy.append({**base, "event_id": f"heavy-{at}", "account_id": "acct-heavy", "input_text": f"note {at % 9}"})
        loud.append(
            {**base, "event_id": f"loud-{at}", "input_text": f"please sum up the weekly numbers of desk {at} for me"}
        )
    assert_same(*both(request(tmp_path, events + heavy + loud)))


def test_another_dialect_is_read_by_its_adapter_in_tasks(tmp_path: Path) -> None:
    write_world(simulate(scenario_named("demo"), 1, 6_000), tmp_path / "day", "litellm", Silent())
    asked = run.RunRequest((str(tmp_path / "day" / "events"),), tmp_path / "run", rejected_max=0.5)
    assert_same(*both(replace(asked, read=ReadSettings(batch_rows=500))))


def test_a_table_of_a_catalog_is_read_by_spark_itself(tmp_path: Path, spark_here: Any) -> None:
    """The table has the columns of the log in another order, with times of its own; what it lacks is unknown."""
    asked = request(tmp_path)
    columns = {name: [event.get(name) for event in WORLD.events] for name in WORLD.events[0]}
    columns["time"] = pa.array(columns["time"]).cast(pa.timestamp("us", tz="UTC"))
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "log.parquet")
    location = tmp_path / "log.parquet"
    spark_here.sql(f"CREATE OR REPLACE GLOBAL TEMPORARY VIEW calls AS SELECT * FROM parquet.`{location}`").collect()
    here, _ = both(replace(asked, power=False))
    there = run.detect(
        replace(asked, engine="spark", events=("spark:global_temp.calls",), out=tmp_path / "table", power=False),
        Silent(),
    ).run_dir
    for name in (
        "accounts.parquet", "campaigns.jsonl", "exchanges.parquet", "groups.jsonl", "considered.parquet",
        "signatures.jsonl",
    ):  # fmt: skip
        assert (here / name).read_bytes() == (there / name).read_bytes(), name


def test_a_table_that_is_not_there_and_tables_among_files_end_the_run_with_a_way_out(tmp_path: Path) -> None:
    asked = request(tmp_path, engine="spark")
    with pytest.raises(Error) as refused:
        run.detect(replace(asked, events=("spark:global_temp.nothing",)), Silent())
    assert refused.value.ident == "no-such-table"
    with pytest.raises(Error) as refused:
        run.detect(replace(asked, events=(*asked.events, "spark:global_temp.nothing")), Silent())
    assert refused.value.ident == "mixed-inputs"


def test_what_ends_the_reading_on_a_worker_ends_the_run_with_the_same_words(tmp_path: Path) -> None:
    log = tmp_path / "odd.parquet"
    names = ("event_id", "account_id", "request_model")
    pq.write_table(pa.table({**{name: ["a"] for name in names}, "time": [[1]]}), log)
    said = []
    for engine in ("embedded", "spark"):
        with pytest.raises(Error) as refused:
            run.detect(run.RunRequest((str(log),), tmp_path / "run", engine=engine), Silent())
        said.append((refused.value.ident, str(refused.value), refused.value.hint))
    assert said[0] == said[1]
    assert said[0][0] == "wrong-column-type"
