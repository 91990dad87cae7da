"""Jailbreak exploration: many wordings of one request are refused, until one is not and is scaled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch import trace
from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Keys, Mark, Panel
from stillwatch.trace import PHRASE_CLASSES

IDENT = "jailbreak-exploration"
FAMILY: Family = "intent"
NEEDS = frozenset({"refused"})

PART_MIN = 40
"""Calls before and after a split: with fewer the bounds of a share are too wide to tell anything."""

ORDINARY_REFUSALS = 0.1
"""Share of refused calls up to which a family is like any other. No figure is published for honest templates; every
tenth call would make a product unusable, so we take that as the boundary."""

FUTILE = 0.5
"""Share of refused calls from which on the score says no more: half of what is tried fails."""

DRIFT = 0.05
"""How much of what differs between texts becomes common by chance, in parts of PART_MIN calls and more."""

SETTLED = 0.3
"""How much of what differed between texts must have become common for the wording to count as settled."""

STANDARD_ERRORS = 3.0
"""Width of the bounds on shares. A dozen splits are looked at, and one in seven hundred is wrong by chance."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a family looks like before and after one moment; all shares from 0 to 1."""

    calls_before: int
    refused_before: float
    refused_after: float
    novelty: float
    goal: float
    settled: float
    score: float


def conclude(panel: Panel) -> Mark | Skipped:
    """Look for a moment before which many texts with one aim were refused, and after which few are and texts agree.

    Sees:       a search for wordings that get past a safeguard, and the winner's use.
    Misled by:  a red team that goes on to use what it found; a model or policy that stopped refusing while a
                template settled.
    Evaded by:  searching with words that the winner does not share, or using it so much that a family's core no longer
                holds the search; aims that the lexicon does not know; logs that do not say what was refused.
    Source:     threat model 1.6 (12,000 requests, each with another technique, of which the winners were scaled) and
                R-I8.
    """
    calls, tested = panel.calls, panel.calls.tested
    if tested.sum() < 2 * PART_MIN:
        return Skipped(IDENT, f"fewer than {2 * PART_MIN} calls in the tested blocks")
    refused = (calls.flags[tested] & np.uint32(trace.FLAG_REFUSED)) != 0
    bits = calls.phrases[tested], calls.item[tested], calls.topic[tested]
    best = Search(0, float(refused.mean()), float(refused.mean()), 0.0, 0.0, 0.0, 0.0)
    for before in splits(calls.time_us[tested]):
        found = search(before, refused, *bits)
        best = max(best, found, key=lambda each: each.score)
    figures = {"refused_before": best.refused_before, "refused_after": best.refused_after}
    if best.score == 0:
        return Mark(IDENT, FAMILY, None, (), score=0.0, figures=figures)
    said = Evidence(
        IDENT,
        f"a search for wordings: of the first {best.calls_before} calls {best.novelty:.0%} were new texts, "
        f"{best.goal:.0%} had one aim and {best.refused_before:.0%} were refused; later {best.refused_after:.0%} were, "
        f"and {best.settled:.0%} of what had differed between texts was settled",
        best.score,
        None,
        FAMILY,
    )
    return Mark(IDENT, FAMILY, None, (said,), score=best.score, figures=figures)


def splits(time_us: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield the first half of the calls, the first quarter, eighth and so on; calls of one moment stay together."""
    ordered = np.sort(time_us)
    size = len(ordered) // 2
    while size >= PART_MIN:
        before = time_us < ordered[size]
        if PART_MIN <= before.sum() <= len(ordered) - PART_MIN:
            yield before
        size //= 2


def search(
    before: npt.NDArray[np.bool_],
    refused: npt.NDArray[np.bool_],
    phrases: npt.NDArray[np.uint32],
    item: Keys,
    topic: Keys,
) -> Search:
    """Compare the calls before a moment with those after it.

    The score is the geometric mean of four things, each from 0 to 1: new texts with one aim, refusals at first, their
    fall, and how far the wording settled. Where one of them is missing there was no search.
    Twin:    tests/naive/jailbreak_exploration.py::search
    """
    first, _ = bounds(int(refused[before].sum()), int(before.sum()))
    _, last = bounds(int(refused[~before].sum()), int((~before).sum()))
    shares = float(refused[before].mean()), float(refused[~before].mean())
    futile = np.clip((first - ORDINARY_REFUSALS) / (FUTILE - ORDINARY_REFUSALS), 0, 1)
    fall = max(0.0, 1 - last / first) if first > 0 else 0.0
    if futile * fall == 0:
        return Search(int(before.sum()), *shares, 0.0, 0.0, 0.0, 0.0)
    early, late = 1 - repeats(item[before]), 1 - repeats(item[~before])
    goal = max(float(((phrases[before] >> np.uint32(c)) & np.uint32(1)).mean()) for c in range(len(PHRASE_CLASSES)))
    alike, now = agreement(topic[before]), agreement(topic[~before])
    settled = max(0.0, early - late, (now - alike) / (1 - alike) if alike < 1 else 0.0)
    firm = np.clip((settled - DRIFT) / (SETTLED - DRIFT), 0, 1)
    score = float((early * goal * futile * fall * firm) ** 0.25)
    return Search(int(before.sum()), *shares, early, goal, settled, score)


def repeats(item: Keys) -> float:
    """Return the share of calls that repeat an earlier text, among those whose text is known; 1 where none is."""
    # Sorted by hand: np.unique hashes, which is ten times slower on hashes.
    known = np.sort(item[item != 0])
    return float((known[1:] == known[:-1]).sum() / len(known)) if len(known) else 1.0


def agreement(topic: Keys) -> float:
    """Return how likely a word bucket of one call is in another call as well: uint64[n] → 0 to 1.

    Twin:    tests/naive/jailbreak_exploration.py::agreement
    """
    bits = np.unpackbits(np.ascontiguousarray(topic).view(np.uint8)).reshape(-1, 64)
    sums = bits.sum(axis=0, dtype=np.int64).astype(np.float64)
    if sums.sum() == 0 or len(topic) < 2:
        return 1.0
    return float((sums * (sums - 1)).sum() / (sums.sum() * (len(topic) - 1)))


def bounds(hits: int, count: int) -> tuple[float, float]:
    """Return the lower and the upper bound of a share.

    Source:  Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    z2 = STANDARD_ERRORS**2
    middle = (hits + z2 / 2) / (count + z2)
    width = STANDARD_ERRORS * np.sqrt(hits * (count - hits) / count + z2 / 4) / (count + z2)
    return max(0.0, float(middle - width)), min(1.0, float(middle + width))
