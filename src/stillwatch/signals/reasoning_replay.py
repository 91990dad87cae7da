"""Reasoning replay: accounts present opaque reasoning blocks that were issued to somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch import trace
from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, log_e_from_log_p, mean_log_e
from stillwatch.signals.counts import log_poisson_tail

IDENT = "reasoning-replay"
FAMILY: Family = "provenance"
NEEDS = frozenset({"presented_blocks", "issued_blocks"})

ACCIDENT_RATE = 1e-4
"""Share of honest calls with blocks that carry another owner's, or one that another owner will carry. A client sends
back what it was sent, so that only a key that moved between owners, a gateway that mixes them up or a transcript passed
on does it; one in ten thousand is our assumption, on the generous side, since nobody has published a rate."""

ENOUGH = 0.5
"""Share of the owners from which on the score says no more: most of them carry on with others' reasoning, or have
theirs carried on."""

SCORE_FULL = 1.5
"""What replay in most owners weighs: more than any wording, since a block proves where it came from."""

DOUBT = 0.01
"""One-sided level of the bound that the score reads: a few cases of few owners must weigh little."""


@dataclass(frozen=True, slots=True)
class Replays:
    """How many owners had calls with blocks, how many of them had some that moved, and to or from how many others.

    On the presenting side these are presenters, those of them who presented others' blocks, and whom they were issued
    to; on the issuing side owners who were issued blocks, those whose blocks others presented, and those others.
    """

    owners: int
    movers: int
    others: int

    @property
    def accidents(self) -> int:
        """The least number of separate accidents that would explain it: whatever passes from one owner, or to one, is
        one accident."""
        return min(self.movers, self.others)


@dataclass(frozen=True, slots=True)
class Side:
    """The calls of a family that present blocks, or those that are issued some.

    Shapes:  n entries each; `carries` and `moved` within the tested blocks of time; `other` is whom it moved from or
             to, in all blocks, and 0 where it did not.
    """

    statement: str
    carries: npt.NDArray[np.bool_]
    moved: npt.NDArray[np.bool_]
    other: npt.NDArray[np.uint64]


PRESENTING = "{movers} of {owners} owners presented reasoning that {others} others were issued"
ISSUED = "{others} others presented reasoning that {movers} of {owners} owners were issued"


def conclude(panel: Panel) -> Mark | Skipped:
    """Count owners that present reasoning blocks which other owners, and not they, were issued; and those others.

    Sees:       blocks harvested by one set of accounts and decoded by another, however few calls each makes: both sets.
    Misled by:  one organisation's accounts that the log does not join; a gateway that spreads conversations over many
                accounts; a data set of transcripts that people pass on (one issuer, hence one accident). Owners whose
                transcripts were taken look like owners who handed them over, and must be shown to be one by another
                signal.
    Evaded by:  decoding in the account that was issued the block; blocks that the log does not carry; one issuing
                account for the whole pool.
    Source:     threat model C8, C13 and R-I7; arXiv 2608.09867 for blocks that were good in anybody's hands.
    """
    sides = [side for side in _sides(panel) if side.carries.any()]
    if not sides:
        return Skipped(IDENT, "no call in the tested blocks presents a reasoning block or is issued one")
    if not any(side.moved.any() for side in sides) and not panel.available >= NEEDS:
        return Skipped(IDENT, "the log does not say which account was issued a reasoning block and which presented it")
    owner, _ = panel.owners()
    said: list[Evidence] = []
    doubts: list[Evidence] = []
    linked = np.zeros(len(panel.accounts), dtype=bool)
    log_e, without, score, share = [], [], 0.0, 0.0
    for side in sides:
        account = panel.calls.account
        found = count_replays(owner[account[side.carries]], owner[account[side.moved]], side.other[side.moved])
        log_e.append(log_e_of(found.accidents, int(side.carries.sum())))
        without.append(_without(panel, side))
        score = max(score, replay_score(found))
        share = max(share, float(side.moved.sum() / side.carries.sum()))
        if found.accidents:
            remarkable = log_p(found.accidents, int(side.carries.sum())) < np.log(0.01)
            (said if remarkable else doubts).append(_statement(side, found))
            linked[account[side.other != 0]] |= remarkable
    if not said and not doubts:
        doubts.append(Evidence(IDENT, "no reasoning block passed from one owner to another", 0.0, None, FAMILY))
    return Mark(
        IDENT,
        FAMILY,
        float(mean_log_e(log_e)),
        tuple(said),
        tuple(doubts),
        mean_log_e(without),
        score,
        linked=linked if said else None,
        figures={"replay_share": share},
    )


def _sides(panel: Panel) -> tuple[Side, Side]:
    calls, tested = panel.calls, panel.calls.tested
    presents, issued = ((calls.flags & np.uint32(flag)) != 0 for flag in (trace.FLAG_PRESENTS, trace.FLAG_ISSUES))
    foreign, taken = calls.issuer != 0, calls.taker != 0
    return (
        Side(PRESENTING, (presents | foreign) & tested, foreign & tested, calls.issuer),
        Side(ISSUED, (issued | taken) & tested, taken & tested, calls.taker),
    )


def _statement(side: Side, found: Replays) -> Evidence:
    moved, carries = int(side.moved.sum()), int(side.carries.sum())
    counts = {"owners": found.owners, "movers": found.movers, "others": found.others}
    return Evidence(
        IDENT,
        f"{side.statement.format(**counts)}, in {moved} of {carries} calls with such blocks ({moved / carries:.1%})",
        moved / carries,
        float(np.exp(log_p(found.accidents, carries))),
        FAMILY,
    )


def count_replays(owner: Ints, mover: Ints, other: npt.NDArray[np.uint64]) -> Replays:
    """Count owners: one entry of `owner` for each call with blocks, of the others for each call whose block moved.

    Twin:    tests/naive/reasoning_replay.py::count_replays
    """
    return Replays(len(np.unique(owner)), len(np.unique(mover)), len(np.unique(other)))


def log_p(accidents: int, calls: int) -> float:
    """Return log P(as many accidents) where each call with blocks is one with ACCIDENT_RATE, by independent owners.

    What makes an owner's calls go wrong together only lowers the number of owners that do.
    Twin:    tests/naive/reasoning_replay.py::log_p
    """
    return float(log_poisson_tail(accidents - 1, ACCIDENT_RATE * calls)) if accidents else 0.0


def log_e_of(accidents: int, calls: int) -> float:
    """Return log e of that many accidents."""
    return log_e_from_log_p(log_p(accidents, calls))


def replay_score(found: Replays) -> float:
    """Return 0 for accidents and SCORE_FULL where blocks of at least half of the owners surely move.

    Source:  Clopper and Pearson 1934 for the lower bound of the share.
    """
    if not found.accidents:
        return 0.0
    # Hardly any log has such blocks, and the import takes half a second.
    from scipy.stats import beta

    lower = beta.ppf(DOUBT, found.accidents, found.owners - found.accidents + 1)
    return SCORE_FULL * float(min(1.0, lower / ENOUGH))


def _without(panel: Panel, side: Side) -> Floats:
    """Return log e of a side with each account left out, as an owner of calls and as an other."""
    calls, size = panel.calls, len(panel.accounts)
    owner, owners = panel.owners()
    account = calls.account[side.moved]
    others, other = np.unique(side.other[side.moved], return_inverse=True)
    moves = np.bincount(account, minlength=size) > 0
    moving_accounts = np.bincount(owner, weights=moves, minlength=owners)
    alone = moves & (moving_accounts[owner] == 1)
    pairs = np.unique(np.stack([other, account], axis=1), axis=0)
    single = np.bincount(pairs[:, 0], minlength=len(others)) == 1
    own_others = np.bincount(pairs[:, 1], weights=single[pairs[:, 0]], minlength=size)
    # Where the account's owner is among the others, the account may be the one that is meant.
    names = np.where(panel.organizations == 0, panel.accounts, panel.organizations)
    lost = own_others + np.isin(names, others)
    movers = int((moving_accounts > 0).sum())
    left = np.maximum(0, np.minimum(movers - alone, len(others) - lost)).astype(np.int64)
    shown = np.bincount(calls.account[side.carries], minlength=size)
    total = int(side.carries.sum())
    cache = {pair: log_e_of(*pair) for pair in {*zip(left.tolist(), (total - shown).tolist(), strict=True)}}
    return np.array([cache[pair] for pair in zip(left.tolist(), (total - shown).tolist(), strict=True)])
