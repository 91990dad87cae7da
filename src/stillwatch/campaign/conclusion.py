"""All tested families of a run → the campaigns they make, and what became of each family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.community import communities
from stillwatch.campaign.fusion import Axes, Verdict, not_tested, reject, weigh
from stillwatch.campaign.judgement import Judgement, judge, set_aside
from stillwatch.campaign.membership import membership
from stillwatch.campaign.naming import capabilities, techniques
from stillwatch.finding import Evidence, Group, Link, Reading, Skipped
from stillwatch.signals.contract import Floats, Keys, Mark, Panel
from stillwatch.signals.shared_infrastructure import LINKS_MAX

Tested = tuple[int, Panel, list[Mark | Skipped]]

Decide = Callable[[Sequence[tuple[str, Axes]]], list[Verdict]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A campaign before its accounts have names: `families` index the run's families, the rest is per account.

    Shapes:  accounts uint64[K] ascending; membership float64[K]; named bool[K].
    """

    families: tuple[int, ...]
    group_ids: tuple[str, ...]
    accounts: Keys
    membership: Floats
    named: NDArray[np.bool_]
    p_value: float
    q_value: float
    evidence: tuple[Evidence, ...]
    counter_evidence: tuple[Evidence, ...]
    links: tuple[Link, ...]
    capabilities: tuple[str, ...]
    techniques: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a run concludes. `groups` are all tested families; `skips` says why a signal passed one over;
    `scores` are the extraction scores of the hypotheses, which a calibration on honest traffic is fitted from.
    """

    campaigns: tuple[Draft, ...]
    groups: tuple[tuple[int, Group], ...]
    ran: frozenset[str]
    skips: dict[str, str]
    scores: tuple[float, ...]


def conclude(
    tested: Sequence[Tested], calibration: Calibration, fdr: float, seed: int, decide: Decide | None = None
) -> Conclusion:
    """Weigh all families together, judge each, and join the rejected ones that share accounts.

    `decide` turns the names and axes of the hypotheses into verdicts; without it they are decided among themselves.
    """
    marks = [[mark for mark in said if isinstance(mark, Mark)] for _, _, said in tested]
    panels = [panel for _, panel, _ in tested]
    axes = [weigh(of, len(panel.accounts), calibration) for of, panel in zip(marks, panels, strict=True)]
    aside = [set_aside(panel, of) for panel, of in zip(panels, marks, strict=True)]
    eligible = [at for at, why in enumerate(aside) if why is None]
    verdicts = [not_tested(axis) for axis in axes]
    hypotheses = [(panels[at].group_id, axes[at]) for at in eligible]
    for at, verdict in zip(
        eligible, decide(hypotheses) if decide else reject([each for _, each in hypotheses], fdr), strict=True
    ):
        verdicts[at] = verdict
    members = [membership(p, m, v) for p, m, v in zip(panels, marks, verdicts, strict=True)]
    judged = [why or judge(verdict, fdr) for why, verdict in zip(aside, verdicts, strict=True)]
    judged = [
        _nobody(verdict) if judgement.outcome == "extraction-campaign" and not named.any() else judgement
        for judgement, (_, named), verdict in zip(judged, members, verdicts, strict=True)
    ]
    rejected = [at for at, judgement in enumerate(judged) if judgement.outcome == "extraction-campaign"]
    part = communities([panels[at].accounts[members[at][1]] for at in rejected], seed)
    drafts = []
    for community in range(max(part, default=-1) + 1):
        ats = [at for at, of in zip(rejected, part, strict=True) if of == community]
        drafts.append(_draft(ats, tested, marks, verdicts, members))
    drafts.sort(key=lambda draft: (draft.q_value, draft.p_value, -int(draft.named.sum()), draft.group_ids))
    groups = tuple(
        (
            tested[at][0],
            _group(panels[at], marks[at], verdicts[at], judged[at], axes[at].score if aside[at] is None else None),
        )
        for at in range(len(tested))
    )
    ran = frozenset(mark.ident for of in marks for mark in of)
    skips = {said.ident: said.reason for _, _, of in tested for said in of if isinstance(said, Skipped)}
    scores = tuple(sorted(axes[at].score for at in eligible))
    return Conclusion(tuple(drafts), groups, ran, skips, scores)


def _nobody(verdict: Verdict) -> Judgement:
    return Judgement(
        "undecided",
        f"rejected as a family (q {verdict.q_value:.3f}), yet no single account stands with itself left out",
        "more accounts, or more calls of each",
    )


def _draft(
    ats: list[int],
    tested: Sequence[Tested],
    marks: list[list[Mark]],
    verdicts: list[Verdict],
    members: list[tuple[Floats, NDArray[np.bool_]]],
) -> Draft:
    largest = max(ats, key=lambda at: (len(tested[at][1].calls.account), tested[at][1].group_id))
    accounts = np.unique(np.concatenate([tested[at][1].accounts for at in ats]))
    held, named = np.zeros(len(accounts)), np.zeros(len(accounts), dtype=bool)
    for at in ats:
        place = np.searchsorted(accounts, tested[at][1].accounts)
        held[place] = np.maximum(held[place], members[at][0])
        named[place] |= members[at][1]
    links: dict[tuple[str, str], Link] = {}
    for at in ats:
        for link in (link for mark in marks[at] for link in mark.links):
            known = links.get((link.kind, link.pseudonym))
            if known is None or link.accounts_count > known.accounts_count:
                links[link.kind, link.pseudonym] = link
    shown = sorted(links.values(), key=lambda link: (-link.weight_bits, link.kind, link.pseudonym))[:LINKS_MAX]
    of_largest = marks[largest]
    best = min(ats, key=lambda at: (verdicts[at].q_value, verdicts[at].p_extraction))
    every = [mark for at in ats for mark in marks[at]]
    return Draft(
        families=tuple(sorted(tested[at][0] for at in ats)),
        group_ids=tuple(sorted(tested[at][1].group_id for at in ats)),
        accounts=accounts,
        membership=held,
        named=named,
        p_value=verdicts[best].p_value,
        q_value=verdicts[best].q_value,
        evidence=tuple(said for mark in of_largest for said in mark.evidence),
        counter_evidence=tuple(said for mark in of_largest for said in mark.counter_evidence),
        links=tuple(shown),
        capabilities=capabilities(every),
        techniques=techniques(every),
    )


def _group(panel: Panel, marks: Sequence[Mark], verdict: Verdict, judgement: Judgement, score: float | None) -> Group:
    return Group(
        group_id=panel.group_id,
        outcome=judgement.outcome,
        accounts_count=len(panel.accounts),
        organizations_count=panel.owners()[1],
        events_count=len(panel.calls.account),
        log_e_coordination=round(max(verdict.log_e_coordination, -999.0), 3),
        p_extraction=verdict.p_extraction,
        q_value=verdict.q_value,
        evidence=tuple(said for mark in marks for said in mark.evidence),
        counter_evidence=tuple(said for mark in marks for said in mark.counter_evidence),
        reason=judgement.reason,
        would_change=judgement.would_change,
        # Rounded up: as an example for later runs it must not rank below what it was.
        score=score and round(score + 5e-7, 6),
        readings=tuple(_reading(mark) for mark in marks if mark.log_e is not None or mark.score is not None),
    )


def _reading(mark: Mark) -> Reading:
    log_e = None if mark.log_e is None else round(max(mark.log_e, -999.0), 3)
    return Reading(mark.ident, log_e, None if mark.score is None else round(mark.score, 6))
