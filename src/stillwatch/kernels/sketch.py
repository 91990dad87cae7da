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
_ONE = np.uint64(1)
_NINE = 57
"""The last digit: below the letters that are left when capitals are folded."""

_NEVER = -1_000_000
"""A place further back than any rule looks."""

_COUNTED = 4
"""Reigns are counted up to this many times the mean distance of the shingles that are kept; a longer shortest reign
is no accident of hashing."""

_TIES_MAX = 63
"""Shingles of the shortest reign kept that are compared each with each."""


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
WORD_SIGN = np.where((BYTE_KIND == LETTER) | (BYTE_KIND == DIGIT), BYTE_FOLD, 0).astype(np.uint8)
"""What a byte adds to the hash of a word; 0 where it is no part of one."""


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
             word long enough to carry a topic, or None: then neither that nor the digest is made.
    Cost:    O(bytes) time, no allocation; a word costs four steps a byte, as long as one FNV round takes.
    Twin:    tests/naive/sketch.py::tokenise
    """
    count = 0
    digest = FNV_OFFSET
    # Unsigned places spare the compiled code the look for negative ones.
    at, stop = np.uint64(start), np.uint64(end)
    while at < stop:
        sign = WORD_SIGN[data[at]]
        if sign != 0:
            word, masked, first = FNV_OFFSET, False, at
            while sign != 0:
                word = (word ^ np.uint64(sign)) * FNV_PRIME
                masked |= sign <= _NINE
                at += _ONE
                if at >= stop:
                    break
                sign = WORD_SIGN[data[at]]
            tokens[count] = NUMBER_TOKEN if masked else word
            if content is not None:
                digest = mix(digest * _STEP + word)
                content[count] = np.uint8(at - first >= CONTENT_LETTERS_MIN and not masked)
            count += 1
            continue
        kind = BYTE_KIND[data[at]]
        if kind == SEPARATOR:
            at += _ONE
            continue
        close = _literal_end(data, at, stop) if kind == QUOTE else min(stop, at + np.uint64(3))
        if close == at:
            at += _ONE
            continue
        word = FNV_OFFSET
        for place in range(at + _ONE if kind == QUOTE else at, close):
            word = (word ^ np.uint64(BYTE_FOLD[data[place]])) * FNV_PRIME
        tokens[count] = LITERAL_TOKEN if kind == QUOTE else word
        if content is not None:
            digest = mix(digest * _STEP + word)
            content[count] = np.uint8(kind != QUOTE)
        count += 1
        at = close + _ONE if kind == QUOTE else close
    return count, digest


@njit(nogil=True, cache=True)
def _literal_end(data, at, stop):
    """Return where the quotation that begins at `at` closes, or `at` where it is none, empty or long."""
    close = at + _ONE
    limit = min(stop, at + np.uint64(2 + LITERAL_BYTES_MAX))
    while close < limit and data[close] != data[at] and data[close] != 10:
        close += _ONE
    return close if close < limit and data[close] == data[at] and close > at + _ONE else at


@njit(nogil=True, cache=True)
def winnow(tokens, count, seed, room, out):
    """Write 32 bits of the distinct shingle hashes with the longest reigns, smallest hash first; 0 fills the rest.

    A shingle's reign is the run of shingles around it without a smaller hash. About 2 n / k of n shingles make the
    shortest reign that is kept; whatever run two texts share that is longer, they keep its smallest shingle both,
    however little of the text the run is.

    Shapes:  tokens uint64[>= count]; room, scratch of `winnow_room`; out uint32[k], overwritten.
    Cost:    O(count + k²) time, no allocation; where a text repeats its shingles O(count + k² log(count / k)).
    Source:  Schleimer, Wilkerson and Aiken 2003, "Winnowing: local algorithms for document fingerprinting"; here the
             window follows from the length of the text, so that a text of any length keeps k.
    Twin:    tests/naive/sketch.py::winnow
    """
    values, under, chosen, ranked, reigns, stack, counts, ties = room
    size = out.shape[0]
    shingles = _hash_shingles(tokens, count, seed, values)
    held = min(shingles, size)
    if shingles <= size:
        reigns[:shingles] = 1
        whole = _rank(values, shingles, ranked)
    else:
        _find_reigns(values, shingles, stack, under, reigns)
        whole = _choose(values, shingles, size, reigns, counts, chosen, ties) and _rank(chosen, size, ranked)
    if not whole:
        held = 0
        for at in range(shingles):
            if held < size or reigns[at] >= counts[size - 1]:
                held = _keep_longest(values[at], reigns[at], counts[:size], ranked[:size], held)
        ranked[:held].sort()
    for place in range(size):
        out[place] = np.uint32(ranked[place] & np.uint64(0xFFFFFFFF)) if place < held else np.uint32(0)


@njit(nogil=True, cache=True)
def winnow_room(words_max, size):
    """Return scratch of `winnow` for texts of up to `words_max` words of which `size` shingles are kept."""
    values, under = np.empty(words_max + 1, dtype=np.uint64), np.empty(words_max + 1, dtype=np.uint64)
    chosen, ranked = np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.uint64)
    reigns, stack = np.empty(words_max + 1, dtype=np.int64), np.empty(words_max + 1, dtype=np.int64)
    counts = np.empty(max(size, _COUNTED * (words_max // size + 1) + 1), dtype=np.int64)
    return values, under, chosen, ranked, reigns, stack, counts, np.empty(_TIES_MAX + 1, dtype=np.uint64)


@njit(nogil=True, cache=True)
def _hash_shingles(tokens, count, seed, values):
    """Write the hash of every WORDS_PER_SHINGLE words in a row, of all of a shorter text; return how many."""
    if count < WORDS_PER_SHINGLE:
        value = seed
        for place in range(count):
            value = value * _STEP + tokens[place]
        values[0] = mix(value)
        return min(count, 1)
    shingles = count - WORDS_PER_SHINGLE + 1
    for first in range(shingles):
        value = seed
        for place in range(WORDS_PER_SHINGLE):
            value = value * _STEP + tokens[first + place]
        values[first] = mix(value)
    return shingles


@njit(nogil=True, cache=True)
def _find_reigns(values, count, stack, under, reigns):
    """Write each hash's reign: from behind the last that is no larger to before the next that is smaller."""
    stack[0], under[0], top = -1, np.uint64(0), 0
    for at in range(count):
        value = values[at]
        while value < under[top]:
            ended = stack[top]
            top -= 1
            reigns[ended] = at - stack[top]
        top += 1
        stack[top], under[top] = at, value
    while top > 0:
        ended = stack[top]
        top -= 1
        reigns[ended] = count - stack[top]


@njit(nogil=True, cache=True)
def _choose(values, count, size, reigns, counts, chosen, ties):
    """Write the `size` hashes of the longest reigns, of equal reigns the smallest; return whether that was possible.

    It is not where the shortest reign is long or shared by many: the caller then takes the slow way.
    """
    longest = _COUNTED * (count // size + 1)
    counts[: longest + 1] = 0
    for at in range(count):
        counts[min(reigns[at], longest)] += 1
    shortest, reached = longest, counts[longest]
    while reached < size:
        shortest -= 1
        reached += counts[shortest]
    if shortest == longest or counts[shortest] > _TIES_MAX:
        return False
    held, tied = 0, 0
    for at in range(count):
        chosen[min(held, size - 1)] = values[at]
        held += reigns[at] > shortest
        ties[tied] = values[at]
        tied += reigns[at] == shortest
    wanted = size - held
    for at in range(tied):
        smaller = 0
        for other in range(tied):
            smaller += ties[other] < ties[at]
        if smaller < wanted:
            if held == size:
                return False
            chosen[held] = ties[at]
            held += 1
    return held == size


@njit(nogil=True, cache=True)
def _rank(values, count, out):
    """Write `count` values in order; return whether all are different, without which the order is not whole."""
    total = 0
    for at in range(count):
        rank = 0
        for other in range(count):
            rank += values[other] < values[at]
        out[rank] = values[at]
        total += rank
    return total == count * (count - 1) // 2


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
def phrase_bits(tokens, count, role_keys, role_masks, rules, seen):
    """Set the bit of each phrase class one of whose rules is met by words close to one another.

    Shapes:  role_keys uint64[2^p], role_masks uint32[2^p]: an open-addressing table of lexicon words;
             rules int32[r, 2 + PHRASE_GROUPS_MAX]: class, window in words, then roles (-1 for none); seen
             int64[ROLE_COUNT], scratch.
    Cost:    O(count · rules that name the word's role).
    Twin:    tests/naive/sketch.py::phrase_bits
    """
    bits = np.uint32(0)
    seen[:] = _NEVER
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
def sketch(offsets, data, seed, role_keys, role_masks, shingles, item, topic, phrases, words, cut):
    """Sketch each text of a column.

    Shapes:  offsets int32 or int64[n + 1]; data uint8[bytes]; shingles uint32[n, k]; item, topic uint64[n]; phrases
             uint32[n]; words int32[n]; cut uint8[n], 1 where a text was longer than TEXT_BYTES_MAX. All overwritten.
    Cost:    O(bytes) time; scratch buffers of the longest text, TEXT_BYTES_MAX words at most (11 MB a worker).
    Twin:    tests/naive/sketch.py::sketch
    """
    longest = 0
    for row in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    words_max = min(longest, TEXT_BYTES_MAX)
    tokens = np.empty(words_max + 1, dtype=np.uint64)
    content = np.empty(words_max + 1, dtype=np.uint8)
    room = winnow_room(words_max, shingles.shape[1])
    seen = np.empty(ROLE_COUNT, dtype=np.int64)
    for row in range(offsets.shape[0] - 1):
        start = offsets[row]
        end = min(offsets[row + 1], start + TEXT_BYTES_MAX)
        cut[row] = offsets[row + 1] > end
        count, digest = tokenise(data, start, end, tokens, content)
        item[row] = mix(digest ^ seed) if count > 0 else np.uint64(0)
        winnow(tokens, count, seed, room, shingles[row])
        topic[row] = topic_bits(tokens, content, count, seed)
        phrases[row] = phrase_bits(tokens, count, role_keys, role_masks, RULES, seen)
        words[row] = count
