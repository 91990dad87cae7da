"""Kin families as one hypothesis: a panel of all their accounts, what signals may say of it, and who goes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from stillwatch.campaign.fusion import ENOUGH_LOG_E, Axes, coordination
from stillwatch.campaign.likeness import rare_values
from stillwatch.finding import Evidence
from stillwatch.kernels.rows import distinct
from stillwatch.signals import birth_cohort, failover, pool_dispatch, template_reuse, temporal_synchrony
from stillwatch.signals.contract import AccountFacts, Calls, Floats, Ints, Keys, Mark, Panel, Pool, Signal, mean_log_e

UNION_SIGNALS: tuple[Signal, ...] = (pool_dispatch, birth_cohort, temporal_synchrony, failover)
"""Whose nulls hold for families that were put together for their discovery subjects and rare values: counts, times and
closures were not looked at, sign-ups only of accounts that hold no such value. Queue-sharding is missing because items
of two wordings are different texts and never meet, shared-infrastructure because its values chose the union; both say
of each family by itself what they have to say."""

SPOKEN_SHARE = 0.5
"""How much of the union's log e the sets with a part in them must have for it to speak for that part: as much as must
remain without an account."""

SETS_MAX = 32
"""Sets of parts that are tested beside all of them: each costs the signals on nearly all calls. Of more parts than this
several are left out at a time."""


@dataclass(frozen=True, slots=True)
class Union:
    """Families of different accounts that are one hypothesis: `places` among the tested, the one with the most calls
    first.

    All parts are tested together and all but one, for each (all but a thirty-second, where they are more): an honest
    family that got in among a campaign's parts spoils the sets that it is in, and leaves one. `log_es` are those of all
    sets, `along` says for which parts the union speaks, `marks` are those of one set that has what there is of
    evidence, with the accounts `marked`.

    Shapes:  log_e_parts float64[parts], the average over the sets with that part; accounts uint64[K] ascending and
             log_e_without float64[K], the average over the sets with the account, with the account left out.
    """

    places: tuple[int, ...]
    log_es: tuple[float, ...]
    log_e_parts: Floats
    accounts: Keys
    log_e_without: Floats
    marks: tuple[Mark, ...]
    marked: Keys
    doubt: Evidence

    @property
    def along(self) -> tuple[bool, ...]:
        """For which parts the union speaks."""
        found = float(_log_mean(*self.log_es))
        return tuple(bool(part >= SPOKEN_SHARE * found or found < ENOUGH_LOG_E) for part in self.log_e_parts)

    def whole(self, axes: Sequence[Axes]) -> Axes:
        """Return the axes of the hypothesis, given those of all tested families: the average of the e-values of all
        sets and of the parts' own, which is an e-value whatever they have to do with each other, and the strongest
        extraction.
        """
        own = [axes[at] for at in self.places]
        best = max(own, key=lambda one: one.score)
        log_e = float(_log_mean(*self.log_es, *(one.log_e_coordination for one in own)))
        return replace(own[0], log_e_coordination=log_e, score=best.score, p_extraction=best.p_extraction)

    def part(self, at: int, pool: Pool, own: Axes) -> Axes:
        """Return what speaks for one part: its own evidence and that of sets with it, never that of another alone."""
        number = self.places.index(at)
        if not self.along[number]:
            return own
        log_e = float(self.log_e_parts[number])
        place, known = _places(self.accounts, pool)
        without = np.where(known, self.log_e_without[place], log_e)
        return replace(
            own,
            log_e_coordination=float(_log_mean(log_e, own.log_e_coordination)),
            log_e_without=_log_mean(without, own.log_e_without),
        )

    def marks_of(self, at: int, pool: Pool) -> list[Mark]:
        """Return the union's marks as they concern one part's accounts; none where the union does not speak for it."""
        if not self.along[self.places.index(at)]:
            return []
        place, known = _places(self.marked, pool)
        return [
            replace(mark, log_e_without=None, tied=None if mark.tied is None else mark.tied[place] & known)
            for mark in self.marks
        ]


def _places(accounts: Keys, pool: Pool) -> tuple[Ints, np.ndarray]:
    place = np.minimum(np.searchsorted(accounts, pool.accounts), len(accounts) - 1)
    return place, accounts[place] == pool.accounts


def _log_mean(*log_es: Floats | float) -> Floats:
    """Return the logarithm of the average of e-values, place by place where they are arrays."""
    return mean_log_e(np.broadcast_arrays(*log_es))


def unite(places: Sequence[int], panels: Sequence[Panel], filled: frozenset[str]) -> Union:
    """Test kin families as one, each with its panel; `filled` are the columns that the log has.

    The sets follow from the discovery blocks alone, so that the average over all of them is an e-value.

    Cost:    the signals on all calls together, SETS_MAX + 1 times at most.
    """
    count = len(panels)
    out = min(count, SETS_MAX) if count > 2 else 0
    sets = [frozenset(range(count)), *(frozenset(range(count)) - {*range(at, count, out)} for at in range(out))]
    accounts = np.unique(np.concatenate([panel.accounts for panel in panels]))
    without, times = np.full(len(accounts), -np.inf), np.zeros(len(accounts))
    log_es: list[float] = []
    shown: list[tuple[tuple[Mark, ...], Keys]] = []
    for chosen in sets:
        panel = join([panels[at] for at in sorted(chosen)])[0]
        said = [signal.conclude(panel) for signal in UNION_SIGNALS if signal.NEEDS & filled]
        marks = tuple(mark for mark in said if isinstance(mark, Mark))
        log_e, left = coordination(marks, len(panel.accounts))
        if not shown or log_e > max(log_es):
            shown = [*shown[:1], (marks, panel.accounts)]
        log_es.append(log_e)
        place = np.searchsorted(accounts, panel.accounts)
        without[place] = np.logaddexp(without[place], left)
        times[place] += 1
    # All parts together are shown, unless one of them speaks against what the others have in common.
    best = shown[0] if log_es[0] >= SPOKEN_SHARE * max(log_es) else shown[-1]
    of_part = [_log_mean(*(log_e for log_e, of in zip(log_es, sets, strict=True) if at in of)) for at in range(count)]
    return Union(
        tuple(places), tuple(log_es), np.array(of_part), accounts, without - np.log(times), *best,
        _doubt(panels, join(panels)[1]),
    )  # fmt: skip


def _doubt(panels: Sequence[Panel], ties: int) -> Evidence:
    return Evidence(
        template_reuse.IDENT,
        f"{len(panels)} families of different wording are taken for one hand's: they ask about the same, never ask the "
        f"same, and {ties} rare values are held across them; honest users who ask about the same would look like this",
        float(len(panels)),
        None,
        template_reuse.FAMILY,
    )


def join(panels: Sequence[Panel]) -> tuple[Panel, int]:
    """Return the panel of all families' accounts and calls, and how many rare values are held across families.

    What these values could tell is left out: the values themselves, and the sign-ups of their holders, since people
    who share a card or an office may well have signed up together.
    """
    every = np.concatenate([panel.accounts for panel in panels])
    accounts, first = np.unique(every, return_index=True)
    crossing, holders = _crossing(panels)

    def of_accounts(columns: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(columns))[first]

    account = np.searchsorted(accounts, np.concatenate([panel.accounts[panel.calls.account] for panel in panels]))
    order = np.lexsort((np.concatenate([panel.calls.time_us for panel in panels]), account))
    calls = {
        each.name: np.concatenate([getattr(panel.calls, each.name) for panel in panels])[order]
        for each in fields(Calls)
    }
    facts = {each.name: of_accounts([getattr(p.facts, each.name) for p in panels]) for each in fields(AccountFacts)}
    created = of_accounts([panel.created_us for panel in panels])
    joined = Panel(
        group_id=panels[0].group_id,
        accounts=accounts,
        organizations=of_accounts([panel.organizations for panel in panels]),
        account_calls=of_accounts([panel.account_calls for panel in panels]),
        created_us=np.where(np.isin(accounts, holders), -1, created),
        facts=AccountFacts(**facts),
        calls=Calls(**calls | {"account": account[order]}),
        shared=(),
        population=panels[0].population,
        available=panels[0].available,
        kept=panels[0].kept,
    )
    return joined, crossing


def _crossing(panels: Sequence[Panel]) -> tuple[int, Keys]:
    """Return how many rare values are held in several families by several accounts, and all of their holders."""
    kinds = sorted({of.kind for panel in panels for of in panel.shared})
    rows = [np.zeros((4, 0), np.uint64)]
    for number, panel in enumerate(panels):
        for kind, value, holder, _ in rare_values(panel):
            where = [np.full(len(value), each, np.uint64) for each in (number, kinds.index(kind))]
            rows.append(np.stack([*where, value, holder]))
    family, kind, value, holder = np.concatenate(rows, axis=1)
    _, which = np.unique(np.stack([kind, value]), axis=1, return_inverse=True)
    which = which.ravel()
    several = np.ones(int(which.max(initial=-1)) + 1, dtype=bool)
    for column in (family, holder):
        (each, _), _ = distinct(which, column)
        several &= np.bincount(each.astype(np.int64), minlength=len(several)) > 1
    return int(several.sum()), np.unique(holder[several[which]])
