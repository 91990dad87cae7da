"""Which accounts of a rejected family are in the campaign: each is asked about by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from stillwatch.campaign.fusion import COORDINATION, ENOUGH_LOG_E, Verdict
from stillwatch.signals.contract import Floats, Ints, Mark, Pool

CALLS_MIN = 2
"""One call may be a passer-by who tries a prompt; a second needs no link to count."""

TYPICAL_P = 1e-4
"""An account with so few of the family's calls that even dispatch would hardly ever give them is not typical."""

OWN_SHARE = 0.5
"""An account that is not typical must do little else than the family's calls, and a tenth of the pool's volume."""

LEFT_OUT_SHARE = 0.5
"""How much of the family's log e must remain with the account left out: a finding that one account makes is that
account's, not the family's."""


SLICE_SHARE_MAX = 0.25
"""An account of whose calls less than a quarter are the campaign's carries it beside other people's work: a reseller, a
relay, a taken key. The calls are the campaign's; the account is not judged by them."""


@dataclass(frozen=True, slots=True)
class Members:
    """Which accounts take part in one rejected family, and how well they fit it.

    `by_facts` says that only facts of accounts (what they share, when they signed up) speak for one hand: these tie
    accounts to each other and not to the calls.

    Shapes:  fit float64[K], 0 to 1; part bool[K].
    """

    fit: Floats
    part: NDArray[np.bool_]
    by_facts: bool = False


def membership(pool: Pool, marks: Sequence[Mark], verdict: Verdict) -> Members:
    """Return who takes part in a family.

    An account takes part when it has two calls of the family, or one and a rare link; when the family is rejected
    without it; and when its volume is typical of the pool, or it does little else, or a rare link ties it. Where only
    shared values and sign-ups speak for one hand, an account must be one of those that they tie: among the users of a
    public tool everybody's volume is typical.
    """
    calls = pool.calls
    linked = np.zeros(len(pool.accounts), dtype=bool)
    for mark in marks:
        if mark.linked is not None:
            linked |= mark.linked
    middle = float(np.median(calls))
    typical = special.pdtr(calls, middle) >= TYPICAL_P
    devoted = (pool.shares >= OWN_SHARE) & (calls >= max(CALLS_MIN + 1, 0.1 * middle))
    stands = verdict.log_e_without >= max(ENOUGH_LOG_E, LEFT_OUT_SHARE * verdict.log_e_coordination)
    enough = (calls >= CALLS_MIN) | ((calls >= 1) & linked)
    ties = [mark.tied for mark in marks if mark.tied is not None]
    by_facts = bool(ties) and not _collective(marks)
    if by_facts:
        typical = devoted = np.logical_or.reduce(ties)
    fit = np.where(linked, 1.0, np.where(typical, 0.95, np.where(devoted, 0.9, 0.5)))
    return Members(fit, enough & stands & (typical | devoted | linked), by_facts)


def _collective(marks: Sequence[Mark]) -> bool:
    """Say whether coordination stands by the signals about the pool as a whole, those about facts of accounts at 0."""
    ran = [(mark.log_e, mark.tied) for mark in marks if mark.ident in COORDINATION and mark.log_e is not None]
    whole = np.array([log_e for log_e, tied in ran if tied is None])
    return bool(len(whole) and np.logaddexp.reduce(whole) - np.log(len(ran)) >= ENOUGH_LOG_E)


def is_led_by_facts(claimed: Ints | Floats, sent: Floats, by_facts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which accounts only facts put into a campaign that is less than OWN_SHARE of what they send, or all of them.

    A card says who holds two accounts, never which of their calls are one hand's: of a relay's pool the same could be
    said about everything that passes through it. So the campaign must be most of what the hand sends, and what each
    account does: of a relay's quiet accounts some send mostly anything.

    Shapes:  claimed, sent: calls of the campaign and of all, [K]; by_facts bool[K].
    """
    if claimed[by_facts].sum() < OWN_SHARE * sent[by_facts].sum():
        return by_facts
    return np.asarray(by_facts & (claimed < OWN_SHARE * sent))


def is_sliced(share: Floats, carriers: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which accounts carry the campaign beside other traffic, from the share of their calls that is the campaign's.

    They do where it is less than SLICE_SHARE_MAX of what they send, or than OWN_SHARE where they pass on others' work.
    """
    return np.asarray((share < SLICE_SHARE_MAX) | (carriers & (share < OWN_SHARE)))
