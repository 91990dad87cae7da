"""All tested families of a run → the campaigns they make, and what became of each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.claims import Claims
from stillwatch.campaign.community import communities
from stillwatch.campaign.fusion import Axes, Verdict, extraction_score, not_tested, reject, weigh
from stillwatch.campaign.judgement import Judgement, judge, set_aside
from stillwatch.campaign.membership import Members, is_led_by_facts, is_sliced, membership
from stillwatch.campaign.naming import capabilities, techniques
from stillwatch.campaign.pools import devotion, same_accounts
from stillwatch.campaign.unions import Union
from stillwatch.finding import Evidence, Group, Link, Reading, Skipped
from stillwatch.signals.contract import Floats, Ints, Keys, Mark, Pool
from stillwatch.signals.shared_infrastructure import LINKS_MAX

Tested = tuple[int, Pool, list[Mark | Skipped]]

Decide = Callable[[Sequence[tuple[Sequence[str], Axes]]], list[Verdict]]
"""Turns a window's hypotheses, each with the names of its families and its axes, into verdicts."""

Unite = Callable[[Sequence[Tested], Sequence[int]], Sequence[Union]]
"""Finds which of the families that lead a pool are kin, and tests them as one."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A campaign before its accounts have names: `families` index the run's families, the rest is per account.

    `sliced` accounts carry the campaign as a small part of other traffic: their calls are listed, and they are not
    named.

    Shapes:  accounts uint64[K] ascending; membership float64[K]; named, sliced bool[K], never both.
    """

    families: tuple[int, ...]
    group_ids: tuple[str, ...]
    accounts: Keys
    membership: Floats
    named: NDArray[np.bool_]
    sliced: NDArray[np.bool_]
    p_value: float
    q_value: float
    evidence: tuple[Evidence, ...]
    counter_evidence: tuple[Evidence, ...]
    links: tuple[Link, ...]
    capabilities: tuple[str, ...]
    techniques: tuple[str, ...]

    @property
    def taking_part(self) -> NDArray[np.bool_]:
        """Who is named or carries a slice: bool[K]."""
        return np.asarray(self.named | self.sliced)


NO_DRAFT = -1


@dataclass(frozen=True, slots=True)
class Judged:
    """All tested families, weighed together, each judged by itself.

    `rejected` are places in `tested`, `eligible` those of the families that led a hypothesis; `unions` are hypotheses
    of several pools.
    """

    tested: Sequence[Tested]
    marks: list[list[Mark]]
    axes: list[Axes]
    verdicts: list[Verdict]
    members: list[Members]
    judgements: list[Judgement]
    rejected: list[int]
    eligible: frozenset[int]
    unions: Sequence[Union] = ()

    @property
    def rejected_families(self) -> list[int]:
        """The run's numbers of the rejected families."""
        return [self.tested[at][0] for at in self.rejected]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a run concludes. `groups` are all tested families; `skips` says why a signal passed one over;
    `scores` are the extraction scores of the hypotheses, which a calibration on honest traffic is fitted from;
    `draft_of_claim` says row for row of the claims which campaign they belong to, NO_DRAFT where to none.
    """

    campaigns: tuple[Draft, ...]
    claims: Claims
    draft_of_claim: Ints
    groups: tuple[tuple[int, Group], ...]
    ran: frozenset[str]
    skips: dict[str, str]
    scores: tuple[float, ...]


def judge_all(
    tested: Sequence[Tested],
    calibration: Calibration,
    fdr: float,
    decide: Decide | None = None,
    unite: Unite | None = None,
) -> Judged:
    """Weigh all families together and judge each; without `decide` the hypotheses are decided among themselves, and
    without `unite` no pool is kin of another.
    """
    marks = [[mark for mark in said if isinstance(mark, Mark)] for _, _, said in tested]
    pools = [pool for _, pool, _ in tested]
    axes = [weigh(of, len(pool.accounts), calibration) for of, pool in zip(marks, pools, strict=True)]
    aside = [set_aside(pool, of) for pool, of in zip(pools, marks, strict=True)]
    eligible = [at for at, why in enumerate(aside) if why is None]
    verdicts = [not_tested(axis) for axis in axes]
    parts = [[eligible[at] for at in part] for part in same_accounts([pools[at] for at in eligible])]
    for part in parts:
        axes[part[0]] = _of_pool(part, axes, marks, pools, calibration)
    unions = unite(tested, [part[0] for part in parts]) if unite else ()
    wholes, said = _hypotheses(parts, unions, axes)
    marks_of = list(marks)
    for union in unions:
        for at in union.places:
            axes[at], marks_of[at] = union.part(at, pools[at], axes[at]), [*marks[at], *union.marks_of(at, pools[at])]
    hypotheses = [([pools[at].group_id for at in part], whole) for part, whole in zip(wholes, said, strict=True)]
    decided = decide(hypotheses) if decide else reject(said, fdr)
    for part, verdict, whole in zip(wholes, decided, said, strict=True):
        for at in part:
            verdicts[at] = _as_of_pool(verdict, axes[at], fdr)
        axes[part[0]] = whole
    members = [membership(p, m, v) for p, m, v in zip(pools, marks_of, verdicts, strict=True)]
    judged = [why or judge(verdict, fdr) for why, verdict in zip(aside, verdicts, strict=True)]
    judged = [
        _nobody(verdict) if judgement.outcome == "extraction-campaign" and not of.part.any() else judgement
        for judgement, of, verdict in zip(judged, members, verdicts, strict=True)
    ]
    rejected = [at for at, judgement in enumerate(judged) if judgement.outcome == "extraction-campaign"]
    leaders = frozenset(part[0] for part in wholes)
    return Judged(tested, marks, axes, verdicts, members, judged, rejected, leaders, unions)


def _hypotheses(
    parts: list[list[int]], unions: Sequence[Union], axes: list[Axes]
) -> tuple[list[list[int]], list[Axes]]:
    """Return all families of each hypothesis, the leader first, and its axes: a union of pools, or a pool."""
    of_leader = {part[0]: part for part in parts}
    united = {at for union in unions for at in union.places}
    wholes = [[union.places[0], *_others(union, of_leader)] for union in unions]
    alone = [part for part in parts if part[0] not in united]
    return [*wholes, *alone], [*(union.whole(axes) for union in unions), *(axes[part[0]] for part in alone)]


def _others(union: Union, of_leader: Mapping[int, list[int]]) -> list[int]:
    return [at for leader in union.places for at in of_leader[leader] if at != union.places[0]]


def _of_pool(
    part: list[int], axes: list[Axes], marks: list[list[Mark]], pools: list[Pool], calibration: Calibration
) -> Axes:
    """Return the axes of the hypothesis that a pool is: its largest family's coordination, its strongest extraction."""
    devoted = devotion(pools[part[0]], [pools[at] for at in part])
    score = max(extraction_score(marks[at], devoted) for at in part)
    return replace(axes[part[0]], score=score, p_extraction=calibration.p_value(score))


def _as_of_pool(verdict: Verdict, own: Axes, fdr: float) -> Verdict:
    """Return the verdict of one family of a decided pool: rejected with it where the family is coordinated itself."""
    return replace(
        verdict,
        log_e_coordination=own.log_e_coordination,
        log_e_without=own.log_e_without,
        rejected=verdict.rejected and own.log_e_coordination >= np.log(2 / fdr),
    )


def conclude(judged: Judged, claims: Claims, seed: int) -> Conclusion:
    """Join the rejected families that share accounts into campaigns."""
    at_of = {judged.tested[at][0]: at for at in judged.rejected}
    homes = claims.homes(list(at_of))
    standing = [family for family, home in homes.items() if family == home]
    nodes = _nodes(judged, [at_of[family] for family in standing])
    taking = [[_taking_part(judged, claims, judged.tested[at][0], at) for at in node] for node in nodes]
    part = communities([np.unique(np.concatenate(of)) for of in taking], seed)
    draft_of = {judged.tested[at][0]: number for node, number in zip(nodes, part, strict=True) for at in node}
    of_claim = claims.drafts(homes, draft_of)
    drafts = []
    for number in range(max(part, default=-1) + 1):
        families = [family for family, home in homes.items() if draft_of[home] == number]
        drafts.append(_draft(judged, claims, of_claim == number, homes, families))
    # A family can be rejected and keep no call: all of its accounts' calls carry more of other families.
    order = sorted((at for at, draft in enumerate(drafts) if draft.taking_part.any()), key=lambda at: _rank(drafts[at]))
    place = np.full(len(drafts) + 1, NO_DRAFT)
    place[order] = np.arange(len(order))
    reported = {family for at in order for family in drafts[at].families}
    groups = tuple((family, _group(judged, at, family in reported)) for at, (family, _, _) in enumerate(judged.tested))
    return Conclusion(
        campaigns=tuple(drafts[at] for at in order),
        claims=claims,
        draft_of_claim=place[of_claim],
        groups=groups,
        ran=frozenset(mark.ident for of in judged.marks for mark in of),
        skips={said.ident: said.reason for _, _, of in judged.tested for said in of if isinstance(said, Skipped)},
        scores=tuple(sorted(judged.axes[at].score for at in judged.eligible)),
    )


def _nodes(judged: Judged, standing: Sequence[int]) -> list[list[int]]:
    """Return the standing families, those together that a union speaks for: they are one campaign, having no account
    in common.
    """
    node_of = {at: at for at in standing}
    for union in judged.unions:
        spoken = [at for at, along in zip(union.places, union.along, strict=True) if along and at in node_of]
        node_of |= dict.fromkeys(spoken, min(spoken, default=0))
    return [[at for at in standing if node_of[at] == node] for node in dict.fromkeys(node_of.values())]


def _rank(draft: Draft) -> tuple[float, float, int, tuple[str, ...]]:
    return draft.q_value, draft.p_value, -int(draft.taking_part.sum()), draft.group_ids


def _taking_part(judged: Judged, claims: Claims, family: int, at: int) -> Keys:
    """Return the accounts that take part in a family and have calls that belong to it."""
    pool, members = judged.tested[at][1], judged.members[at]
    return np.intersect1d(pool.accounts[members.part], claims.account[claims.family == family])


def _nobody(verdict: Verdict) -> Judgement:
    return Judgement(
        "undecided",
        f"rejected as a family (q {verdict.q_value:.3f}), yet no single account stands: with itself left out, or by "
        "what it sends",
        "more accounts, or more calls of each",
    )


def _draft(
    judged: Judged, claims: Claims, mine: NDArray[np.bool_], homes: Mapping[int, int], families: Sequence[int]
) -> Draft:
    """Make one campaign of some rejected families, of which those that stand speak; `mine` marks its claims."""
    tested, marks, verdicts = judged.tested, judged.marks, judged.verdicts
    at_of = {tested[at][0]: at for at in judged.rejected}
    ats = [at_of[family] for family in families if homes[family] == family]
    accounts = np.unique(claims.account[mine])
    claimed = np.bincount(np.searchsorted(accounts, claims.account[mine]), weights=claims.calls[mine])
    fit, sent = (np.zeros(len(accounts)) for _ in range(2))
    part, worked, carriers = (np.zeros(len(accounts), dtype=bool) for _ in range(3))
    for at in ats:
        family, pool, _ = tested[at]
        there = np.isin(pool.accounts, claims.account[mine & (claims.family == family)])
        place = np.searchsorted(accounts, pool.accounts[there])
        fit[place] = np.maximum(fit[place], judged.members[at].fit[there])
        sent[place] = np.maximum(sent[place], pool.account_calls[there])
        part[place] |= judged.members[at].part[there]
        worked[place] |= judged.members[at].part[there] & (not judged.members[at].by_facts)
        carriers[place] |= pool.carriers[there]
    share = np.minimum(1.0, claimed / np.maximum(sent, 1))
    part &= ~is_led_by_facts(claimed, sent, part & ~worked)
    sliced = part & is_sliced(share, carriers)
    largest = max(ats, key=lambda at: (tested[at][1].events_count, tested[at][1].group_id))
    said, doubts = _said(judged, largest)
    best = min(ats, key=lambda at: (verdicts[at].q_value, verdicts[at].p_extraction))
    every = [mark for at in ats for mark in marks[at]]
    return Draft(
        families=tuple(sorted(families)),
        group_ids=tuple(sorted(tested[at_of[family]][1].group_id for family in families)),
        accounts=accounts,
        membership=np.round(fit * (0.5 + 0.5 * share), 4),
        named=part & ~sliced,
        sliced=sliced,
        p_value=verdicts[best].p_value,
        q_value=verdicts[best].q_value,
        evidence=said,
        counter_evidence=doubts,
        links=_links(every),
        capabilities=capabilities(every),
        techniques=techniques(every),
    )


def _links(marks: Sequence[Mark]) -> tuple[Link, ...]:
    links: dict[tuple[str, str], Link] = {}
    for link in (link for mark in marks for link in mark.links):
        known = links.get((link.kind, link.pseudonym))
        if known is None or link.accounts_count > known.accounts_count:
            links[link.kind, link.pseudonym] = link
    return tuple(sorted(links.values(), key=lambda link: (-link.weight_bits, link.kind, link.pseudonym))[:LINKS_MAX])


def _said(judged: Judged, at: int) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Return evidence and counter-evidence of a family: of its union where that speaks for it, else its own."""
    marks, doubts = judged.marks[at], []
    for union in judged.unions:
        if at in union.places and union.along[union.places.index(at)]:
            idents = {mark.ident for mark in union.marks}
            marks = [*union.marks, *(mark for mark in marks if mark.ident not in idents)]
            doubts = [union.doubt]
    against = tuple(said for mark in marks for said in mark.counter_evidence)
    return tuple(said for mark in marks for said in mark.evidence), (*doubts, *against)


def _group(judged: Judged, at: int, reported: bool) -> Group:
    pool, marks, verdict, judgement = judged.tested[at][1], judged.marks[at], judged.verdicts[at], judged.judgements[at]
    said, doubts = _said(judged, at)
    if judgement.outcome == "extraction-campaign" and not reported:
        judgement = _nobody(verdict)
    score = judged.axes[at].score if at in judged.eligible else None
    return Group(
        group_id=pool.group_id,
        outcome=judgement.outcome,
        accounts_count=len(pool.accounts),
        organizations_count=pool.owners()[1],
        events_count=pool.events_count,
        log_e_coordination=round(max(verdict.log_e_coordination, -999.0), 3),
        p_extraction=verdict.p_extraction,
        q_value=verdict.q_value,
        evidence=said,
        counter_evidence=doubts,
        reason=judgement.reason,
        would_change=judgement.would_change,
        # Rounded up: as an example for later runs it must not rank below what it was.
        score=score and round(score + 5e-7, 6),
        readings=tuple(_reading(mark) for mark in marks if mark.log_e is not None or mark.score is not None),
    )


def _reading(mark: Mark) -> Reading:
    log_e = None if mark.log_e is None else round(max(mark.log_e, -999.0), 3)
    return Reading(mark.ident, log_e, None if mark.score is None else round(mark.score, 6))
