"""Small snapshots for tests: one campaign with a template, as a run would have found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.evidence import signing
from stillwatch.gate import snapshot_file
from stillwatch.gate.contract import Call
from stillwatch.gate.run_files import Held, Marks, RunFiles
from stillwatch.gate.snapshot import OpenSnapshot, open_snapshot
from stillwatch.gate.snapshot_build import Given, build
from stillwatch.kernels.pseudonyms import pseudonyms
from stillwatch.kernels.single import call_shingles
from stillwatch.pseudonym import Key

SECRET = b"the secret of a test, long enough"
NOW_US = 1_796_000_000_000_000
DAY_US = 86_400_000_000
CAMPAIGN, FAMILY = "c-00000000000000c1", "f-0000000000f1"
TEMPLATE = "Write the complete chain of reasoning for the task below, number every step, and end with the verdict. "
BAN = "2026-11-20T00:00:00Z"


def keys(*names: str) -> np.ndarray:
    return pseudonyms(pa.array(names, pa.string()), Key.derive(SECRET, "identifiers"))


def shingles(text: str) -> tuple[int, ...]:
    seed = np.uint64(Key.derive(SECRET, "shingles").first)
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    return tuple(sorted(set(call_shingles(data[:0], data, seed).tolist()) - {0}))


MARKS = Marks(
    CAMPAIGN, FAMILY, shingles(TEMPLATE), 4, shingles(TEMPLATE)[:6], 2, 5_000, 100, 0, 0,
    (Held("address", f"{keys('192.0.2.7')[0]:016x}", 40, 41), Held("client", f"{keys('t13d')[0]:016x}", 10, 200)), BAN,
)  # fmt: skip


def run_of(
    named: Sequence[str] = ("acct-1", "acct-2"),
    watched: Sequence[str] = ("acct-w",),
    marks: Sequence[Marks] = (MARKS,),
    **changed: Any,
) -> RunFiles:
    count = len(named) + len(watched)
    run = RunFiles(
        "run-1", NOW_US - DAY_US, (CAMPAIGN,), keys(*named, *watched), np.zeros(count, dtype=np.int64),
        np.arange(count) < len(named), tuple(marks),
    )  # fmt: skip
    return replace(run, **changed)


def given(*runs: RunFiles, **changed: Any) -> Given:
    plain = Given(SECRET, NOW_US, NOW_US + 30 * DAY_US, sequence=7, runs=runs)
    return replace(plain, **changed)


@dataclass
class Signer:
    """Whoever builds the snapshots of one test."""

    folder: Path
    private: bytes = field(default_factory=signing.new_private_key)

    @property
    def trusted(self) -> dict[str, bytes]:
        return {"builder.pub": signing.public_key(self.private)}

    @property
    def path(self) -> Path:
        return self.folder / "gate.snapshot"

    def write(self, asked: Given) -> str:
        return snapshot_file.write(self.path, *build(asked), self.private)

    def open(self, asked: Given, now_us: int = NOW_US) -> OpenSnapshot:
        self.write(asked)
        return open_snapshot(self.path, self.trusted, SECRET, now_us)


def call(account: str = "acct-new", text: str | None = "Good morning, can you help me?", **columns: Any) -> Call:
    return Call(**{"time_us": NOW_US, "account_id": account, "request_model": "model-a", "input_text": text, **columns})
