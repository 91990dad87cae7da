"""Reasoning replay: accounts present opaque reasoning blocks that were issued to somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from stillwatch import trace
from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, log_e_from_log_p

IDENT = "reasoning-replay"
FAMILY: Family = "provenance"
NEEDS = frozenset({"presented_blocks", "issued_blocks"})

ACCIDENT_RATE = 1e-4
"""Share of honest presenting calls that carry another owner's block. A client sends back what it was sent, so that only
a key that moved between owners, a gateway that mixes them up or a transcript passed on does it; one in ten thousand is
our assumption, on the generous side, since nobody has published a rate."""

ENOUGH = 0.5
"""Share of the presenting owners from which on the score says no more: most of them carry on with others' reasoning."""

SCORE_FULL = 1.5
"""What replay in most owners weighs: more than any wording, since a block proves where it came from."""

DOUBT = 0.01
"""One-sided level of the bound that the score reads: a few cases of few owners must weigh little."""


@dataclass(frozen=True, slots=True)
class Replays:
    """How many owners presented blocks, how many others' blocks, and of how many issuers those were."""

    presenters: int
    replayers: int
    issuers: int

    @property
    def accidents(self) -> int:
        """The least number of separate accidents that would explain it: whatever passes from one owner, or to one, is
        one accident."""
        return min(self.replayers, self.issuers)


def conclude(panel: Panel) -> Mark | Skipped:
    """Count owners that present reasoning blocks which other owners, and not they, were issued.

    Sees:       blocks harvested by one set of accounts and decoded by another, however few calls each makes.
    Misled by:  one organisation's accounts that the log does not join; a gateway that spreads conversations over many
                accounts; a data set of transcripts that people pass on (one issuer, hence one accident).
    Evaded by:  decoding in the account that was issued the block; blocks that the log does not carry; one issuing
                account for the whole pool.
    Source:     threat model C8, C13 and R-I7; arXiv 2608.09867 for blocks that were good in anybody's hands.
    """
    calls, tested = panel.calls, panel.calls.tested
    foreign = calls.foreign & tested
    presents = (((calls.flags & np.uint32(trace.FLAG_PRESENTS)) != 0) & tested) | foreign
    if not presents.any():
        return Skipped(IDENT, "no call in the tested blocks presents a reasoning block")
    if not foreign.any() and not panel.available >= NEEDS:
        return Skipped(IDENT, "the log does not say which account was issued a reasoning block")
    owner, _ = panel.owners()
    found = count_replays(owner[calls.account[presents]], owner[calls.account[foreign]], calls.issuer[foreign])
    log_e = log_e_of(found.accidents, int(presents.sum()))
    share = float(foreign.sum() / presents.sum())
    score = replay_score(found)
    figures = {"replay_share": share}
    if not found.accidents:
        own = Evidence(IDENT, "no reasoning block presented was issued to somebody else", 0.0, None, FAMILY)
        return Mark(IDENT, FAMILY, log_e, (), (own,), _without(panel, presents, foreign), 0.0, figures=figures)
    said = Evidence(
        IDENT,
        f"{found.replayers} of {found.presenters} owners presented reasoning that {found.issuers} others were issued, "
        f"in {int(foreign.sum())} of {int(presents.sum())} calls with such blocks ({share:.1%})",
        share,
        float(np.exp(log_p(found.accidents, int(presents.sum())))),
        FAMILY,
    )
    linked = np.bincount(calls.account[calls.foreign], minlength=len(panel.accounts)) > 0
    remarkable = log_p(found.accidents, int(presents.sum())) < np.log(0.01)
    return Mark(
        IDENT,
        FAMILY,
        log_e,
        (said,) if remarkable else (),
        () if remarkable else (said,),
        _without(panel, presents, foreign),
        score,
        linked=linked if remarkable else None,
        figures=figures,
    )


def count_replays(presenter: Ints, replayer: Ints, issuer: npt.NDArray[np.uint64]) -> Replays:
    """Count owners: one entry of `presenter` for each presenting call, of the others for each foreign block.

    Twin:    tests/naive/reasoning_replay.py::count_replays
    """
    return Replays(len(np.unique(presenter)), len(np.unique(replayer)), len(np.unique(issuer)))


def log_p(accidents: int, presenting_calls: int) -> float:
    """Return log P(as many accidents) where each presenting call is one with ACCIDENT_RATE, as independent owners' are.

    What makes an owner's calls go wrong together only lowers the number of owners that do.
    Twin:    tests/naive/reasoning_replay.py::log_p
    """
    return float(stats.poisson.logsf(accidents - 1, ACCIDENT_RATE * presenting_calls)) if accidents else 0.0


def log_e_of(accidents: int, presenting_calls: int) -> float:
    """Return log e of that many accidents."""
    return log_e_from_log_p(log_p(accidents, presenting_calls))


def replay_score(found: Replays) -> float:
    """Return 0 for accidents and SCORE_FULL where at least half of the presenting owners surely replay.

    Source:  Clopper and Pearson 1934 for the lower bound of the share.
    """
    if not found.accidents:
        return 0.0
    lower = stats.beta.ppf(DOUBT, found.accidents, found.presenters - found.accidents + 1)
    return SCORE_FULL * float(min(1.0, lower / ENOUGH))


def _without(panel: Panel, presents: npt.NDArray[np.bool_], foreign: npt.NDArray[np.bool_]) -> Floats:
    """Return log e with each account left out, as a presenter and as an issuer."""
    calls, size = panel.calls, len(panel.accounts)
    owner, owners = panel.owners()
    account = calls.account[foreign]
    issuers, issuer = np.unique(calls.issuer[foreign], return_inverse=True)
    replays = np.bincount(account, minlength=size) > 0
    replaying_accounts = np.bincount(owner, weights=replays, minlength=owners)
    alone = replays & (replaying_accounts[owner] == 1)
    pairs = np.unique(np.stack([issuer, account], axis=1), axis=0)
    single = np.bincount(pairs[:, 0], minlength=len(issuers)) == 1
    own_issuers = np.bincount(pairs[:, 1], weights=single[pairs[:, 0]], minlength=size)
    # Where the account's owner issued blocks, the account may be the one that did.
    names = np.where(panel.organizations == 0, panel.accounts, panel.organizations)
    lost = own_issuers + np.isin(names, issuers)
    replayers = int((replaying_accounts > 0).sum())
    left = np.maximum(0, np.minimum(replayers - alone, len(issuers) - lost)).astype(np.int64)
    shown = np.bincount(calls.account[presents], minlength=size)
    total = int(presents.sum())
    cache = {pair: log_e_of(*pair) for pair in {*zip(left.tolist(), (total - shown).tolist(), strict=True)}}
    return np.array([cache[pair] for pair in zip(left.tolist(), (total - shown).tolist(), strict=True)])
