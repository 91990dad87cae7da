"""Planes and sides, a number at a time: what `kernels.semantic` does, to be read."""

from __future__ import annotations

from tests.naive.sketch import MASK, mix

GOLDEN = 0x9E3779B97F4A7C15
SALT = 0x8CB92BA72F3D8DD7
CODES, BITS = 2, 16
STEPS = 1 << 20


def hyperplanes(key: int, dimensions: int) -> list[list[int]]:
    planes = []
    for row in range(CODES * BITS):
        plane = []
        for column in range(dimensions):
            counter = (row * dimensions + column + 1) * GOLDEN & MASK
            drawn = mix(mix(counter) ^ key)
            plane.append(sum(drawn.to_bytes(8, "little")) - 1020)
        planes.append(plane)
    return planes


def fold(vector: list[float], planes: list[list[int]], seed: int) -> list[int]:
    largest = max((abs(entry) for entry in vector), default=0.0)
    if largest == 0:
        return [0] * CODES
    fixed = [round(entry / largest * STEPS) for entry in vector]
    codes = []
    for code in range(CODES):
        sides = code + 1 << BITS
        for bit in range(BITS):
            plane = planes[code * BITS + bit]
            if sum(a * b for a, b in zip(fixed, plane, strict=True)) > 0:
                sides |= 1 << bit
        codes.append(mix(sides ^ seed ^ SALT) & 0xFFFFFFFF or 1)
    return codes
