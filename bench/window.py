"""Measure what an hour more costs a window of thirty days in a store, beside a whole run on the same logs.

    .venv/bin/python -m bench.window                                   1.2 million calls, three rounds
    .venv/bin/python -m bench.window --calls 200000 --rounds 1         a trial
    .venv/bin/python -m bench.scale_page --store build/bench/window.json

The replayed campaign (`bench/replay.py`) is written once and cut before its newest hour. What came before is ingested
and every day but the newest closed. Each round takes a copy of that store, ingests the hour, searches the window, and
searches the logs. Processor time is what counts: it is of all threads, and a busy machine changes it little.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from bench.detection import ROOT, SOURCE, code, digest
from bench.measuring import STILLWATCH, Found, as_found, machine, median, once, run_well, say, write_result
from bench.prompts import LongerWorld
from bench.replay import DAYS, Lines, scenario
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import World, simulate
from stillwatch.store.store import Store

CALLS = 1_200_000
PROMPT_BYTES = 400
SEED = 2026

STEPS = ("ingest_hour", "detect_window", "detect_logs")


def main(arguments: Sequence[str] | None = None) -> Found:
    """Measure, write the figures and return them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=CALLS)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "window")
    asked = options.parse_args(arguments)
    work: Path = asked.work
    work.mkdir(parents=True, exist_ok=True)
    everything = digest(SOURCE)
    key = {"calls": asked.calls, "prompt_bytes": PROMPT_BYTES, "seed": SEED, "source": everything}
    filled = once(work / "store.json", key, lambda: _fill(work, asked.calls))
    rounds = [once(work / f"round-{number}.json", key, lambda: _round(work)) for number in range(asked.rounds)]
    if digest(SOURCE) != everything:
        raise SystemExit("the code changed while it was measured; run again")
    result = {**key, "days": DAYS, **filled, "rounds": rounds, **_summed(rounds), "machine": machine(work)}
    write_result(work.with_suffix(".json"), result)
    return result


def _fill(work: Path, calls: int) -> Found:
    """Write the logs, ingest all but the newest hour, and close all days but the newest."""
    for name in ("world", "before", "hour", "store"):
        shutil.rmtree(work / name, ignore_errors=True)
    part = scenario(calls, DAYS)
    world = LongerWorld(simulate(part, SEED, part.calls), PROMPT_BYTES)
    write_world(cast(World, world), work / "world", "canonical", Lines(part.calls))
    events = ds.dataset(work / "world" / "events").to_table()
    newest = pc.floor_temporal(pc.max(events["time"]), unit="hour")
    in_hour = pc.greater_equal(events["time"], newest)
    counts = {}
    for name, chosen in (("before", pc.invert(in_hour)), ("hour", in_hour)):
        counts[f"{name}_calls"] = _write(work / name, events.filter(chosen))
    store = str(work / "store")
    taken = [
        _run(work, "ingest", str(work / "before"), "--store", store, "--accounts", str(work / "world/accounts.jsonl")),
        _run(work, "store", "close", store, "--before", str(newest.as_py().date())),
    ]
    return {**counts, "ingest_all": taken, **closed_size(store)}


def _write(folder: Path, events: pa.Table) -> int:
    folder.mkdir()
    pq.write_table(events, folder / "events.parquet", compression="zstd", row_group_size=1 << 16)
    return len(events)


def closed_size(url: str) -> Found:
    """Return what a call of a closed day takes in a store: its trace, and apart from that its names."""
    manifest = Store.open(url, None).manifest
    closed = [part for part in manifest.parts if part.closed]
    rows = sum(part.rows for part in closed)
    return {
        "closed_calls": rows,
        "bytes_per_call": sum(part.traces.size_bytes for part in closed) / rows,
        "name_bytes_per_call": sum(part.names.size_bytes for part in closed) / rows,
    }


def _round(work: Path) -> Found:
    """Ingest the hour into a copy of the store and search the window, then the logs."""
    store = work / "copy"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(work / "store", store)
    accounts = ("--accounts", str(work / "world" / "accounts.jsonl"))
    found = {
        "ingest_hour": _run(work, "ingest", str(work / "hour"), "--store", str(store)),
        "detect_window": _detect(work, "window", "--store", str(store), "--window", f"{DAYS}d"),
        "detect_logs": _detect(work, "logs", str(work / "before"), str(work / "hour"), *accounts),
    }
    shutil.rmtree(store)
    say(", ".join(f"{name} {found[name]['cpu_seconds']:.1f} s of processors" for name in STEPS))
    return found


def _detect(work: Path, name: str, *asked: str) -> Found:
    out = work / f"run-{name}"
    taken = _run(work, "detect", *asked, "--out", str(out), "--force")
    said = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {
        **taken,
        **{key: said[key] for key in ("events_count", "stages", "saturated")},
        **code(said["tool_version"]),
    }


def _run(work: Path, *arguments: str) -> Found:
    return as_found(run_well([*STILLWATCH, *arguments, "--no-progress"], work / f"{arguments[0]}.log"))


def _summed(rounds: Sequence[Found]) -> Found:
    """Return the medians of what each step took, and how the hour and its window compare with the logs."""
    taken = {
        f"{step}_{what}": median(each[step][what] for each in rounds)
        for step in STEPS
        for what in ("cpu_seconds", "wall_seconds")
    }
    hourly = [each["ingest_hour"]["cpu_seconds"] + each["detect_window"]["cpu_seconds"] for each in rounds]
    whole = [each["detect_logs"]["cpu_seconds"] for each in rounds]
    return {**taken, "hourly_share_of_logs": median(part / all_ for part, all_ in zip(hourly, whole, strict=True))}


if __name__ == "__main__":
    main()
