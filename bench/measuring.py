"""What every measurement here shares: a command with all its processes watched, the machine, steps done only once.

Nothing heavy is imported here: a process inherits the peak of memory of the one that started it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import detection
from bench.detection import STAGE_BEGINS

SAMPLE_SECONDS = 0.25
"""Between two looks at the memory of all processes; that of a command which starts no other is exact."""

SLOW_SAMPLES = 4
"""Looks between two at the load and at the disk that is taken: walking a folder costs more than reading a status."""

STILLWATCH = (sys.executable, "-c", "from stillwatch.cli.main import main; main()")
"""The command line of the very sources that this interpreter imports."""

Found = dict[str, Any]


@dataclass(slots=True)
class Taken:
    """What a command took, all the processes that it started included.

    Units:  seconds; bytes. `peak_bytes` is exact for the command's own process and sampled for a whole tree.
            `folder_peak_bytes` is the most disk that the watched folder took. `load_*` are 1-minute load averages.
    """

    ended: str = "well"
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    processes_max: int = 1
    read_bytes: int = 0
    written_bytes: int = 0
    folder_peak_bytes: int = 0
    load_before: float = 0.0
    load_mean: float = 0.0
    load_max: float = 0.0
    stage_peak_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a command may take: seconds, and bytes of address space (`RLIMIT_AS`, which the kernel enforces)."""

    seconds_max: float | None = None
    memory_max_bytes: int | None = None


def run(
    command: Sequence[str], log: Path, limits: Limits | None = None, folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Taken:  # fmt: skip
    """Run a command, keep what it says in `log`, and say what it took; `ended` is well, late or badly."""
    limits = limits or Limits()
    taken = Taken(load_before=round(os.getloadavg()[0], 2))
    watch = _Watch(taken, folder)
    begun = time.perf_counter()
    with log.open("w", buffering=1) as kept:
        child = subprocess.Popen(
            command, stdout=kept, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        if limits.memory_max_bytes:
            resource.prlimit(child.pid, resource.RLIMIT_AS, (limits.memory_max_bytes,) * 2)
        late = threading.Timer(limits.seconds_max or 1e9, _end, (child.pid, taken))
        late.daemon = True
        late.start()
        watch.begin(child.pid)
        assert child.stderr is not None
        for line in child.stderr:
            kept.write(line)
            if begins := STAGE_BEGINS.match(line):
                watch.stage = begins[1]
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        late.cancel()
        watch.finish()
    taken.wall_seconds = round(time.perf_counter() - begun, 3)
    taken.cpu_seconds = round(usage.ru_utime + usage.ru_stime, 3)
    taken.peak_bytes = max(taken.peak_bytes, usage.ru_maxrss * 1024)
    taken.read_bytes, taken.written_bytes = usage.ru_inblock * 512, usage.ru_oublock * 512
    if child.returncode and taken.ended == "well":
        taken.ended = "badly"
    return taken


def run_well(command: Sequence[str], log: Path, limits: Limits | None = None, folder: Path | None = None) -> Taken:
    """Run a command that has to end well.

    Raises:  SystemExit where it does not.
    """
    taken = run(command, log, limits, folder)
    if taken.ended != "well":
        raise SystemExit(f"{' '.join(command)} ended {taken.ended} after {taken.wall_seconds:.0f} s; see {log}")
    return taken


def _end(group: int, taken: Taken) -> None:
    """End the session that a command was started in, with all its processes."""
    taken.ended = "late"
    os.killpg(group, signal.SIGKILL)


class _Watch:
    """Looks at a session's processes until told to stop."""

    def __init__(self, taken: Taken, folder: Path | None) -> None:
        self.stage = "start"
        self._taken, self._folder = taken, folder
        self._over = threading.Event()
        self._loads: list[float] = []

    def begin(self, session: int) -> None:
        self._thread = threading.Thread(target=self._look, args=(session,), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._over.set()
        self._thread.join()
        loads = self._loads or [os.getloadavg()[0]]
        self._taken.load_mean = round(statistics.fmean(loads), 2)
        self._taken.load_max = round(max(loads), 2)

    def _look(self, session: int) -> None:
        taken, looks = self._taken, 0
        while not self._over.wait(SAMPLE_SECONDS):
            pids = _of_session(session)
            taken.processes_max = max(taken.processes_max, len(pids))
            held = sum(_resident(pid, shared=len(pids) > 1) for pid in pids)
            taken.peak_bytes = max(taken.peak_bytes, held)
            taken.stage_peak_bytes[self.stage] = max(taken.stage_peak_bytes.get(self.stage, 0), held)
            if looks % SLOW_SAMPLES == 0:
                self._loads.append(os.getloadavg()[0])
                if self._folder:
                    taken.folder_peak_bytes = max(taken.folder_peak_bytes, size_of(self._folder))
            looks += 1


def _of_session(session: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                found.append(int(entry))
    return found


def _resident(pid: int, shared: bool) -> int:
    """Return the resident bytes of a process; pages that several processes share count once among them."""
    name, key = ("smaps_rollup", "Pss") if shared else ("status", "VmRSS")
    try:
        text = Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return 0
    held = re.search(rf"^{key}:\s+(\d+) kB", text, flags=re.MULTILINE)
    return int(held[1]) * 1024 if held else 0


def size_of(folder: Path) -> int:
    """Return the bytes on disk of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue
    return total


def once(path: Path, key: Mapping[str, Any], act: Callable[[], Found]) -> Found:
    """Return what was found under the same key before, else find it and write it down whole or not at all."""
    if path.exists():
        kept: Found = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == dict(key):
            say(f"{path.stem}: done before")
            earlier: Found = kept["found"]
            return earlier
        say(f"{path.stem}: what was asked, or the code, changed; again")
    found = act()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(json.dumps({"key": dict(key), "found": found}, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
    return found


def write_result(path: Path, result: Found) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    say(f"{path} is written")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def machine(folder: Path) -> Found:
    """Return what the figures hang on: processor, memory, libraries, and the disk that holds `folder`."""
    return {**detection.machine(), "processor": _processor(), "disk": _disk(folder)}


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
    return found[1].strip() if found else "unknown"


def _disk(folder: Path) -> Found:
    folder = folder.resolve()
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    over = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    device, _, kind, *_ = max(over, key=lambda mount: len(mount[1]))
    spins = Path(f"/sys/block/{Path(device).name.rstrip('0123456789')}/queue/rotational")
    usage = shutil.disk_usage(folder)
    return {
        "device": device, "file_system": kind, "size_bytes": usage.total, "free_bytes": usage.free,
        "rotational": spins.read_text().strip() == "1" if spins.exists() else None,
    }  # fmt: skip


def as_found(taken: Taken) -> Found:
    return asdict(taken)
