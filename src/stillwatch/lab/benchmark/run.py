"""Run a plan: each task leaves one file, so that what is done is never done again.

A file is named by a digest of the task's parameters and of the detector's version. What is half done is done anew.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import Error
from stillwatch.lab.baselines.log import HOUR_US, Log
from stillwatch.lab.baselines.registry import BASELINES
from stillwatch.lab.benchmark.contract import Detector, Progress
from stillwatch.lab.benchmark.delay import delays
from stillwatch.lab.benchmark.game import game
from stillwatch.lab.benchmark.plan import KINDS, Plan, Task
from stillwatch.lab.benchmark.relink import relinked
from stillwatch.lab.benchmark.rivals import compete
from stillwatch.lab.benchmark.summary import summary
from stillwatch.lab.benchmark.worlds import Day, honest, written
from stillwatch.lab.score import Score, score, who_called

SCHEMA_VERSION = 1

SCRATCH = ".in-progress"
"""Where a task's world and run are while it is measured; a name that nobody gives to something of their own."""

STATED_CLASS = "least-loaded-pool"
"""The class among those whose power a run states that works as the pool of `POWER_SCENARIO` does: evenly, once each."""

Found = dict[str, Any]


def run_benchmark(plan: Plan, detector: Detector, out: Path, progress: Progress, workers: int = 1) -> Path:
    """Do what is left of a plan, and return the path of `results.json`.

    With more than one of `workers` so many tasks are done at a time, each in a process of its own that does many.

    Raises:  Error("unknown-task") where the plan holds a kind of task that there is not.
    """
    for task in plan.tasks:
        if task.kind not in KINDS:
            raise Error("unknown-task", f"got a task of the kind {task.kind}, expected one of {', '.join(KINDS)}")
    (out / "tasks").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / SCRATCH, ignore_errors=True)
    kept = [out / "tasks" / f"{task.key(detector.version)}.json" for task in plan.tasks]
    left = [(task, path) for task, path in zip(plan.tasks, kept, strict=True) if not path.exists()]
    number = len(plan.tasks) - len(left)
    for task, seconds in _each(left, detector, out, workers):
        number += 1
        progress.note(f"{number} of {len(plan.tasks)}: {task.title()}, {seconds:.0f} s")
    shutil.rmtree(out / SCRATCH, ignore_errors=True)
    table = {
        "schema_version": SCHEMA_VERSION,
        "profile": plan.profile,
        "detector": detector.version,
        "blind": list(plan.blind),
        "chosen_on": list(plan.chosen_on),
        "tasks": [json.loads(path.read_text(encoding="utf-8")) for path in kept],
    }
    path = out / "results.json"
    _keep(path, {**table, "summary": summary(table)})
    progress.note(f"{path.name} is written: {len(kept)} tasks")
    return path


def _each(
    left: Sequence[tuple[Task, Path]], detector: Detector, out: Path, workers: int
) -> Iterator[tuple[Task, float]]:
    """Yield each task once it is done, and how long it took."""
    if workers == 1 or len(left) < workers:
        for task, path in left:
            yield task, _do(task, path, detector, out)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        begun = {pool.submit(_do, task, path, detector, out): task for task, path in left}
        for done in as_completed(begun):
            yield begun[done], done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _do(task: Task, kept: Path, detector: Detector, out: Path) -> float:
    """Do one task in a scratch folder that is gone afterwards, and keep what it found."""
    scratch = out / SCRATCH / kept.stem
    scratch.mkdir(parents=True)
    begun = time.perf_counter()
    found = game(task, detector, scratch) if task.kind == "opponent" else _measured(task, detector, scratch)
    shutil.rmtree(scratch)
    took = time.perf_counter() - begun
    _keep(kept, {"task": asdict(task), **found, "seconds": round(took, 1)})
    return took


def _measured(task: Task, detector: Detector, scratch: Path) -> Found:
    day = written(task, scratch / "world")
    begun = time.perf_counter()
    run_dir = detector.run(day.log.events, day.log.accounts, scratch / "run", task.seed, task.kind == "power")
    took = round(time.perf_counter() - begun, 2)
    scored = score(run_dir, day.truth)
    found = {"score": asdict(scored), "detect_seconds": took, **_of_detector(scored)}
    if task.kind == "scenario":
        found["spent"] = _spent(day)
        found["relinked"] = [asdict(each) for each in relinked(day, run_dir, detector, task.seed, scratch)]
    if task.kind == "power":
        found["stated"] = _stated(run_dir)
    if task.kind == "scenario" and task.delays:
        found["delays"] = [asdict(each) for each in delays(day, run_dir, detector, task.seed, scratch)]
    if task.kind == "scenario" and task.rivals:
        found["rivals"] = _rivals(day, honest(scratch / "honest"), float(found["false_rate_bound"]), task.seed)
    return found


def _of_detector(scored: Score) -> Found:
    """Return the detector's own figures over all accounts, in the terms that rivals are measured in."""
    hidden = sum(one.accounts_count for one in scored.campaigns)
    named = sum(one.accounts_recall * one.accounts_count for one in scored.campaigns)
    return {
        "callers_count": hidden + scored.honest.accounts_count,
        "recall": named / hidden if hidden else None,
        "false_rate": scored.honest.named_share,
        "false_rate_bound": scored.honest.upper_bound,
    }


def _stated(run_dir: Path) -> dict[str, int | None] | None:
    """Return the sizes of an even pool that the run says it would have found, half the time and 19 times of 20."""
    path = run_dir / "run.json"
    told = json.loads(path.read_text(encoding="utf-8")).get("power", []) if path.exists() else []
    mine = next((each for each in told if each["campaign_class"] == STATED_CLASS), None)
    return None if mine is None else {"half": mine["accounts_half"], "most": mine["accounts_most"]}


def _spent(day: Day) -> dict[str, int]:
    """Return what the campaigns paid for what they wanted: calls of all kinds, and accounts that called.

    `calls_paid_count` counts every call of their accounts: cover, chaff, strangers' calls and failures too.
    """
    table = who_called(day.truth)
    ours = table.filter(pc.is_valid(table["campaign"]))["account_id"].combine_chunks()
    paid, first, last = 0, 0, 0
    for batch in day.log.batches(["account_id", "time"]):
        mine = batch.filter(pc.is_in(batch.column("account_id"), value_set=ours))
        paid += mine.num_rows
        times = pc.min_max(batch.column("time").cast(pa.int64())).as_py()
        first, last = min(first or times["min"], times["min"]), max(last, times["max"])
    wanted = pq.read_metadata(day.truth / "calls.parquet").num_rows
    hours = -(-(last - first) // HOUR_US)
    return {"calls_paid_count": paid, "calls_wanted_count": wanted, "accounts_count": len(ours), "hours": hours}


def _rivals(day: Day, reference: Log, rate: float, seed: int) -> dict[str, Found]:
    table = who_called(day.truth)
    truth = dict(zip(table["account_id"].to_pylist(), table["campaign"].to_pylist(), strict=True))
    return {each.IDENT: asdict(compete(each, day.log, reference, truth, rate, seed)) for each in BASELINES}


def _keep(path: Path, found: Found) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
