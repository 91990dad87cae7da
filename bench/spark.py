"""CPU-seconds per million calls, embedded and on Spark with one worker and two: `python bench/spark.py LOG --out DIR`.

LOG is a folder that `stillwatch simulate` wrote. Every run is a process of its own; what counts is the time that all
its processes spent on a core (servers, executors and Python's workers too), which a busy machine changes little. A
start of Spark costs the same whatever the log: logs of two sizes tell the cost of a call from that of a start.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.spark.servers import environment, standalone

TICK = os.sysconf("SC_CLK_TCK")
SAMPLED_S = 0.25
"""How often processes are looked at: what one did in its last quarter of a second is not counted."""

CONF = {"spark.executor.memory": "900m", "spark.sql.shuffle.partitions": "4"}


class Meter:
    """Adds up what the processes of some sessions spend: a process that ends keeps what it was last seen to have."""

    def __init__(self) -> None:
        self.sessions: set[int] = set()
        self._spent: dict[tuple[int, str], float] = {}

    def look(self) -> None:
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                after = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(after[3]) in self.sessions:
                self._spent[int(folder.name), after[19]] = (int(after[11]) + int(after[12])) / TICK

    def total(self) -> float:
        return sum(self._spent.values())

    @contextmanager
    def running(self) -> Iterator[None]:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(SAMPLED_S):
                self.look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            self.look()
            done.set()
            thread.join()


def detect(log: Path, out: Path, meter: Meter, *options: str) -> float:
    """Run detection once and return what it cost."""
    started = "from stillwatch.cli.main import main; main()"
    files = ["detect", str(log / "events"), "--accounts", str(log / "accounts.jsonl"), "--out", str(out)]
    command = [sys.executable, "-c", started, *files, "--no-power", "--no-progress", "--force", *options]
    before = meter.total()
    with meter.running():
        process = subprocess.Popen(
            command, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        meter.sessions.add(process.pid)
        _, error = process.communicate()
    if process.returncode:
        raise SystemExit(error.decode())
    return meter.total() - before


def on_cluster(log: Path, out: Path, workers: int) -> float:
    """Run detection on a cluster of its own, and count its servers too from where the run begins."""
    with tempfile.TemporaryDirectory() as folder, standalone(Path(folder), workers) as (url, pids):
        meter = Meter()
        meter.sessions |= set(pids)
        meter.look()
        conf = {**CONF, "spark.pyspark.python": sys.executable}
        options = [f"--spark-conf={name}={value}" for name, value in conf.items()]
        return detect(log, out, meter, "--engine", "spark", "--spark-master", url, *options)


def main() -> None:
    """Print what each way costs."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("logs", nargs="+", type=Path)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--workers", nargs="*", type=int, default=[1, 2])
    given = asked.parse_args()
    for log in given.logs:
        cost = {"embedded": detect(log, given.out / "embedded", Meter())}
        cost |= {f"spark-{count}": on_cluster(log, given.out / f"spark-{count}", count) for count in given.workers}
        calls = json.loads((given.out / "embedded" / "run.json").read_text())["events_count"]
        told = {
            name: {"cpu_s": round(cpu, 1), "per_million": round(cpu / calls * 1e6, 1)} for name, cpu in cost.items()
        }
        print(json.dumps({"calls": calls, "cores": os.cpu_count(), **told}), flush=True)


if __name__ == "__main__":
    main()
