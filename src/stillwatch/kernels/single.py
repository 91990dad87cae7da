"""One call by itself, as a gate meets it: its pseudonyms, its shingles, and the signature that it carries.

What is made of a call here is what `kernels.tracer` makes of it in a batch. Scratch is taken for each call, as long as
its text is, so that any number of threads can ask at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stillwatch.kernels.markers import join_markers, markers
from stillwatch.kernels.pseudonyms import siphash
from stillwatch.kernels.sharing import drawer_shift
from stillwatch.kernels.sketch import TEXT_BYTES_MAX, tokenise, winnow, winnow_room
from stillwatch.trace import INPUT_SHINGLES, MARKERS, SHINGLES, SYSTEM_SHINGLES

SHARERS_MAX = 8
"""Signatures that one of their own shingles may stand in: a family that several runs found again, under a core that
drifted. Whoever makes the table leaves the oldest out beyond it; a look-up holds as many for each shingle of a call."""

_WORDS_MIN = 8 * INPUT_SHINGLES
"""Scratch for so many words counts as many reigns as shingles are kept of a text, however short that is."""

_CANDIDATES_MAX = SHINGLES * SHARERS_MAX
"""Signatures that one call can share an own shingle with."""


@njit(nogil=True, cache=True)
def name_keys(data, count, first, second):
    """Return the pseudonym of each identifier of a call, 0 where it is empty.

    Shapes:  data uint8[4 count + bytes]: how long each is, 32 bits little-endian, then one behind the other →
             uint64[count].
    Twin:    kernels.pseudonyms.pseudonyms
    """
    out = np.zeros(count, dtype=np.uint64)
    start = np.int64(4 * count)
    for row in range(count):
        end = start
        for place in range(4):
            end += np.int64(data[4 * row + place]) << np.int64(8 * place)
        if end > start:
            value = siphash(data, start, end, first, second)
            out[row] = value if value != 0 else np.uint64(1)
        start = end
    return out


@njit(nogil=True, cache=True)
def look_up_names(data, count, first, second, accounts, organizations):
    """Return `name_keys`, and where the first of them stands among accounts, the second among organisations."""
    keys = name_keys(data, count, first, second)
    return keys, first_place(accounts, keys[0]), first_place(organizations, keys[1])


@njit(nogil=True, cache=True)
def first_place(keys, key):
    """Return where a key stands first among keys uint64[n] ascending; -1 where it does not, or is 0."""
    if key == 0:
        return np.int64(-1)
    low, high = np.int64(0), np.int64(keys.shape[0])
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < keys.shape[0] and keys[low] == key else np.int64(-1)


@njit(nogil=True, cache=True)
def call_shingles(system, newest, seed):
    """Return the shingles of one call: uint8[bytes] of its system text and of its newest user text → uint32[SHINGLES].

    Cost:    O(bytes) time.
    Twin:    kernels.tracer.trace_batch
    """
    out = np.zeros(SHINGLES, dtype=np.uint32)
    first, second = min(system.shape[0], TEXT_BYTES_MAX), min(newest.shape[0], TEXT_BYTES_MAX)
    tokens = np.empty(first + second + 2, dtype=np.uint64)
    words, _ = tokenise(system, 0, first, tokens, None)
    more, _ = tokenise(newest, 0, second, tokens[words:], None)
    # Scratch for the longer text and the fewer shingles does for both, but for the two that hold what is kept.
    room = winnow_room(max(words, more, _WORDS_MIN), SYSTEM_SHINGLES)
    chosen, ranked = np.empty(INPUT_SHINGLES, dtype=np.uint64), np.empty(INPUT_SHINGLES, dtype=np.uint64)
    room = (room[0], room[1], chosen, ranked, room[4], room[5], room[6], room[7])
    if words > 0:
        winnow(tokens, words, seed, room, out[:SYSTEM_SHINGLES])
    if more > 0:
        winnow(tokens[words:], more, seed, room, out[SYSTEM_SHINGLES : SYSTEM_SHINGLES + INPUT_SHINGLES])
    held = np.empty((2, MARKERS), dtype=np.uint64)
    offsets = np.zeros(2, dtype=np.int64)
    offsets[1] = system.shape[0]
    markers(offsets, system, seed, held[:1])
    offsets[1] = newest.shape[0]
    markers(offsets, newest, seed, held[1:])
    place = np.arange(2).astype(np.int32)
    join_markers(held, place[:1], held, place[1:], out[SHINGLES - MARKERS :].reshape(1, MARKERS))
    return out


@njit(nogil=True, cache=True)
def carried_signature(shingles, table, now_us):
    """Return the signature that a call carries, and how many of its core's shingles; -1 and 0 where it carries none.

    A call carries a signature where it has enough of the family's own shingles and of its core's. Of several it is the
    one with the most hits, then the one that the fewest accounts outside of its campaign carried, then the first.

    Shapes:  shingles uint32[k], 0 is none; table: own uint32[s] ascending, own_starts of `sharing.directory`,
             own_signatures int32[s]; core uint32[c], each signature's ascending, from core_starts int32[g + 1]; needed
             int32[g, 2]: of its own, and of its core; outside int32[g]; expires_us int64[g].
    Twin:    tests/naive/single.py::carried_signature
    """
    own, own_starts, own_signatures, core, core_starts, needed, outside, expires_us = table
    met = np.empty(_CANDIDATES_MAX, dtype=np.int32)
    times = np.empty(_CANDIDATES_MAX, dtype=np.int32)
    held = 0
    shift = drawer_shift(own_starts)
    for place in range(shingles.shape[0]):
        value = shingles[place]
        drawer = np.int64(np.uint64(value) >> shift)
        index, end = own_starts[drawer], own_starts[drawer + 1]
        while index < end and own[index] < value:
            index += 1
        while index < end and own[index] == value and value != 0:
            signature = own_signatures[index]
            slot = 0
            while slot < held and met[slot] != signature:
                slot += 1
            if slot == held:
                if held == _CANDIDATES_MAX:
                    break
                met[slot], times[slot] = signature, 0
                held += 1
            times[slot] += 1
            index += 1
    best, best_hits = np.int64(-1), np.int64(0)
    for slot in range(held):
        at = np.int64(met[slot])
        if times[slot] < needed[at, 0] or expires_us[at] <= now_us:
            continue
        hits = _hits(shingles, core[core_starts[at] : core_starts[at + 1]])
        if hits < needed[at, 1] or hits < best_hits:
            continue
        if best < 0 or hits > best_hits or (outside[at], at) < (outside[best], best):
            best, best_hits = at, hits
    return best, best_hits


@njit(nogil=True, cache=True)
def _hits(shingles, core):
    hits = np.int64(0)
    for place in range(shingles.shape[0]):
        index = np.searchsorted(core, shingles[place])
        if index < core.shape[0] and core[index] == shingles[place]:
            hits += 1
    return hits


@njit(nogil=True, cache=True)
def look_at_text(system, newest, seed, table, now_us):
    """Return `carried_signature` of the `call_shingles` of one call, in one step."""
    if table[0].shape[0] == 0:
        return np.int64(-1), np.int64(0)
    return carried_signature(call_shingles(system, newest, seed), table, now_us)
