"""Files that one window leaves to the next."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec


def replace_state(path: Path, state: dict[str, Any]) -> None:
    """Replace a state file by another as JSON, whole or not at all, and wait until the disk has it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    Path(name).replace(path)
