from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from bench.measuring import Limits, machine, once, run

HUNDRED_MB = 100_000_000


def command(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_finished_step_is_not_repeated_and_a_changed_question_is(tmp_path: Path) -> None:
    acts: list[int] = []

    def act() -> dict[str, Any]:
        acts.append(1)
        return {"seconds": len(acts)}

    path = tmp_path / "step.json"
    assert once(path, {"calls": 1}, act) == once(path, {"calls": 1}, act) == {"seconds": 1}
    assert once(path, {"calls": 2}, act) == {"seconds": 2}


def test_an_interrupted_step_leaves_nothing_behind_that_counts(tmp_path: Path) -> None:
    path = tmp_path / "step.json"

    def act() -> dict[str, Any]:
        raise KeyboardInterrupt

    try:
        once(path, {"calls": 1}, act)
    except KeyboardInterrupt:
        assert not path.exists()


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    child = f"held = bytearray({HUNDRED_MB}); sum(range(30_000_000))"
    program = (
        f"import subprocess, sys; held = bytearray({HUNDRED_MB}); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    taken = run(command(program), tmp_path / "log")
    assert taken.ended == "well"
    assert taken.processes_max == 2
    assert taken.peak_bytes > 2 * HUNDRED_MB


def test_a_command_that_is_late_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    endless = "while True: pass"
    program = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {endless!r}])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    taken = run(command(program), tmp_path / "log", Limits(seconds_max=2.0))
    assert taken.ended == "late"
    started = int((tmp_path / "log").read_text().split()[0])
    stat = Path(f"/proc/{started}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_the_kernel_keeps_a_command_to_its_memory(tmp_path: Path) -> None:
    limits = Limits(memory_max_bytes=400_000_000)
    program = "import time\nheld = [bytearray(50_000_000) for _ in range(20)]"
    assert run(command(program), tmp_path / "log", limits).ended == "badly"
    assert "MemoryError" in (tmp_path / "log").read_text()


def test_disk_that_a_command_fills_and_frees_again_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    program = (
        f"import os, sys\nfile = open({str(folder / 'large')!r}, 'wb')\nfile.write(bytes({HUNDRED_MB}))\n"
        f"file.flush()\nsum(range(80_000_000))\nos.remove({str(folder / 'large')!r})"
    )
    taken = run(command(program), tmp_path / "log", folder=folder)
    assert taken.folder_peak_bytes >= HUNDRED_MB
    assert os.listdir(folder) == []


def test_figures_name_the_machine_that_they_hang_on(tmp_path: Path) -> None:
    told = machine(tmp_path)
    assert all(told[name] for name in ("processors", "processor", "memory_bytes"))
    assert told["disk"]["file_system"]
