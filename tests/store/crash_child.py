"""Does something to copies of a store, and is killed at the first, the second, … operation on the disk.

Called as: crash_child.py ACTION BASE COPIES LOG. Copies are numbered by the operation at which their writer died; the
last one lived. Python's audit events tell of each operation before it happens.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.pseudonym import UNKEYED, key_ident
from stillwatch.store.closing import close_days, days_before
from stillwatch.store.manifest import HOUR_US
from stillwatch.store.store import Store
from stillwatch.store.upkeep import prune, sweep
from tests.store.calls import fold_files

KEPT_US = 20 * HOUR_US

OPERATIONS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.truncate"}


def act(action: str, store: Path, log: Path) -> None:
    opened = Store.open(str(store), key_ident(UNKEYED))
    if action == "ingest":
        fold_files(store, log, folder=store.parent)
    elif action == "close":
        close_days(opened, days_before(opened, "2027-01-01"), str)
    else:
        prune(opened, KEPT_US)
        sweep(opened, datetime(2100, 1, 1, tzinfo=UTC))


def die_at(operation: int, store: Path) -> None:
    done = 0

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal done
        if event in OPERATIONS and str(store) in str(arguments[0]) and _writes(event, arguments):
            done += 1
            if done == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(heard)


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    return event != "open" or bool(set("wxa+") & set(str(arguments[1])))


def main(action: str, base: str, copies: str, log: str) -> None:
    # What is compiled once serves every child.
    warm = Path(copies) / "warm"
    shutil.copytree(base, warm)
    act(action, warm, Path(log))
    shutil.rmtree(warm)
    operation, status = 0, -1
    while status != 0:
        operation += 1
        store = Path(copies) / f"{operation:03d}"
        shutil.copytree(base, store)
        child = os.fork()
        if child == 0:
            die_at(operation, store)
            act(action, store, Path(log))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), status


if __name__ == "__main__":
    main(*sys.argv[1:])
