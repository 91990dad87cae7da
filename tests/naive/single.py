"""Which signature a call carries, said plainly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    own: frozenset[int]
    own_needed: int
    core: frozenset[int]
    hits_needed: int
    outside: int
    expires_us: int


def carried_signature(shingles: Sequence[int], signatures: Sequence[Signature], now_us: int) -> tuple[int, int]:
    """Return the place of the signature that a call carries most of, and its hits; (-1, 0) where it carries none."""
    found = []
    for at, one in enumerate(signatures):
        own = sum(shingle in one.own for shingle in shingles if shingle)
        hits = sum(shingle in one.core for shingle in shingles if shingle)
        if own and own >= one.own_needed and hits >= one.hits_needed and one.expires_us > now_us:
            found.append((-hits, one.outside, at))
    if not found:
        return -1, 0
    hits, _, at = min(found)
    return at, -hits
