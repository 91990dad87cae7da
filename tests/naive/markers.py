"""The names that a prompt fixes for its answer, one regular expression: what `kernels.markers` does, to be read."""

from __future__ import annotations

import re

from tests.naive.sketch import MASK, fnv, mix

SALT = 0xD1B54A32D192ED03
NAME = rb"(?P<name>[A-Za-z_\x80-\xe2\xee-\xff][A-Za-z0-9_\x80-\xe2\xee-\xff-]{1,39})"
MARKER = re.compile(rb"""(?P<quote>["'`])""" + NAME + rb"""(?P=quote)|</?""" + NAME.replace(b"name", b"tag") + rb">")


def markers(texts: list[bytes], seed: int, size: int) -> list[int]:
    found = set()
    for text in texts:
        for match in MARKER.finditer(text):
            found.add(mix((fnv((match["name"] or match["tag"]).lower()) ^ seed ^ SALT) & MASK))
    smallest = sorted(found)[:size]
    return [value & 0xFFFFFFFF for value in smallest] + [0] * (size - len(smallest))
