"""SipHash with one round a block and three at the end, in whole numbers."""

from __future__ import annotations

MASK = 2**64 - 1


def rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & MASK


def mixed(state: list[int]) -> list[int]:
    a, b, c, d = state
    a, c = (a + b) & MASK, (c + d) & MASK
    b, d, a = rotate(b, 13) ^ a, rotate(d, 16) ^ c, rotate(a, 32)
    c, a = (c + b) & MASK, (a + d) & MASK
    return [a, rotate(b, 17) ^ c, rotate(c, 32), rotate(d, 21) ^ a]


def siphash(data: bytes, first: int, second: int) -> int:
    words = b"somepseudorandomlygeneratedbytes"
    start = [int.from_bytes(words[at : at + 8], "big") for at in (0, 8, 16, 24)]
    state = [word ^ key for word, key in zip(start, (first, second, first, second), strict=True)]
    whole = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for at in range(0, len(whole), 8):
        block = int.from_bytes(whole[at : at + 8], "little")
        state[3] ^= block
        state = mixed(state)
        state[0] ^= block
    state[2] ^= 255
    for _ in range(3):
        state = mixed(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def pseudonym(value: str | None, first: int, second: int) -> int:
    """Nothing is 0; what would be 0 by chance is 1."""
    return (siphash(value.encode(), first, second) or 1) if value else 0
