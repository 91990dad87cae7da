"""Text → keyed shingles, an item digest, topic bits: one pass over Arrow buffers, no object per row."""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.intent import PHRASE_GROUPS_MAX, ROLE_COUNT, RULES, role_lookup

WORDS_PER_SHINGLE = 5
"""Five words: shorter runs are common speech, longer ones break at every slot (method: k = 5)."""

TEXT_BYTES_MAX = 262_144
"""What is sketched of one text; four times the longest published p95 prompt. A longer one is flagged."""

LITERAL_BYTES_MAX = 32
"""A quoted run up to this length is a literal and masked; a longer one is content."""

CONTENT_LETTERS_MIN = 4
"""Shorter words say little about a topic."""

SEPARATOR, LETTER, DIGIT, QUOTE, IDEOGRAPH = 0, 1, 2, 3, 4

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
NUMBER_TOKEN = np.uint64(0x9E3779B97F4A7C15)
LITERAL_TOKEN = np.uint64(0xC2B2AE3D27D4EB4F)
_STEP = np.uint64(0x9FB21C651E98DF25)


def _byte_classes() -> tuple[np.ndarray, np.ndarray]:
    kind = np.zeros(256, dtype=np.uint8)
    fold = np.arange(256, dtype=np.uint8)
    for byte in range(256):
        if 97 <= byte <= 122 or 65 <= byte <= 90 or byte == 95 or byte >= 128:
            kind[byte] = LETTER
        elif 48 <= byte <= 57:
            kind[byte] = DIGIT
        elif byte in (34, 96):
            kind[byte] = QUOTE
        if 65 <= byte <= 90:
            fold[byte] = byte + 32
    # Scripts without spaces: lead bytes of kana, ideographs and hangul; each sign is a word.
    kind[0xE3:0xEE] = IDEOGRAPH
    return kind, fold


BYTE_KIND, BYTE_FOLD = _byte_classes()


@njit(nogil=True, cache=True, inline="always")
def mix(value):
    """Mix 64 bits so that every input bit reaches every output bit (the murmur3 finaliser)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value


@njit(nogil=True, cache=True)
def mix_all(values):
    """Return `mix` of each value: uint64[n] → uint64[n]."""
    out = np.empty_like(values)
    for row in range(values.shape[0]):
        out[row] = mix(values[row])
    return out


@njit(nogil=True, cache=True)
def tokenise(data, start, end, tokens, content):
    """Write the masked word hashes of one text; return their number and the digest of its plain words.

    Shapes:  data uint8[bytes]; tokens uint64[>= end - start]; content uint8[>= end - start], 1 for a
             word long enough to carry a topic.
    Cost:    O(bytes) time, no allocation.
    Twin:    tests/naive/sketch.py::tokenise
    """
    count = 0
    digest = FNV_OFFSET
    at = start
    while at < end:
        kind = BYTE_KIND[data[at]]
        if kind == SEPARATOR:
            at += 1
        elif kind == QUOTE:
            close = at + 1
            limit = min(end, at + 2 + LITERAL_BYTES_MAX)
            while close < limit and data[close] != data[at] and data[close] != 10:
                close += 1
            if close < limit and data[close] == data[at] and close > at + 1:
                word = FNV_OFFSET
                for place in range(at + 1, close):
                    word = (word ^ np.uint64(BYTE_FOLD[data[place]])) * FNV_PRIME
                digest = mix(digest * _STEP + word)
                tokens[count] = LITERAL_TOKEN
                content[count] = 0
                count += 1
                at = close + 1
            else:
                at += 1
        elif kind == IDEOGRAPH:
            word = FNV_OFFSET
            close = min(end, at + 3)
            for place in range(at, close):
                word = (word ^ np.uint64(data[place])) * FNV_PRIME
            digest = mix(digest * _STEP + word)
            tokens[count] = word
            content[count] = 1
            count += 1
            at = close
        else:
            word = FNV_OFFSET
            masked = False
            first = at
            while at < end and (BYTE_KIND[data[at]] == LETTER or BYTE_KIND[data[at]] == DIGIT):
                masked = masked or BYTE_KIND[data[at]] == DIGIT
                word = (word ^ np.uint64(BYTE_FOLD[data[at]])) * FNV_PRIME
                at += 1
            digest = mix(digest * _STEP + word)
            tokens[count] = NUMBER_TOKEN if masked else word
            content[count] = 1 if at - first >= CONTENT_LETTERS_MIN and not masked else 0
            count += 1
    return count, digest


@njit(nogil=True, cache=True)
def winnow(tokens, count, seed, values, before, stack, reigns, heap, out):
    """Write 32 bits of the distinct shingle hashes with the longest reigns, smallest hash first; 0 fills the rest.

    A shingle's reign is the run of shingles around it without a smaller hash. About 2 n / k of n shingles make the
    shortest reign that is kept; whatever run two texts share that is longer, they keep its smallest shingle both,
    however little of the text the run is.

    Shapes:  tokens uint64[>= count]; values uint64, before and stack int64[>= count]; reigns int64[k], heap uint64[k],
             scratch like the three; out uint32[k], overwritten.
    Cost:    O(count + k² log(count / k)) time, no allocation.
    Source:  Schleimer, Wilkerson and Aiken 2003, "Winnowing: local algorithms for document fingerprinting"; here the
             window follows from the length of the text, so that a text of any length keeps k.
    Twin:    tests/naive/sketch.py::winnow
    """
    size = out.shape[0]
    held = 0
    width = min(WORDS_PER_SHINGLE, count)
    shingles = max(count - width + 1, 0) if count > 0 else 0
    for first in range(shingles):
        value = seed
        for place in range(first, first + width):
            value = value * _STEP + tokens[place]
        values[first] = mix(value)
    top = 0
    for at in range(shingles + 1):
        # A smaller hash ends the reigns of those on the stack that are larger; the end of the text ends all.
        while top > 0 and (at == shingles or values[at] < values[stack[top - 1]]):
            top -= 1
            reign = at - before[stack[top]]
            if held < size or reign >= reigns[size - 1]:
                held = _keep_longest(values[stack[top]], reign, reigns, heap, held)
        if at < shingles:
            before[at] = stack[top - 1] if top > 0 else -1
            stack[top] = at
            top += 1
    heap[:held].sort()
    for place in range(size):
        out[place] = np.uint32(heap[place] & np.uint64(0xFFFFFFFF)) if place < held else np.uint32(0)


@njit(nogil=True, cache=True)
def _keep_longest(value, reign, reigns, heap, held):
    """Insert a hash whose reign is not too short, once only; return how many are held."""
    size = heap.shape[0]
    if held == size and reign == reigns[size - 1] and value >= heap[size - 1]:
        return held
    place = held
    for known in range(held):
        if heap[known] == value:
            if reigns[known] >= reign:
                return held
            place = known
            break
    else:
        held = min(held + 1, size)
        place = min(place, size - 1)
    while place > 0 and (reigns[place - 1] < reign or (reigns[place - 1] == reign and heap[place - 1] > value)):
        heap[place] = heap[place - 1]
        reigns[place] = reigns[place - 1]
        place -= 1
    heap[place] = value
    reigns[place] = reign
    return held


@njit(nogil=True, cache=True)
def topic_bits(tokens, content, count, seed):
    """Set one of 64 bits for each content word.

    Twin:    tests/naive/sketch.py::topic_bits
    """
    bits = np.uint64(0)
    for place in range(count):
        if content[place]:
            bits |= np.uint64(1) << (mix(tokens[place] ^ seed) & np.uint64(63))
    return bits


@njit(nogil=True, cache=True)
def phrase_bits(tokens, count, role_keys, role_masks, rules):
    """Set the bit of each phrase class one of whose rules is met by words close to one another.

    Shapes:  role_keys uint64[2^p], role_masks uint32[2^p]: an open-addressing table of lexicon words;
             rules int32[r, 2 + PHRASE_GROUPS_MAX]: class, window in words, then roles (-1 for none).
    Cost:    O(count · rules that name the word's role).
    Twin:    tests/naive/sketch.py::phrase_bits
    """
    bits = np.uint32(0)
    seen = np.full(ROLE_COUNT, -1_000_000, dtype=np.int64)
    for place in range(count):
        mask = role_lookup(tokens[place], role_keys, role_masks)
        if mask == 0:
            continue
        for role in range(ROLE_COUNT):
            if mask & (np.uint32(1) << np.uint32(role)):
                seen[role] = place
        for rule in range(rules.shape[0]):
            if bits & (np.uint32(1) << np.uint32(rules[rule, 0])):
                continue
            met = True
            for slot in range(PHRASE_GROUPS_MAX):
                role = rules[rule, 2 + slot]
                if role >= 0 and place - seen[role] > rules[rule, 1]:
                    met = False
                    break
            if met:
                bits |= np.uint32(1) << np.uint32(rules[rule, 0])
    return bits


@njit(nogil=True, cache=True)
def sketch(offsets, data, seed, role_keys, role_masks, shingles, column, width, item, topic, phrases, words, cut):
    """Sketch a column of texts into `shingles[:, column:column + width]` and the other outputs.

    Shapes:  offsets int32 or int64[n + 1]; data uint8[bytes]; shingles uint32[n, SHINGLES]; item, topic
             uint64[n]; phrases uint32[n]; words int32[n]; cut uint8[n], set to 1 where a text was longer than
             TEXT_BYTES_MAX. item is overwritten; topic and phrases are or-ed into, words added to.
    Cost:    O(bytes) time; scratch buffers of TEXT_BYTES_MAX words (10 MB a worker).
    Twin:    tests/naive/sketch.py::sketch
    """
    longest = 0
    for row in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    room = min(longest, TEXT_BYTES_MAX) + 1
    tokens = np.empty(room, dtype=np.uint64)
    content = np.empty(room, dtype=np.uint8)
    values = np.empty(room, dtype=np.uint64)
    before = np.empty(room, dtype=np.int64)
    stack = np.empty(room, dtype=np.int64)
    reigns = np.empty(width, dtype=np.int64)
    heap = np.empty(width, dtype=np.uint64)
    for row in range(offsets.shape[0] - 1):
        start = offsets[row]
        end = offsets[row + 1]
        if end - start > TEXT_BYTES_MAX:
            end = start + TEXT_BYTES_MAX
            cut[row] = 1
        count, digest = tokenise(data, start, end, tokens, content)
        item[row] = mix(digest ^ seed) if count > 0 else np.uint64(0)
        winnow(tokens, count, seed, values, before, stack, reigns, heap, shingles[row, column : column + width])
        topic[row] |= topic_bits(tokens, content, count, seed)
        phrases[row] |= phrase_bits(tokens, count, role_keys, role_masks, RULES)
        words[row] += count
