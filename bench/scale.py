"""Measure the whole run as the log grows: 2, 20 and 176 million calls, a published campaign among them.

    .venv/bin/python -m bench.scale                                    every size, three rounds, one of the largest
    .venv/bin/python -m bench.scale --sizes 200000,2000000 --rounds 1  a trial
    .venv/bin/python -m bench.scale --sizes 20000000:1500              prompts of 1,500 bytes instead of 400

Each size is a window of the replayed campaign (`bench/replay.py`), written once. Then, round after round, the log is
decoded and thrown away (`bench/decode.py`: the same columns, batches and threads), and searched: `stillwatch detect`
as a user runs it, in a process of its own whose address space the kernel bounds (`RLIMIT_AS`), so that a run that is
done stayed below the ceiling. Memory is that of all processes together, the disk that of the run's folder at its
fullest. The load of the machine is noted from begin to end: what else ran is in the figures.

Finished steps are kept in `build/bench/scale` and not repeated while the code and the question stay the same.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.assembled import said
from bench.detection import ROOT, SOURCE, code, digest
from bench.measuring import STILLWATCH, Found, Limits, as_found, machine, median, once, run_well, say, write_result

SIZES = "2000000,20000000,20000000:1500,176000000"
PROMPT_BYTES = 400
SEED = 2026

LARGE_CALLS = 100_000_000
"""From here on one round is measured unless more are asked for: it is a matter of an hour, and of the disk."""

MEMORY_MAX_BYTES = 8 * 2**30
"""What the largest run may hold; address space is more than what is resident, so that the limit is the stricter one."""

LOG_SHARE, RUN_BYTES = 0.5, 650
"""Parquet bytes for one byte of prompt, and bytes of a call in the folder of its run, where no smaller log has shown
them yet: as seen at two million calls. A size whose log and run would not fit on the disk is not begun."""


@dataclass(frozen=True, slots=True)
class Size:
    """One log: how many calls, how long their prompts, and where its steps are kept."""

    calls: int
    prompt_bytes: int
    rounds: int
    folder: Path
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.calls:,} calls of {self.prompt_bytes} bytes"

    @property
    def world(self) -> Path:
        return self.folder / "world"

    @property
    def run(self) -> Path:
        return self.folder / "run"


def measured(size: Size, smaller: Sequence[Found], discard: bool, memory_max_bytes: int) -> Found:
    """Do every step of one size that is not done yet, and return all figures."""
    size.folder.mkdir(parents=True, exist_ok=True)
    writing = digest(
        SOURCE / "lab", SOURCE / "event.py", *(ROOT / "bench" / name for name in ("replay.py", "prompts.py"))
    )
    asked = {"calls": size.calls, "prompt_bytes": size.prompt_bytes, "world": writing}
    everything = digest(SOURCE)
    steps = [
        ("decode", {**asked, "source": everything}),
        ("detect", {**asked, "source": everything, "memory": memory_max_bytes, "options": list(size.options)}),
    ]
    rounds: list[Found] = []
    log: Found = {}
    if not _all_done(size, steps):
        log = _written(size, asked, bytes_each(size, smaller))
    for number in range(size.rounds):
        decoded = once(_step(size, "decode", number), steps[0][1], lambda: _decode(size))
        found = once(_step(size, "detect", number), steps[1][1], lambda: _detect(size, memory_max_bytes))
        took = f"{found['wall_seconds']:.0f} s, {found['cpu_seconds']:.0f} s of processors"
        held = f"{found['peak_bytes'] / 1e9:.2f} GB; decoding {decoded['wall_seconds']:.0f} s"
        say(f"{size.name}, round {number + 1} of {size.rounds}: {took}, {held}")
        rounds.append({"decode": decoded, "detect": found})
    if digest(SOURCE) != everything:
        raise SystemExit("the code changed while it was measured; run again")
    log = log or json.loads((size.folder / "log.json").read_text(encoding="utf-8"))["found"]
    if discard:
        shutil.rmtree(size.world, ignore_errors=True)
        shutil.rmtree(size.run, ignore_errors=True)
    return {
        "calls_asked": size.calls,
        "prompt_bytes": size.prompt_bytes,
        "log": log,
        **summed(rounds),
        "rounds": rounds,
    }


def summed(rounds: Sequence[Found]) -> Found:
    """Return medians of the rounds, peaks of them, and the ratios of each round's own pair."""
    decoded, found = [each["decode"] for each in rounds], [each["detect"] for each in rounds]
    calls = found[0]["events_count"]
    wall, cpu = (median(each[name] for each in found) for name in ("wall_seconds", "cpu_seconds"))
    return {
        "rounds_count": len(rounds), "events_count": calls, "wall_seconds": wall, "cpu_seconds": cpu,
        "wall_seconds_min": min(each["wall_seconds"] for each in found),
        "wall_seconds_max": max(each["wall_seconds"] for each in found),
        "calls_per_second": calls / wall, "cpu_seconds_per_million": cpu / calls * 1e6,
        "peak_bytes": max(each["peak_bytes"] for each in found),
        "folder_peak_bytes": max(each["folder_peak_bytes"] for each in found),
        "decode_wall_seconds": median(each["wall_seconds"] for each in decoded),
        "decode_cpu_seconds": median(each["cpu_seconds"] for each in decoded),
        "decode_ratio": _ratio(rounds, "wall_seconds"),
        "decode_cpu_ratio": _ratio(rounds, "cpu_seconds"),
        "load_before": max(each["load_before"] for each in found),
        "load_mean": median(each["load_mean"] for each in found),
        "read_bytes": median(each["read_bytes"] for each in found),
        "score": found[0]["score"],
    }  # fmt: skip


def _ratio(rounds: Sequence[Found], name: str) -> float:
    return median(each["detect"][name] / each["decode"][name] for each in rounds)


def _step(size: Size, name: str, number: int) -> Path:
    return size.folder / f"{name}-{number + 1}.json"


def _all_done(size: Size, steps: Sequence[tuple[str, Found]]) -> bool:
    """Tell whether every round of a size is there, so that its log, which may be gone, is not written again."""
    for number in range(size.rounds):
        for name, key in steps:
            path = _step(size, name, number)
            if not path.exists() or json.loads(path.read_text(encoding="utf-8"))["key"] != key:
                return False
    return (size.folder / "log.json").exists()


def bytes_each(size: Size, smaller: Sequence[Found]) -> float:
    """Return the disk that a call needs, in the log and in its run, by the largest log measured before."""
    alike = [row for row in smaller if row["prompt_bytes"] == size.prompt_bytes]
    if not alike:
        return LOG_SHARE * size.prompt_bytes + RUN_BYTES
    near = max(alike, key=lambda row: int(row["events_count"]))
    return float((near["log"]["size_bytes"] + near["folder_peak_bytes"]) / near["events_count"])


def _written(size: Size, key: Found, disk_each: float) -> Found:
    if not size.world.exists():
        (size.folder / "log.json").unlink(missing_ok=True)
    return once(size.folder / "log.json", key, lambda: _write(size, disk_each))


def _write(size: Size, disk_each: float) -> Found:
    shutil.rmtree(size.world, ignore_errors=True)
    needed = disk_each * size.calls
    free = shutil.disk_usage(size.folder).free
    if free < needed:
        raise SystemExit(
            f"{size.name} need about {needed / 1e9:.0f} GB of disk with their run, and {free / 1e9:.0f} are free"
        )
    say(f"{size.name}: writing the log …")
    command = [sys.executable, "-m", "bench.replay", "--calls", str(size.calls), "--out", str(size.world)]
    command += ["--prompt-bytes", str(size.prompt_bytes), "--seed", str(SEED)]
    taken = run_well(command, size.folder / "replay.log")
    files = sorted((size.world / "events").iterdir())
    return {
        "files_count": len(files), "size_bytes": sum(file.stat().st_size for file in files),
        "write_seconds": taken.wall_seconds, "write_peak_bytes": taken.peak_bytes,
    }  # fmt: skip


def _decode(size: Size) -> Found:
    say(f"{size.name}: decoding …")
    command = [sys.executable, "-m", "bench.decode", str(size.world / "events")]
    return as_found(run_well(command, size.folder / "decode.log"))


def _detect(size: Size, memory_max_bytes: int) -> Found:
    say(f"{size.name}: searching …")
    shutil.rmtree(size.run, ignore_errors=True)
    size.run.mkdir()
    out = size.run / "out"
    command = [*STILLWATCH, "detect", str(size.world / "events"), "--accounts", str(size.world / "accounts.jsonl")]
    limits = Limits(memory_max_bytes=memory_max_bytes or None)
    taken = run_well([*command, "--out", str(out), *size.options], size.folder / "detect.log", limits, size.run)
    told = json.loads((out / "run.json").read_text(encoding="utf-8"))
    kept = ("events_count", "accounts_count", "duplicates_count", "rejected_count", "stages", "saturated")
    return {
        **as_found(taken), **{name: told[name] for name in kept}, "memory_max_bytes": memory_max_bytes,
        "options": list(size.options),
        "score": said("bench.own_score", out, size.world / "truth"), "code": code(told["tool_version"]),
        "machine": machine(size.folder),
    }  # fmt: skip


def sizes(asked: argparse.Namespace) -> list[Size]:
    found = []
    for word in asked.sizes.split(","):
        calls, _, long = word.partition(":")
        rounds = asked.large_rounds if int(calls) >= LARGE_CALLS else asked.rounds
        prompt_bytes = int(long or PROMPT_BYTES)
        folder = asked.work / f"{int(calls)}-{prompt_bytes}"
        found.append(Size(int(calls), prompt_bytes, rounds, folder, ("--no-power",) if asked.no_power else ()))
    return found


def main(arguments: Sequence[str] | None = None) -> Found:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", default=SIZES, help="CALLS or CALLS:PROMPT_BYTES, several with commas between")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--large-rounds", type=int, default=1, help="rounds of 100 million calls and more")
    options.add_argument("--memory-max-gb", type=float, default=MEMORY_MAX_BYTES / 2**30, help="0 for no limit")
    options.add_argument("--no-power", action="store_true", help="do not ask what could have been found")
    options.add_argument("--discard", action="store_true", help="delete each log once it is measured")
    options.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "scale")
    asked = options.parse_args(arguments)
    asked.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in sizes(asked):
        rows.append(measured(size, rows, asked.discard, int(asked.memory_max_gb * 2**30)))
        result = {"schema_version": 1, "tool_version": version("stillwatch"), "rows": rows}
        write_result(asked.work.parent / "scale.json", result)
    return result


if __name__ == "__main__":
    main()
