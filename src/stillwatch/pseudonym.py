"""Keyed pseudonyms: what stands for a raw identifier inside traces and digests.

A pseudonym is a 64-bit keyed hash. The same key and the same value give the same pseudonym in
every run, so runs of one provider can be joined; another key makes them strangers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

UNKEYED = b"stillwatch: no key was set"
"""The secret of a run without a key: pseudonyms are then reproducible by anyone who has the log."""


@dataclass(frozen=True, slots=True)
class Key:
    """Two 64-bit halves of a SipHash key, one pair for each purpose."""

    first: int
    second: int

    @staticmethod
    def derive(secret: bytes, purpose: str) -> Key:
        """Derive the key of one purpose, so that equal values of two purposes do not meet."""
        digest = hashlib.blake2b(secret, digest_size=16, person=purpose.encode()[:16]).digest()
        return Key(int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little"))


def key_ident(key: bytes) -> str:
    """Return the name of a key, by which runs and streams under it are told from others."""
    return hashlib.blake2b(key, digest_size=4, person=b"key ident").hexdigest()
