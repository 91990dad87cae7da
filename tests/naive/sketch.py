"""The sketch of a text, word by word and slowly: what `kernels.sketch` does, to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stillwatch.kernels.intent import CLASS_RULES, ROLE_WORDS
from stillwatch.trace import PHRASE_CLASSES

MASK = 2**64 - 1
FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
STEP = 0x9FB21C651E98DF25
NUMBER, LITERAL = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
"""What stands for any word with a digit, and for any short quotation."""

# A short quotation; one sign of a script without spaces (three bytes); a run of letters and digits.
TOKEN = re.compile(
    rb"""(?P<literal>"[^"\n]{1,32}"|`[^`\n]{1,32}`)|(?P<sign>[\xe3-\xed][\x00-\xff]{0,2})"""
    rb"""|(?P<word>[A-Za-z0-9_\x80-\xe2\xee-\xff]+)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Word:
    """One word: `own` hashes what it says, `masked` what a shingle sees, `content` whether it tells a topic."""

    own: int
    masked: int
    content: bool


def mix(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def fnv(word: bytes) -> int:
    value = FNV_OFFSET
    for byte in word:
        value = (value ^ byte) * FNV_PRIME & MASK
    return value


def tokenise(text: bytes) -> list[Word]:
    words = []
    for match in TOKEN.finditer(text):
        if match["literal"]:
            words.append(Word(fnv(match["literal"][1:-1].lower()), LITERAL, content=False))
        elif match["sign"]:
            own = fnv(match["sign"])
            words.append(Word(own, own, content=True))
        else:
            own = fnv(match["word"].lower())
            numbered = any(48 <= byte <= 57 for byte in match["word"])
            words.append(Word(own, NUMBER if numbered else own, len(match["word"]) >= 4 and not numbered))
    return words


def digest(words: list[Word]) -> int:
    value = FNV_OFFSET
    for word in words:
        value = mix((value * STEP + word.own) & MASK)
    return value


def shingles(words: list[Word], seed: int) -> list[int]:
    """Hash every five words in a row; a shorter text is one shingle."""
    width = min(5, len(words))
    found = []
    for first in range(len(words) - width + 1 if words else 0):
        value = seed
        for word in words[first : first + width]:
            value = (value * STEP + word.masked) & MASK
        found.append(mix(value))
    return found


def winnow(words: list[Word], seed: int, size: int) -> list[int]:
    """Keep the shingles that are the smallest for the longest way around; of equal ones the first goes on."""
    values = shingles(words, seed)
    reigns: dict[int, int] = {}
    for at, value in enumerate(values):
        left = next((at - other for other in range(at - 1, -1, -1) if values[other] <= value), at + 1)
        right = next((other - at for other in range(at + 1, len(values)) if values[other] < value), len(values) - at)
        reigns[value] = max(reigns.get(value, 0), left + right)
    longest = sorted(reigns, key=lambda value: (-reigns[value], value))[:size]
    return [value & 0xFFFFFFFF for value in sorted(longest)] + [0] * (size - len(longest))


def topic_bits(words: list[Word], seed: int) -> int:
    bits = 0
    for word in words:
        if word.content:
            bits |= 1 << (mix(word.masked ^ seed) & 63)
    return bits


def phrase_bits(words: list[Word]) -> int:
    """Set a class's bit where, for one of its rules, some stretch of words holds every role."""
    places = {
        role: [at for at, word in enumerate(words) if word.masked in {fnv(each.encode()) for each in lexicon.split()}]
        for role, lexicon in ROLE_WORDS.items()
    }
    bits = 0
    for bit, name in enumerate(PHRASE_CLASSES):
        for window, roles in CLASS_RULES[name]:
            for end in range(len(words)):
                if all(any(end - window <= at <= end for at in places[role]) for role in roles):
                    bits |= 1 << bit
    return bits


@dataclass(frozen=True)
class Sketch:
    """What one text leaves in a trace."""

    shingles: list[int]
    item: int
    topic: int
    phrases: int
    words: int


def sketch(text: bytes, seed: int, size: int) -> Sketch:
    words = tokenise(text)
    return Sketch(
        winnow(words, seed, size),
        mix(digest(words) ^ seed) if words else 0,
        topic_bits(words, seed),
        phrase_bits(words),
        len(words),
    )
