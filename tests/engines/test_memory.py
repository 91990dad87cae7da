"""A run keeps to its memory however long the log: measured, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house.repository import ROOT

RESIDENT_MAX_MB = 2_000
"""The ceiling that the run promises for any number of files."""

CALLS = 400_000

PROGRAM = r"""
import json, re, sys
from pathlib import Path
from stillwatch.engines.run import RunRequest, detect
from tests.scenes.scene import Silent
from tests.scenes.world import EXTRACT, vocabulary
import numpy as np

folder, calls = Path(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(1)
words = np.array(vocabulary(rng, 3_000))
with (folder / "events.jsonl").open("w") as log:
    for number in range(calls):
        account = number % 4_000 if number % 2 else (number // 2) % 300
        text = " ".join(words[rng.integers(0, 3_000, 12)])
        row = {
            "event_id": f"e{number}", "time": 1_790_000_000 + number // 5, "account_id": f"a{account}",
            "request_model": "m", "input_text": text if number % 2 else EXTRACT + text, "client_ip": f"ip {account}",
        }
        log.write(json.dumps(row) + "\n")
detect(RunRequest((str(folder / "events.jsonl"),), folder / "run", power=False), Silent())
# The kernel's own mark of this program: getrusage would hand down the peak of the process that started it.
print(int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_four_hundred_thousand_calls_stay_under_the_ceiling(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(CALLS)],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < RESIDENT_MAX_MB
