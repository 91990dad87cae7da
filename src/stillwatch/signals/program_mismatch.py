"""Program mismatch: accounts of a support programme, or with a declared use, do the work of neither."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Ints, Mark, Panel, first_by_owner
from stillwatch.trace import PHRASE_CLASSES

IDENT = "program-mismatch"
FAMILY: Family = "lifecycle"
NEEDS = frozenset({"programme", "declared_use"})

PROGRAMMES = ("none", "education", "startup", "security", "nonprofit", "research")
USES = ("none", "coding", "support", "research", "education", "content", "data", "product", "personal", "evaluation")
"""What the codes of an account's programme and declared use stand for: the order of engines/accounts.py::CODES."""

LESSONS = ("rubric-grading", "answer-judging")
STUDIES = ("rubric-grading", "answer-judging", "synthetic-data", "preference-data")

ORDINARY_IN_PROGRAMME: dict[str, tuple[str, ...]] = {
    "none": (),
    "education": LESSONS,
    "startup": ("answer-judging",),
    "security": ("cover-wording", "reasoning-verbatim", "reasoning-language"),
    "nonprofit": (),
    "research": STUDIES,
}
ORDINARY_IN_USE: dict[str, tuple[str, ...]] = {
    "none": (),
    "coding": ("trajectory",),
    "support": ("answer-judging",),
    "research": STUDIES,
    "education": LESSONS,
    "content": (),
    "data": STUDIES,
    "product": LESSONS,
    "personal": (),
    "evaluation": (*LESSONS, "preference-data"),
}
"""Phrase classes that are that programme's or use's own work; a judgement, as no provider publishes its applications.
Steps are ordinary everywhere."""

MISMATCH_ENOUGH = 0.5
"""Share of the family's calls from which on the score says no more: most of its work is none of the programme's."""

OWNERS_MIN = 8
"""Owners in one programme below which its fullest weeks are full by chance."""

COHORT_US = 28 * 86_400_000_000
"""Four weeks: published programmes take in applications by the month, and ramps last 14 to 30 days (evasion 7)."""

RANK_SPREAD = 0.29
"""Standard deviation of a place that is anywhere between 0 and 1 alike."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """The fullest four weeks of one programme's owners: how many of how many, and everybody's share in these weeks."""

    inside: int
    owners: int
    everybody: float

    @property
    def excess(self) -> float:
        """How much fuller than everybody's the weeks surely are, 0 to 1."""
        share = self.inside / self.owners if self.owners else 0.0
        error = np.sqrt(share * (1 - share) / self.owners) if self.owners else 0.0
        return float(np.clip(share - self.everybody - 2 * error, 0, 1))


def conclude(panel: Panel) -> Mark | Skipped:
    """Score calls for training material by accounts whose programme or declared use has no need of it.

    Counts for something where these accounts are also busier than others of their programme, or applied together.

    Sees:       education, start-up and research accounts taken up by several organisations for one piece of work.
    Misled by:  a programme whose work the table of ordinary classes does not know; students who train a model.
    Evaded by:  accounts in no programme and without a declared use; a declared use that covers the work.
    Source:     threat model 1.4 (education, security research and start-up pathways), evasion 7, R-I11.
    """
    programme, use = panel.facts.programme, panel.facts.declared_use
    declared = (programme > 0) | (use > 0)
    if not declared.any():
        return Skipped(IDENT, "no account of the family is in a programme or has declared a use; pass --accounts")
    tested = panel.calls.tested
    if not tested.any():
        return Skipped(IDENT, "no calls in the tested blocks")
    account = panel.calls.account[tested]
    strange = strange_calls(panel.calls.phrases[tested], ordinary(programme, use)[account]) & declared[account]
    mismatch = float(strange.mean())
    doing = np.bincount(account[strange], minlength=len(programme)) > 0
    busier = busier_than_peers(panel.account_calls[doing], programme[doing], panel.population.programme_tenths)
    cohort = fullest_weeks(panel, doing)
    owner, _ = panel.owners()
    owners = len(np.unique(owner[doing]))
    together = cohort.excess * cohort.owners / max(1, owners)
    score = min(1.0, mismatch / MISMATCH_ENOUGH) * (busier + together) / 2
    figures = {"mismatch": mismatch, "busier": busier, "cohort": together}
    if score == 0:
        return Mark(IDENT, FAMILY, None, (), score=0.0, figures=figures)
    said = Evidence(
        IDENT,
        f"{int(doing.sum())} accounts of {owners} owners "
        f"({_named(programme[doing], use[doing])}) ask for what these are not for, in {mismatch:.0%} of the "
        f"family's calls; {cohort.inside} of {cohort.owners} owners in one of them signed up in four weeks, in which "
        f"{cohort.everybody:.0%} of everybody did",
        mismatch,
        None,
        FAMILY,
    )
    return Mark(IDENT, FAMILY, None, (said,), score=score, figures=figures)


def ordinary(programme: Ints, use: Ints) -> npt.NDArray[np.uint32]:
    """Return the phrase classes that each account's programme or declared use explains, as bits: uint32[K]."""
    by_programme = np.array([_bits(ORDINARY_IN_PROGRAMME[name]) for name in PROGRAMMES], dtype=np.uint32)
    by_use = np.array([_bits(ORDINARY_IN_USE[name]) for name in USES], dtype=np.uint32)
    found: npt.NDArray[np.uint32] = by_programme[programme] | by_use[use] | np.uint32(_bits(("stepwise",)))
    return found


def strange_calls(phrases: npt.NDArray[np.uint32], explained: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Return which calls carry a phrase class that is not explained.

    Twin:    tests/naive/program_mismatch.py::is_strange
    """
    strange: npt.NDArray[np.bool_] = (phrases & ~explained) != 0
    return strange


def busier_than_peers(calls: Ints, programme: Ints, tenths: Ints) -> float:
    """Return how much busier than their programme accounts surely are: 0 like anybody, 1 all in the top tenth.

    Shapes:  calls, programme: an entry an account; tenths int64[codes, 10] of `Population`.
    Twin:    tests/naive/program_mismatch.py::busier_than_peers
    """
    known = (programme > 0) & (programme < len(tenths))
    known[known] = tenths[programme[known], 0] > 0
    if not known.any():
        return 0.0
    passed = (tenths[programme[known]] < calls[known, None]).sum(axis=1) / 10
    # Of ten equal tenths an account of anybody's volume passes 4.5, one of the top tenth 9.
    surely = passed.mean() - 2 * RANK_SPREAD / np.sqrt(known.sum())
    return float(np.clip((surely - 0.45) / 0.45, 0, 1))


def fullest_weeks(panel: Panel, doing: npt.NDArray[np.bool_]) -> Cohort:
    """Return the most crowded four weeks of sign-ups among owners of one programme or, without one, of one use.

    Twin:    tests/naive/program_mismatch.py::fullest_weeks
    """
    owner, _ = panel.owners()
    facts, population = panel.facts, panel.population.created_us
    group = np.where(facts.programme > 0, facts.programme, len(PROGRAMMES) + facts.declared_use)
    best = Cohort(0, 0, 0.0)
    for each in np.unique(group[doing]):
        chosen = doing & (group == each) & (panel.created_us >= 0)
        born = first_by_owner(owner[chosen], panel.created_us[chosen])
        if len(born) < OWNERS_MIN:
            continue
        inside = np.searchsorted(born, born + COHORT_US) - np.arange(len(born))
        at = int(np.argmax(inside))
        within = np.searchsorted(population, [born[at], born[at] + COHORT_US])
        everybody = float((within[1] - within[0]) / max(1, len(population)))
        best = max(best, Cohort(int(inside[at]), len(born), everybody), key=lambda found: (found.excess, found.owners))
    return best


def _bits(classes: tuple[str, ...]) -> int:
    return sum(1 << PHRASE_CLASSES.index(name) for name in classes)


def _named(programme: Ints, use: Ints) -> str:
    programmes = [f"programme {PROGRAMMES[code]}" for code in np.unique(programme) if code > 0]
    uses = [f"use {USES[code]}" for code in np.unique(use) if code > 0]
    return ", ".join([*programmes, *uses])
