"""The words of extraction, by role, and which roles close together make a phrase class.

Classes follow the publicly reported framings (Anthropic 2026-02 and 2026-09, GTIG 2026-02, OpenAI
2026-09): what a campaign asks of a model, not who asks. A class is a hint and never a verdict: honest
people ask for steps, grade answers and write training data too.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from stillwatch.trace import PHRASE_CLASSES

ROLE_WORDS: dict[str, str] = {
    "thought": "reasoning rationale rationales thinking thought thoughts cot deliberation deliberations "
    "scratchpad monologue reasonings derivation reflection reflections",
    "complete": "complete full fully entire verbatim internal hidden transparent exhaustive explicit raw "
    "unabridged whole private inner prior unfiltered intermediate every",
    "emit": "output print reveal show write articulate reproduce expose transcribe record narrate include "
    "provide document imagine reconstruct describe spell repeat return emit disclose lay put set "
    "give state appear log narrate keep",
    "step": "step steps stepwise",
    "grade": "grade grades grading score scores scoring rate rating judge judging evaluate evaluating assess "
    "rank ranking mark",
    "rubric": "rubric rubrics criteria criterion",
    "candidate": "candidate candidates response responses answer answers completion completions solution "
    "solutions submission submissions",
    "make": "generate create produce compose synthesize synthesise author construct build write",
    "data": "dataset datasets training finetuning finetune tuning sft corpus rlhf distillation student pretraining "
    "supervised",
    "sample": "example examples sample samples pair pairs instance instances trajectory trajectories rollout "
    "rollouts demonstration demonstrations dialogue dialogues transcript transcripts "
    "label labels target targets",
    "trajectory": "trajectory trajectories rollout rollouts episode episodes",
    "action": "action actions tool tools observation observations call calls environment agent",
    "clean": "clean cleaned cleaning polish rewrite refine normalise normalize tidy restructure",
    "trace": "trace traces chain chains",
    "done": "behind underlying led completed produced",
    "cover": "flag debugging debug audit diagnostic simulation sandbox authorised authorized",
    "tag": "tag tags thinking_tags block section tagged xml",
    "prefer": "chosen rejected preferred preference preferences reward rewards",
    "language": "language katakana translate translation strictly consistent",
    "memory": "memory context",
}

CLASS_RULES: dict[str, tuple[tuple[int, tuple[str, ...]], ...]] = {
    "reasoning-verbatim": ((14, ("thought", "complete", "emit")), (8, ("thought", "tag", "emit"))),
    "reasoning-reconstruction": ((14, ("thought", "done", "emit")), (14, ("thought", "done", "candidate"))),
    "stepwise": ((6, ("step", "thought")), (4, ("step", "emit"))),
    "reasoning-language": ((12, ("thought", "language")), (8, ("memory", "language", "emit"))),
    "cover-wording": ((14, ("cover", "thought")),),
    "rubric-grading": ((14, ("grade", "rubric", "candidate")), (10, ("grade", "rubric"))),
    "answer-judging": ((10, ("grade", "candidate")),),
    "synthetic-data": ((12, ("make", "data", "sample")),),
    "trajectory": ((12, ("trajectory", "action")), (12, ("trajectory", "make"))),
    "trace-cleaning": ((10, ("clean", "thought")), (10, ("clean", "trace"))),
    "preference-data": ((14, ("prefer", "candidate", "sample")), (8, ("prefer", "data"))),
}
"""Class → rules; a rule is a window in words and the roles that must all fall into it."""

ROLES = tuple(ROLE_WORDS)
ROLE_COUNT = len(ROLES)
PHRASE_GROUPS_MAX = 3
"""Roles in one rule: with more than three, wording decides rather than meaning."""

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF
_TABLE_BITS = 12
"""Sixteen slots for each lexicon word, so that nearly all other words meet none; the masks are 16 KiB, half of the
nearest cache."""

_SHIFT = np.uint64(64 - _TABLE_BITS)
_LAST = (1 << _TABLE_BITS) - 1


def word_hash(word: str) -> int:
    """Hash a case-folded word as `kernels.sketch.tokenise` does (FNV-1a)."""
    value = _FNV_OFFSET
    for byte in word.encode():
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return value


@cache
def role_table() -> tuple[np.ndarray, np.ndarray]:
    """Build the open-addressing table of lexicon words: keys uint64[2^p], role masks uint32[2^p]."""
    keys = np.zeros(1 << _TABLE_BITS, dtype=np.uint64)
    masks = np.zeros(1 << _TABLE_BITS, dtype=np.uint32)
    for role, words in enumerate(ROLE_WORDS.values()):
        for word in words.split():
            value = word_hash(word)
            slot = value >> (64 - _TABLE_BITS)
            while keys[slot] not in (0, value):
                slot = (slot + 1) % len(keys)
            keys[slot] = value
            masks[slot] |= np.uint32(1 << role)
    return keys, masks


def _rules() -> np.ndarray:
    rows = []
    for index, name in enumerate(PHRASE_CLASSES):
        for window, roles in CLASS_RULES[name]:
            named = [ROLES.index(role) for role in roles]
            rows.append([index, window, *named, *([-1] * (PHRASE_GROUPS_MAX - len(named)))])
    return np.array(rows, dtype=np.int32)


RULES = _rules()


@njit(nogil=True, cache=True, inline="always")
def role_lookup(token, role_keys, role_masks):
    """Return the role mask of a word hash, 0 where the lexicon does not hold it."""
    slot = np.int64(token >> _SHIFT)
    while role_masks[slot] != 0:
        if role_keys[slot] == token:
            return role_masks[slot]
        slot = (slot + 1) & _LAST
    return np.uint32(0)
