"""Runs of one log on both engines, and what must be the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from stillwatch.engines.run import RunRequest, detect
from stillwatch.report.reporter import Reporter
from tests.scenes.scene import Silent

OF_THE_ENGINE = {"engine", "stages"}
"""What a run says of how it was made, and not of what it found."""

SMALL = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "2",
}
"""Small logs are over before a plan is compiled: these settings of Spark change its speed and no answer."""

LASTING = {
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.driver.memory": "4g",
    "spark.sql.ui.retainedExecutions": "1",
    "spark.ui.retainedJobs": "10",
    "spark.ui.retainedStages": "10",
}
"""Of a session that many runs share: it remembers few of them, and lives long enough to be compiled well."""


def facts_of(run_dir: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return {name: value for name, value in facts.items() if name not in OF_THE_ENGINE}


def assert_same(here: Path, there: Path) -> None:
    """Compare two runs' directories, byte by byte but for what `run.json` says of the engine."""
    assert sorted(path.name for path in here.iterdir()) == sorted(path.name for path in there.iterdir())
    assert facts_of(here) == facts_of(there)
    for path in sorted(here.iterdir()):
        if path.name not in {"run.json", "report.html"}:
            assert path.read_bytes() == (there / path.name).read_bytes(), path.name


def both(request: RunRequest) -> tuple[Path, Path]:
    """Run a request on both engines, with the report's second look."""
    made = []
    for engine in ("embedded", "spark"):
        asked = replace(request, engine=engine, out=request.out.with_name(engine))
        made.append(detect(asked, Silent(), Reporter()).run_dir)
    return made[0], made[1]
