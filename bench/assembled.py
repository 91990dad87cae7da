"""The whole run beside what a user would assemble, on the largest log that each of those finishes in its time.

    .venv/bin/python -m bench.assembled                              ten minutes each, three rounds
    .venv/bin/python -m bench.assembled --budget 60 --rounds 1       a trial

Worlds are a day cut from the replayed campaign (`bench/replay.py`), from a small one on, each twice as large as the one
before. A contender (`bench/contenders.py`) climbs until it is not done in time or fails; on the largest world that it
finished, it and `stillwatch detect` then take turns, each as a command of its own, with all processors. Times are
whole commands, from start to end. Recall is the share of the campaign's accounts that are named. Stillwatch is graded
as it is shipped; a contender at the threshold where its F is best, chosen with the truth in hand, and again where it
names no more honest accounts than the 95 % bound on Stillwatch's rate allows.

Finished steps are kept in `build/bench/assembled` and not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.detection import ROOT, SOURCE, code, digest
from bench.measuring import (
    STILLWATCH,
    Found,
    Limits,
    as_found,
    machine,
    median,
    once,
    run,
    run_well,
    say,
    write_result,
)  # fmt: skip

NEEDS = {
    "minhash-linkage": ("datasketch", "splink", "networkit"), "co-action": ("coordination-network-toolkit",),
    "co-action-lab": ("scipy",),
}  # fmt: skip
TITLES = {
    "minhash-linkage": "MinHash-LSH, record linkage, communities", "co-action": "co-action networks, the toolkit",
    "co-action-lab": "co-action networks, the laboratory's",
}  # fmt: skip
TARGET = 30

DAYS = 1
SEED = 2026


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured, and where it is kept."""

    contenders: tuple[str, ...]
    smallest: int
    largest: int
    budget: float
    rounds: int
    prompt_bytes: int
    work: Path
    options: tuple[str, ...] = ()

    def sizes(self) -> list[int]:
        found = [self.smallest]
        while found[-1] * 2 <= self.largest:
            found.append(found[-1] * 2)
        return found

    def world(self, calls: int) -> Path:
        return self.work / "worlds" / f"{calls}-{self.prompt_bytes}"


def missing(contender: str) -> list[str]:
    """Return the libraries that a contender needs and that are not installed."""
    found = []
    for name in NEEDS[contender]:
        try:
            version(name)
        except PackageNotFoundError:
            found.append(name)
    return found


def measure(asked: Asked) -> Found:
    rows = []
    for contender in asked.contenders:
        if lacking := missing(contender):
            say(f"{contender} is left out, for want of {', '.join(lacking)}")
            continue
        climbed = climb(asked, contender)
        if not climbed["finished"]:
            say(f"{contender} finished no size within {asked.budget:.0f} s")
            continue
        rows.append(side_by_side(asked, contender, climbed))
    libraries = sorted({name for contender in asked.contenders for name in NEEDS[contender] if not missing(contender)})
    return {
        "schema_version": 1, "budget_seconds": asked.budget, "rounds": asked.rounds, "prompt_bytes": asked.prompt_bytes,
        "options": list(asked.options),
        "versions": {name: version(name) for name in libraries}, "machine": machine(asked.work),
        "code": code(version("stillwatch")), "rows": rows,
    }  # fmt: skip


def climb(asked: Asked, contender: str) -> Found:
    """Return the sizes that a contender finished in its time, and how the first one ended that it did not."""
    finished: list[Found] = []
    for calls in asked.sizes():
        tried = attempt(asked, contender, calls, 0)
        if tried["ended"] != "well":
            return {"finished": finished, "stopped_at": calls, "stopped": tried["ended"]}
        finished.append({"calls": calls, "wall_seconds": tried["wall_seconds"]})
    return {"finished": finished, "stopped_at": None, "stopped": "largest size asked"}


def attempt(asked: Asked, contender: str, calls: int, number: int) -> Found:
    """Let a contender have one world for as long as the budget lasts, and grade it."""
    world = written(asked, calls)
    out = asked.work / "runs" / f"{contender}-{calls}"
    # A size that was too much for one budget may fit another: the budget is part of what was asked.
    key = {**_world_key(asked, calls), "contender": digest(ROOT / "bench" / "contenders.py"), "budget": asked.budget}
    key["versions"] = {name: version(name) for name in NEEDS[contender]}

    def act() -> Found:
        say(f"{contender}: {calls:,} calls, round {number + 1} …")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        command = [sys.executable, "-m", "bench.contenders", "run", contender, str(world), str(out)]
        taken = run(command, asked.work / f"{contender}.log", Limits(seconds_max=asked.budget), out)
        say(f"{contender}: {calls:,} calls ended {taken.ended} after {taken.wall_seconds:.1f} s")
        if taken.ended != "well":
            shutil.rmtree(out, ignore_errors=True)
        return as_found(taken)

    return once(asked.work / f"{contender}-{calls}-{number + 1}.json", key, act)


def own(asked: Asked, contender: str, calls: int, number: int) -> Found:
    """Run Stillwatch on the same world, and grade it."""
    world = written(asked, calls)
    out = asked.work / "runs" / f"stillwatch-{calls}"

    def act() -> Found:
        say(f"stillwatch beside {contender}: {calls:,} calls, round {number + 1} …")
        command = [*STILLWATCH, "detect", str(world / "events"), "--accounts", str(world / "accounts.jsonl")]
        taken = run_well(
            [*command, "--out", str(out), "--force", *asked.options], asked.work / "stillwatch.log", folder=out.parent
        )
        say(f"stillwatch: {calls:,} calls in {taken.wall_seconds:.1f} s")
        return {**as_found(taken), **said("bench.own_score", out, world / "truth")}

    key = {**_world_key(asked, calls), "source": digest(SOURCE), "options": list(asked.options)}
    return once(asked.work / f"stillwatch-{contender}-{calls}-{number + 1}.json", key, act)


def side_by_side(asked: Asked, contender: str, climbed: Found) -> Found:
    """Let a contender and Stillwatch take turns on the largest world that the contender finished."""
    calls = climbed["finished"][-1]["calls"]
    pairs = [(attempt(asked, contender, calls, 0), own(asked, contender, calls, 0))]
    graded = _graded(asked, contender, calls, pairs[0][1]["honest_bound"])
    for number in range(1, asked.rounds):
        theirs = attempt(asked, contender, calls, number)
        if theirs["ended"] == "well":
            pairs.append((theirs, own(asked, contender, calls, number)))
    ratios = [theirs["wall_seconds"] / ours["wall_seconds"] for theirs, ours in pairs]
    return {
        "contender": contender, "title": TITLES[contender], "calls": calls, "climb": climbed,
        "rounds_count": len(pairs), "target": TARGET,
        "wall_seconds": median(theirs["wall_seconds"] for theirs, _ in pairs),
        "cpu_seconds": median(theirs["cpu_seconds"] for theirs, _ in pairs),
        "peak_bytes": max(theirs["peak_bytes"] for theirs, _ in pairs),
        "own_wall_seconds": median(ours["wall_seconds"] for _, ours in pairs),
        "own_cpu_seconds": median(ours["cpu_seconds"] for _, ours in pairs),
        "own_peak_bytes": max(ours["peak_bytes"] for _, ours in pairs),
        "ratio": median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
        "load_max": max(max(theirs["load_max"], ours["load_max"]) for theirs, ours in pairs),
        "graded": graded,
        "own": {name: pairs[0][1][name] for name in ("recall", "precision", "honest_bound", "accounts_count")},
    }  # fmt: skip


def _graded(asked: Asked, contender: str, calls: int, rate: float) -> Found:
    world, out = asked.world(calls), asked.work / "runs" / f"{contender}-{calls}"
    key = {"rate": rate, "grading": digest(ROOT / "bench" / "contenders.py"), **_world_key(asked, calls)}
    return once(
        asked.work / f"{contender}-{calls}-graded.json", key,
        lambda: said("bench.contenders", "grade", world, out, rate),
    )  # fmt: skip


def written(asked: Asked, calls: int) -> Path:
    world = asked.world(calls)
    mark = world.with_suffix(".json")

    def act() -> Found:
        say(f"writing a world of {calls:,} calls …")
        shutil.rmtree(world, ignore_errors=True)
        world.parent.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "bench.replay",
            "--calls",
            str(calls),
            "--days",
            str(DAYS),
            "--out",
            str(world),
        ]
        command += ["--seed", str(SEED), "--prompt-bytes", str(asked.prompt_bytes)]
        return as_found(run_well(command, asked.work / "replay.log"))

    if not world.exists():
        mark.unlink(missing_ok=True)
    key = _world_key(asked, calls)
    kept = mark.exists() and json.loads(mark.read_text(encoding="utf-8"))["key"] == key
    if not kept:
        once(mark, key, act)
    return world


def _world_key(asked: Asked, calls: int) -> Found:
    writing = digest(
        SOURCE / "lab", SOURCE / "event.py", *(ROOT / "bench" / name for name in ("replay.py", "prompts.py"))
    )
    return {"calls": calls, "prompt_bytes": asked.prompt_bytes, "world": writing}


def said(module: str, *words: object) -> Found:
    """Return what a command of our own prints: grading reads large tables, and this process stays small."""
    command = [sys.executable, "-m", module, *map(str, words)]
    found: Found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> Found:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--contenders", nargs="+", choices=tuple(NEEDS), default=list(NEEDS))
    options.add_argument("--smallest", type=int, default=25_000, help="calls of the first world")
    options.add_argument("--largest", type=int, default=6_400_000, help="calls at most, whoever is how fast")
    options.add_argument("--budget", type=float, default=600.0, help="seconds that a contender has")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--prompt-bytes", type=int, default=400)
    options.add_argument("--no-power", action="store_true", help="do not ask what could have been found")
    options.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "assembled")
    given = options.parse_args(arguments)
    asked = Asked(
        tuple(given.contenders), given.smallest, given.largest, given.budget, given.rounds, given.prompt_bytes,
        given.work, ("--no-power",) if given.no_power else (),
    )  # fmt: skip
    asked.work.mkdir(parents=True, exist_ok=True)
    result = measure(asked)
    for row in result["rows"]:
        best = row["graded"]
        say(
            f"{row['title']}: {row['calls']:,} calls in {row['wall_seconds']:.1f} s, Stillwatch in "
            f"{row['own_wall_seconds']:.1f} s: {row['ratio']:.1f} times; recall {best['best_recall']:.3f} at precision "
            f"{best['best_precision']:.3f} against {row['own']['recall']:.3f} at {row['own']['precision']:.3f}"
        )
    write_result(asked.work.parent / "assembled.json", result)
    return result


if __name__ == "__main__":
    main()
