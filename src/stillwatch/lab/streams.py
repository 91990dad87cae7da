"""Reproducible randomness: one generator for each (seed, names), and arithmetic on 64-bit keys.

What must not depend on how the output is cut is never drawn from a generator: it is computed from
a call's own keys, so that any row can be made without the rows before it.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.float64]

GOLDEN = 0x9E3779B97F4A7C15
_GOLDEN = np.uint64(GOLDEN)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_UNIT = 2.0**-53


def name_key(seed: int, *names: object) -> int:
    """Return 64 bits that belong to these names under this seed."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, *names: object) -> np.random.Generator:
    """Return the generator of these names: independent of every other, whatever was drawn before."""
    text = "\x1f".join([str(seed), *map(str, names)])
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def mix(keys: Keys, salt: int | Keys = 0) -> Keys:
    """Hash each key with a salt; for one salt a bijection, so that distinct keys stay distinct.

    Source:  Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (the finaliser).
    """
    if isinstance(salt, int):
        added = np.uint64(((salt + 1) * GOLDEN) & 0xFFFFFFFFFFFFFFFF)
        mixed = keys + added
    else:
        mixed = salt * _GOLDEN
        mixed += keys
        mixed += _GOLDEN
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def unit(keys: Keys, salt: int = 0) -> Numbers:
    """Return one number in [0, 1) for each key."""
    drawn: Numbers = np.multiply(mix(keys, salt) >> np.uint64(11), _UNIT)
    return drawn


def normal(keys: Keys, salt: int = 0) -> Numbers:
    """Return one standard normal number for each key, by the polar form of two uniform ones."""
    radius = np.sqrt(-2.0 * np.log(1.0 - unit(keys, salt)))
    drawn: Numbers = radius * np.cos(2.0 * np.pi * unit(keys, salt + 1))
    return drawn
