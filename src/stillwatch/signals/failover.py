"""Failover: where accounts are closed or calls refused, others take over at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.kernels.rows import distinct
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, log_e_from_log_p, mean_log_e
from stillwatch.signals.counts import log_binomial_tail

IDENT = "failover"
FAMILY: Family = "lifecycle"
NEEDS = frozenset({"closed_at", "status"})

FORBIDDEN = 403
THROTTLED = 429
"""HTTP statuses of a block and of a limit (RFC 9110, RFC 6585)."""

BIRTH_US = 2 * 3_600_000_000
"""Hours before and after a closure that are compared: a stock of ready accounts takes over within one (threat model 7,
evasion 5)."""

HANDOFF_US = 3_600_000_000
"""How long before and after a refusal the same item is looked for on other accounts."""

LENIENCE = 2.0
"""How many times more births than everybody's calls suggest, or more of an item's calls, may honestly come after than
before: a wave that grows while some are refused."""

ITEM_OWNERS_MAX = 3
"""An item that more owners ask for went round, and is asked for after a refusal as it was before it."""

MEETINGS_MAX = 1 << 20
"""Meetings looked at in one go: some 50 MB, however often one item is asked for within the hour."""

RATE_US = 300_000_000
RATE_PRIOR = 4.0
"""Refusal rates are taken by five minutes: a storm of limits is over within a few of them. Four calls at the family's
own rate are added to each, so that one call decides no rate."""

CHANCE_STEPS = 25
"""Chances are rounded up to one in so many, which keeps their number small and the bound valid."""

OWNERS_MIN = 8
"""Owners that handoffs must join. A customer who falls back from one own account to another joins two."""


class Births(NamedTuple):
    """Owners' first calls around one closure: who began after it, how many before it, the honest chance of after."""

    followers: Ints
    before: int
    chance: float


class Handoffs(NamedTuple):
    """Pairs of owners of whom one asked, within an hour, for what the other was refused; each pair once.

    Shapes:  refused, other: owners; after: the other asked later; moved: it did so over another access path; chance:
             how likely the refused call is the earlier one, at the refusal rates of their two times.
    """

    refused: Ints
    other: Ints
    after: npt.NDArray[np.bool_]
    moved: npt.NDArray[np.bool_]
    chance: Floats

    def kept(self, which: npt.NDArray[np.bool_]) -> Handoffs:
        return Handoffs(
            self.refused[which], self.other[which], self.after[which], self.moved[which], self.chance[which]
        )


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether new owners begin after others are closed, and whether refused items go on elsewhere.

    Sees:       a stock of accounts that replaces banned ones; a queue that hands a refused item to the next account
                or path.
    Misled by:  a provider that closes accounts again and again as one wave of newcomers grows.
    Evaded by:  waiting for half a day before taking over; giving refused items up.
    Source:     threat model 2.2, E3 and E4; method S3d.
    """
    owner, owners = panel.owners()
    births, handoffs = find_births(panel, owner), find_handoffs(panel, owner, owners)
    parts: list[tuple[float, Floats]] = []
    evidence: list[Evidence] = []
    against: list[Evidence] = []
    if births:
        log_p, left = _births_tested(births, owners)
        parts.append((log_e_from_log_p(log_p), left))
        (evidence if log_p < np.log(0.01) else against).append(_births_said(births, log_p))
    if handoffs is not None:
        log_p, left = _handoffs_tested(handoffs, owners)
        parts.append((log_e_from_log_p(log_p), left))
        (evidence if log_p < np.log(0.01) else against).append(_handoffs_said(handoffs, log_p))
    if not parts:
        return Skipped(IDENT, "no account begins around a closure, and no refused item is asked for elsewhere")
    log_e = float(mean_log_e([each for each, _ in parts]))
    without = mean_log_e([left for _, left in parts])
    return Mark(IDENT, FAMILY, log_e, tuple(evidence), tuple(against), without[owner])


def log_p_so_many(seen: int, count: Ints, chance: Floats) -> float:
    """Return an upper bound of log P(as many as `seen` of independent coins fall on their side).

    Shapes:  count, chance: coins of one chance each, and that chance.
    Source:  Chernoff 1952: P(S >= s) <= E[exp(tS)] exp(-ts) for every t >= 0.
    Twin:    tests/naive/failover.py::log_p_so_many
    """
    if seen <= float(count @ chance):
        return 0.0
    if seen >= count.sum():
        return float(count @ np.log(chance))

    def bound(t: float) -> float:
        return float(count @ np.log1p(chance * np.expm1(t)) - t * seen)

    return min(0.0, float(optimize.minimize_scalar(bound, bounds=(0.0, 40.0), method="bounded").fun))


def _births_tested(births: list[Births], owners: int) -> tuple[float, Floats]:
    """Return log p of the births, and log e without each owner."""
    after = np.array([len(each.followers) for each in births])
    count, chance = after + [each.before for each in births], np.array([each.chance for each in births])
    log_p = log_p_so_many(int(after.sum()), count, chance)
    left = np.full(owners, log_e_from_log_p(log_p))
    for at, each in enumerate(births):
        if len(each.followers):
            fewer = count - (np.arange(len(births)) == at)
            left[each.followers] = log_e_from_log_p(log_p_so_many(int(after.sum()) - 1, fewer, chance))
    return log_p, left


def find_births(panel: Panel, owner: Ints) -> list[Births]:
    """Return the births around separate closures.

    The closure with the strongest following is left out: one ban amid one wave of newcomers is no habit.
    Twin:    tests/naive/failover.py::find_births
    """
    calls, population = panel.calls, panel.population
    ends = _ends(panel)
    if len(ends) < 2:
        return []
    who = owner[calls.account]
    order = np.lexsort((calls.time_us, who))
    _, first = np.unique(who[order], return_index=True)
    born_us, tested = calls.time_us[order][first], calls.tested[order][first]
    stretch = calls.time_us // population.block_us - population.block_first
    others = np.maximum(population.block_calls - np.bincount(stretch, minlength=len(population.block_calls)), 0)
    others = np.where(population.block_tested, others, 0)
    middle = (np.arange(len(others)) + population.block_first) * population.block_us + population.block_us // 2
    found = []
    born_calm, calm = ~_follows(born_us, ends), ~_follows(middle, ends)
    for at in _anchors(ends).tolist():
        after = np.flatnonzero(tested & (born_us > at) & (born_us <= at + BIRTH_US))
        before = int((tested & born_calm & (born_us < at) & (born_us >= at - BIRTH_US)).sum())
        calls_after = int(others[(middle > at) & (middle <= at + BIRTH_US)].sum())
        calls_before = int(others[calm & (middle < at) & (middle >= at - BIRTH_US)].sum())
        if calls_after and calls_before and len(after) + before:
            chance = LENIENCE * calls_after / (LENIENCE * calls_after + calls_before)
            found.append((_tail(len(after), len(after) + before, chance), at, Births(after, before, chance)))
    return [births for _, _, births in sorted(found, key=lambda one: one[:2])[1:]]


def _ends(panel: Panel) -> Ints:
    """Return when accounts of the family were closed or, where nobody says, blocked for good."""
    calls, closed = panel.calls, panel.facts.closed_us
    last = np.full(len(panel.accounts), -1)
    np.maximum.at(last, calls.account, calls.time_us)
    blocked = np.zeros(len(panel.accounts), dtype=bool)
    final = calls.time_us == last[calls.account]
    blocked[calls.account[final & (calls.status == FORBIDDEN)]] = True
    ends = np.where(closed >= 0, closed, np.where(blocked, last, -1))
    return np.unique(ends[ends >= 0])


def _follows(time_us: Ints, ends: Ints) -> npt.NDArray[np.bool_]:
    """Return which times lie in the hours after some closure: they are no measure of the time before another."""
    latest = np.searchsorted(ends, time_us, "left") - 1
    return np.asarray((latest >= 0) & (time_us - ends[np.maximum(latest, 0)] <= BIRTH_US))


def _anchors(ends: Ints) -> Ints:
    """Return closures whose hours around them do not meet; one in between belongs to the closure before it."""
    anchors: list[int] = []
    for at in ends.tolist():
        if not anchors or at - anchors[-1] > 2 * BIRTH_US:
            anchors.append(at)
    return np.array(anchors, dtype=np.int64)


def find_handoffs(panel: Panel, owner: Ints, owners: int) -> Handoffs | None:
    """Return the pairs of owners that meet on a refused item, or None where fewer than OWNERS_MIN are joined.

    Were they independent, the other owner would ask as often before the refusal as after it. Who tries again by
    itself hands nothing over.
    Twin:    tests/naive/failover.py::find_handoffs
    """
    calls = panel.calls
    refused = (calls.status == FORBIDDEN) | (calls.status == THROTTLED)
    wanted = np.unique(calls.item[refused & calls.tested & (calls.item != 0)])
    if not len(wanted):
        return None
    place = np.minimum(np.searchsorted(wanted, calls.item), len(wanted) - 1)
    order = np.flatnonzero(wanted[place] == calls.item)
    place, who = place[order], owner[calls.account[order]]
    use = calls.tested[order] & _rare(place, who)[place]
    order, place, who = order[use], place[use], who[use]
    by = np.lexsort((calls.path[order], refused[order], who, calls.time_us[order], place))
    order, place, who = order[by], place[by], who[by]
    at, other = _met(place, calls.time_us[order], who, refused[order])
    if not len(at):
        return None
    rate, when, path = _refusal_rate(calls.time_us, refused)[order], calls.time_us[order], calls.path[order]
    after = when[other] > when[at]
    moved = (path[at] != 0) & (path[other] != 0) & (path[at] != path[other])
    early, late = np.where(after, rate[at], rate[other]), np.where(after, rate[other], rate[at])
    odds = LENIENCE * early * (1 - late) / (late * (1 - early))
    chance = np.ceil(odds / (1 + odds) * CHANCE_STEPS) / CHANCE_STEPS
    handoffs = Handoffs(who[at], who[other], after, moved, np.minimum(chance, 1 - 1e-9))
    joined = coo_array((np.ones(len(at)), (handoffs.refused, handoffs.other)), shape=(owners, owners))
    part = connected_components(joined, directed=False)[1]
    handoffs = handoffs.kept((np.bincount(part) >= OWNERS_MIN)[part[handoffs.refused]])
    return handoffs if len(handoffs.after) else None


def _met(item: Ints, when: Ints, who: Ints, refused: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return where each pair of owners first met within HANDOFF_US on what one was refused: at the refused call, and at
    the other owner's.

    Shapes:  calls ordered by item, then time, then owner; refused calls are asked in the order of time.
    """
    asked = np.flatnonzero(refused)
    asked = asked[np.argsort(when[asked], kind="stable")]
    moments, moment = np.unique(when, return_inverse=True)
    width = len(moments) + 1
    soonest = np.searchsorted(moments, when[asked] - HANDOFF_US)
    latest = np.searchsorted(moments, when[asked] + HANDOFF_US, "right")
    starts, stops = (np.searchsorted(item * width + moment, item[asked] * width + end) for end in (soonest, latest))
    part = np.cumsum(stops - starts) // MEETINGS_MAX
    owners = int(who.max(initial=0)) + 1

    def pairs(some: npt.NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
        length = (stops - starts)[some]
        place = np.repeat(np.arange(len(length)), length)
        other = np.arange(len(place)) + np.repeat(starts[some] - np.cumsum(length) + length, length)
        at = asked[some][place]
        near = ~refused[other] & (when[other] != when[at])
        again = np.zeros(len(length), dtype=bool)
        again[place[near & (who[other] == who[at]) & (when[other] > when[at])]] = True
        near &= (who[other] != who[at]) & ~again[place]
        at, other = at[near], other[near]
        return _first(np.minimum(who[at], who[other]) * owners + np.maximum(who[at], who[other]), at, other)

    found = [pairs(part == each) for each in np.unique(part)] or [pairs(part < 0)]
    pair, at, other = (np.concatenate(column) for column in zip(*found, strict=True))
    return _first(pair, at, other)[1:]


def _first(pair: Ints, at: Ints, other: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the rows in which a pair occurs first, in their order."""
    first = np.sort(np.unique(pair, return_index=True)[1])
    return pair[first], at[first], other[first]


def _refusal_rate(when: Ints, refused: npt.NDArray[np.bool_]) -> Floats:
    """Return for each call the share of refused calls in its five minutes, drawn towards the whole by RATE_PRIOR."""
    _, cell = np.unique(when // RATE_US, return_inverse=True)
    calls = np.bincount(cell)
    whole = float(np.clip(refused.mean(), 1e-6, 1 - 1e-6)) if len(refused) else 0.5
    return np.asarray((np.bincount(cell, weights=refused) + RATE_PRIOR * whole) / (calls + RATE_PRIOR))[cell]


def _rare(item: Ints, who: Ints) -> npt.NDArray[np.bool_]:
    """Return which items, numbered from 0, two owners at least, and ITEM_OWNERS_MAX at most, ask for."""
    (asked, _), _ = distinct(item, who)
    askers = np.bincount(asked)
    return (askers >= 2) & (askers <= ITEM_OWNERS_MAX)


def _handoffs_tested(handoffs: Handoffs, owners: int) -> tuple[float, Floats]:
    """Return log p of the handoffs, and log e without the pairs of each owner."""
    chance, kind = np.unique(handoffs.chance, return_inverse=True)
    count, seen = np.bincount(kind), int(handoffs.after.sum())
    log_p = log_p_so_many(seen, count, chance)
    own = np.zeros((owners, len(chance) + 1), dtype=np.int64)
    for side in (handoffs.refused, handoffs.other):
        np.add.at(own, (side, kind), 1)
        np.add.at(own[:, -1], side, handoffs.after)
    alike, inverse = np.unique(own, axis=0, return_inverse=True)
    left = [log_e_from_log_p(log_p_so_many(seen - int(row[-1]), count - row[:-1], chance)) for row in alike]
    return log_p, np.array(left)[inverse.ravel()]


def _tail(at_least: int, count: int, chance: float) -> float:
    return float(log_binomial_tail(at_least - 1, count, chance)) if count else 0.0


def _births_said(births: list[Births], log_p: float) -> Evidence:
    after, before = sum(len(each.followers) for each in births), sum(each.before for each in births)
    honest = sum((len(each.followers) + each.before) * each.chance for each in births)
    return Evidence(
        IDENT,
        f"around {len(births)} closures or final blocks (the most followed one left out) {after} owners began this "
        f"work within {BIRTH_US // 3_600_000_000} h after and {before} as long before, where the day's calls and a "
        f"margin allow {honest:.0f} after",
        after / (after + before),
        float(np.exp(log_p)),
        FAMILY,
    )


def _handoffs_said(handoffs: Handoffs, log_p: float) -> Evidence:
    later = int(handoffs.after.sum())
    moved = int((handoffs.after & handoffs.moved).sum())
    return Evidence(
        IDENT,
        f"of {len(handoffs.after)} pairs of owners that met within an hour on an item that one was refused (403, 429), "
        f"the other asked after the refusal in {later} and before it in {len(handoffs.after) - later}; in {moved} it "
        "did so over another access path",
        later / len(handoffs.after),
        float(np.exp(log_p)),
        FAMILY,
    )
