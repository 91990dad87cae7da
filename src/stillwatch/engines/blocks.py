"""How a log's time is split: some blocks choose which families are tested, the others test them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from stillwatch.kernels.sketch import mix_all

BLOCK_US = 3_600_000_000
"""An hour: campaigns of a few hours fall into blocks of both kinds."""

BLOCKS_MIN = 24
"""A short log is cut into this many blocks instead, of a minute at least."""


@dataclass(frozen=True, slots=True)
class LogFacts:
    """How many events and accounts, from when to when (microseconds), and how many calls each loss befell."""

    events_count: int
    accounts_count: int
    first_us: int
    last_us: int
    duplicates_count: int
    losses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Blocks:
    """How time is split: blocks of `width_us`, each wholly for choosing families or wholly for testing them."""

    width_us: int
    salt: int

    def tested(self, time_us: np.ndarray) -> np.ndarray:
        """Return for each time whether its block is tested: uint8[n]. One of each two blocks is, by a salted hash."""
        block = (time_us // self.width_us).astype(np.uint64)
        first = mix_all((block >> np.uint64(1)) ^ np.uint64(self.salt))
        return np.asarray((block ^ first) & np.uint64(1), dtype=np.uint8)


def split_time(facts: LogFacts, seed: int) -> Blocks:
    """Cut time into blocks, half of which choose families and half of which test them."""
    span = facts.last_us - facts.first_us
    width = BLOCK_US
    if span < BLOCKS_MIN // 2 * BLOCK_US:
        width = max(60_000_000, span // BLOCKS_MIN // 60_000_000 * 60_000_000)
    salt = hashlib.blake2b(f"blocks {seed}".encode(), digest_size=8).digest()
    return Blocks(width, int.from_bytes(salt, "little"))
