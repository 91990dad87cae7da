"""What a spool took is on the disk, whatever happens to its process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.errors import Error
from stillwatch.gate.spool import SPOOL_BYTES_MIN, Spool

WRITER = """
import sys
from pathlib import Path
from stillwatch.gate.spool import Spool
spool = Spool(Path(sys.argv[1]), "writer", 1 << 30, 4096)
number = 0
while True:
    number += 1
    assert spool.append(b'{"n": %d, "filler": "%s"}' % (number, b"x" * (number % 300)), number)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def lines_of(spool: Spool) -> list[bytes]:
    return [line for path in spool.sealed() for line in path.read_bytes().split(b"\n")[:-1]]


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_loses_no_line_that_the_spool_took(tmp_path: Path, seed: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    taken = 0
    for _ in range(random.Random(seed).randrange(50, 400)):
        taken = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    # What was said before the kill arrived counts as well.
    rest = child.stdout.read().split(b"\n")[:-1]
    taken = int(rest[-1]) if rest else taken
    child.wait()
    heir = Spool(tmp_path, "heir", 1 << 30)
    found = lines_of(heir)
    assert len(found) >= taken
    assert [line.split(b",")[0] for line in found] == [b'{"n": %d' % (at + 1) for at in range(len(found))]
    heir.close()


def test_a_full_spool_says_no_and_takes_again_once_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "one", SPOOL_BYTES_MIN)
    line = b"x" * (SPOOL_BYTES_MIN // 4 - 1)
    assert [spool.append(line, at) for at in range(5)] == [True] * 4 + [False]
    spool.seal()
    for segment in spool.sealed():
        spool.done(segment)
    assert spool.append(line, 9)
    spool.close()


def test_what_is_left_of_earlier_processes_counts_against_the_room(tmp_path: Path) -> None:
    first = Spool(tmp_path, "first", SPOOL_BYTES_MIN)
    first.append(b"x" * (SPOOL_BYTES_MIN - 10), 1)
    first.close()
    second = Spool(tmp_path, "second", SPOOL_BYTES_MIN)
    assert not second.append(b"y" * 100, 2)
    assert len(second.sealed()) == 1
    second.close()


def test_a_living_process_keeps_its_segments(tmp_path: Path) -> None:
    living = Spool(tmp_path, "living", SPOOL_BYTES_MIN)
    living.append(b"mine", 1)
    other = Spool(tmp_path, "other", SPOOL_BYTES_MIN)
    assert other.sealed() == []
    with pytest.raises(Error) as caught:
        Spool(tmp_path, "living", SPOOL_BYTES_MIN)
    assert caught.value.ident == "spool-in-use"
    living.close()
    other.close()


def test_a_spool_is_for_its_owner_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "one", SPOOL_BYTES_MIN)
    spool.append(b"secret", 1)
    spool.seal()
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "spool" / "one", *spool.sealed())] == [0, 0]
    spool.close()


def test_a_spool_without_anything_leaves_no_folder(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "one", SPOOL_BYTES_MIN)
    spool.close()
    assert list(tmp_path.iterdir()) == []
