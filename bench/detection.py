"""Measure the time and memory of detection on simulated days of several sizes. Run by hand.

    .venv/bin/python bench/detection.py --calls 2000000 --calls 20000000 --seed 2026
    .venv/bin/python -m bench.page --speed build/bench/*.json

Every step leaves a file behind and is not repeated while the code and the questions that it answers stay the same.
Each runs in a process of its own, as a user would run it. Nothing heavy is imported here: a process inherits the peak
of memory of the one that started it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "stillwatch"
BIN = Path(sys.executable).parent

LIBRARIES = ("duckdb", "networkit", "numba", "numpy", "pyarrow", "scipy")

SAMPLE_SECONDS = 0.05
"""Between two looks at the memory of a stage; the peak of the whole run is the kernel's own and exact."""

STAGE_BEGINS = re.compile(r"^stillwatch: ([a-z ]+) …$")


@dataclass(frozen=True, slots=True)
class Plan:
    """One size: what is simulated, and the folder that holds its steps."""

    scenario: str
    seed: int
    calls: int
    folder: Path

    @property
    def world(self) -> Path:
        return self.folder / "world"

    @property
    def run(self) -> Path:
        return self.folder / "run"


@dataclass(slots=True)
class Measured:
    """What one command took. Stages are the command's own, from its progress lines.

    Units:  seconds; bytes. `stage_peak_bytes` is sampled, `stage_anonymous_bytes` without pages of files.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    load_before: float = 0.0
    stage_peak_bytes: dict[str, int] = field(default_factory=dict)
    stage_anonymous_bytes: dict[str, int] = field(default_factory=dict)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, action="append", help="size of a day; may be repeated")
    options.add_argument("--scenario", default="bench")
    options.add_argument("--seed", type=int, default=2026)
    options.add_argument("--discard", action="store_true", help="delete each log once it is measured")
    options.add_argument("--work", type=Path, default=ROOT / "build" / "bench", help="where logs and results go")
    asked = options.parse_args()
    for calls in asked.calls or [2_000_000]:
        plan = Plan(asked.scenario, asked.seed, calls, asked.work / f"{asked.scenario}-{asked.seed}-{calls}")
        target = asked.work / f"{calls}-{asked.seed}.json"
        target.write_text(json.dumps(measured(plan), indent=1) + "\n")
        print(f"{target} is written", flush=True)
        if asked.discard:
            shutil.rmtree(plan.folder)


def measured(plan: Plan) -> dict[str, Any]:
    """Do every step of one size that is not done yet, and return all figures."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    laboratory = digest(SOURCE / "lab", SOURCE / "event.py")
    everything = digest(SOURCE)
    simulated = step(plan, "simulate", laboratory, lambda: simulate(plan))
    detected = step(plan, "detect", everything, lambda: detect(plan))
    decoded = step(plan, "decode", everything, lambda: decode(plan))
    if digest(SOURCE) != everything:
        (plan.folder / "detect.json").unlink()
        raise SystemExit("the code changed while it was measured; run again")
    return {
        "schema_version": 1,
        "scenario": plan.scenario,
        "seed": plan.seed,
        "calls_asked": plan.calls,
        "code": detected.pop("code"),
        "machine": detected.pop("machine"),
        "log": simulated,
        "detect": detected,
        "decode": decoded,
    }


def step(plan: Plan, name: str, key: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a step found, from its file where the same question was answered before."""
    path = plan.folder / f"{name}.json"
    key = f"{plan.scenario} {plan.seed} {plan.calls} {key}"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept["key"] == key:
            print(f"{plan.calls:,} calls, seed {plan.seed}: {name} was done before")
            earlier: dict[str, Any] = kept["found"]
            return earlier
    print(f"{plan.calls:,} calls, seed {plan.seed}: {name} …", flush=True)
    found = act()
    path.write_text(json.dumps({"key": key, "found": found}, indent=1))
    return found


def simulate(plan: Plan) -> dict[str, Any]:
    shutil.rmtree(plan.world, ignore_errors=True)
    asked = ["--scenario", plan.scenario, "--calls", str(plan.calls), "--seed", str(plan.seed)]
    command = [str(BIN / "stillwatch"), "simulate", "--out", str(plan.world), *asked]
    taken = run_measured(command, log_of(plan, "simulate"))
    files = sorted((plan.world / "events").iterdir())
    return {
        "files_count": len(files),
        "size_bytes": sum(file.stat().st_size for file in files),
        "simulate_seconds": taken.wall_seconds,
        "simulate_peak_bytes": taken.peak_bytes,
    }


def detect(plan: Plan) -> dict[str, Any]:
    command = [str(BIN / "stillwatch"), "detect", str(plan.world / "events"), "--out", str(plan.run), "--force"]
    taken = run_measured([*command, "--accounts", str(plan.world / "accounts.jsonl")], log_of(plan, "detect"))
    told = json.loads((plan.run / "run.json").read_text())
    kept = ("events_count", "accounts_count", "duplicates_count", "rejected_count", "fdr", "calibration", "signals")
    return {
        **asdict(taken),
        "stages": told["stages"],
        "saturated": told["saturated"],
        **{name: told[name] for name in kept},
        "code": code(told["tool_version"]),
        "machine": machine(),
    }


def decode(plan: Plan) -> dict[str, Any]:
    script = str(ROOT / "bench" / "decode.py")
    return asdict(run_measured([sys.executable, script, str(plan.world / "events")], log_of(plan, "decode")))


def run_measured(command: Sequence[str], log: Path) -> Measured:
    """Run a command to its end, keep what it says in `log`, and return what it took.

    Raises:  SystemExit where the command fails.
    """
    found = Measured(load_before=round(os.getloadavg()[0], 2))
    stage = ["start"]
    begun = time.perf_counter()
    with log.open("w", buffering=1) as kept:
        child = subprocess.Popen(command, stdout=kept, stderr=subprocess.PIPE, text=True)
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(child.pid, stage, found, over))
        watch.start()
        assert child.stderr is not None
        for line in child.stderr:
            kept.write(line)
            if begins := STAGE_BEGINS.match(line):
                stage[0] = begins[1]
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        over.set()
        watch.join()
    found.wall_seconds = round(time.perf_counter() - begun, 2)
    found.cpu_seconds = round(usage.ru_utime + usage.ru_stime, 2)
    found.peak_bytes = usage.ru_maxrss * 1024
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}; see {log}")
    return found


def _watch(pid: int, stage: list[str], found: Measured, over: threading.Event) -> None:
    while not over.wait(SAMPLE_SECONDS):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        _raise_to(found.stage_peak_bytes, stage[0], status, "VmRSS")
        _raise_to(found.stage_anonymous_bytes, stage[0], status, "RssAnon")


def _raise_to(peaks: dict[str, int], stage: str, status: str, name: str) -> None:
    if held := re.search(rf"^{name}:\s+(\d+) kB", status, flags=re.MULTILINE):
        peaks[stage] = max(peaks.get(stage, 0), int(held[1]) * 1024)


def digest(*places: Path) -> str:
    """Return a digest of source files by name and content, so that uncommitted work counts as a change too."""
    held = hashlib.blake2b(digest_size=8)
    for place in places:
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                held.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return held.hexdigest()


def code(tool_version: str) -> dict[str, Any]:
    commit = git("rev-parse", "--short=12", "HEAD")
    return {
        "tool_version": tool_version,
        "commit": commit,
        "uncommitted": bool(git("status", "--porcelain", "--", "src")),
        "source_digest": digest(SOURCE),
    }


def git(*words: str) -> str:
    said = subprocess.run(
        ["git", "--no-optional-locks", *words], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True
    )
    return said.stdout.strip()


def machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def log_of(plan: Plan, name: str) -> Path:
    return plan.folder / f"{name}.log"


if __name__ == "__main__":
    main()
