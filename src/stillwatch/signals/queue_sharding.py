"""Queue sharding: one list of work is dealt out, so accounts draw on one stock and yet do not collide by chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.kernels.rows import distinct
from stillwatch.signals.contract import LOG_E_MAX, Floats, Ints, Keys, Mark, Panel, log_e_from_log_p, mean_log_e
from stillwatch.signals.counts import log_p_too_equal, truncated_counts

IDENT = "queue-sharding"
FAMILY: Family = "content"
NEEDS = frozenset({"input_text"})

ITEMS_MIN = 24
"""Fewer items than this are an assignment, not a queue, and decide nothing."""

RECAPTURES_MIN = 20
"""Items met again on another model before the size of the stock is trusted: a relative error near 0.2."""

BETS = (1e-4, 1e-3, 1e-2)
"""Collision rates that the sharded alternative puts up with: retries, crashes, races (method S1)."""


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether items are dealt out to accounts rather than chosen by them.

    Sees:       a queue with a fixed number of samples an item (multi-pass); a queue run again on another model.
    Misled by:  a rota inside one organisation, where work is dealt out in good faith.
    Evaded by:  a private list passed over once; deliberate collisions, at a cost of up to a third of the budget.
    Source:     method S1, S1b; Ville 1939 for the test martingale.
    """
    item = panel.calls.item
    known = item != 0
    if not known.any():
        return Skipped(IDENT, "the log carries no prompts, so items cannot be told apart")
    owner, owners = panel.owners()
    (asked, asker), _ = distinct(item[known], owner[panel.calls.account[known]])
    _, per_item = distinct(asked)
    per_owner = np.bincount(asker, minlength=owners)
    if len(per_item) < ITEMS_MIN:
        return Skipped(IDENT, f"fewer than {ITEMS_MIN} different items")
    passes_log_p, ratio = _multi_pass(per_item, per_owner)
    collisions_log_e, expected, seen = _collisions(panel, owner)
    log_e = float(np.logaddexp(log_e_from_log_p(passes_log_p), collisions_log_e) - np.log(2))
    overlap = item_overlap(per_item, per_owner)
    evidence = []
    if passes_log_p < np.log(0.01):
        evidence.append(
            Evidence(
                IDENT,
                f"{len(per_item)} items were answered by {per_item.mean():.2f} owners each, and that number varies "
                f"{ratio:.2f} times as much as it would if accounts chose their own items",
                ratio,
                float(np.exp(passes_log_p)),
                FAMILY,
            )
        )
    if collisions_log_e > np.log(100):
        evidence.append(
            Evidence(
                IDENT,
                f"accounts met on the same item {seen} times within one model where independent choice from the "
                f"same stock gives {expected:.0f}",
                float(seen),
                float(np.exp(-min(collisions_log_e, LOG_E_MAX))),
                FAMILY,
            )
        )
    against: tuple[Evidence, ...] = ()
    if overlap > 0.01:
        statement = f"two accounts of the family share {overlap:.0%} of their items on average"
        against = (Evidence(IDENT, statement, overlap, None, FAMILY),)
    without = log_e - max(0.0, log_e) * per_owner[owner] / max(1, per_owner.sum())
    return Mark(IDENT, FAMILY, log_e, tuple(evidence), against, without, figures={"overlap": overlap})


def item_overlap(per_item: Ints, per_account: Ints) -> float:
    """Return the mean share of items that two accounts have in common: 1 for a class, about passes / accounts
    for a queue.

    Shapes:  per_item: accounts of each item; per_account: items of each account.
    Twin:    tests/naive/queue_sharding.py::item_overlap
    """
    together = float((per_item.astype(np.float64) * (per_item - 1)).sum())
    roots = np.sqrt(per_account.astype(np.float64))
    possible = roots.sum() ** 2 - per_account.sum()
    return min(1.0, together / possible) if possible > 0 else 0.0


def _multi_pass(per_item: Ints, per_account: Ints) -> tuple[float, float]:
    """Return log p that items' numbers of accounts are as equal by chance, and their relative variance.

    Null: each account takes its number of different items from a common stock by itself. Popular items and unequal
    interests only make the numbers more unequal. The stock is estimated from the items seen at least once.
    """
    mean = float(per_item.mean())
    if mean <= 1.0 + 1e-9:
        return 0.0, 1.0
    table, weights = truncated_counts(mean, 0.0)
    unseen = float(np.exp(-_base_rate(mean)))
    share = per_account / (len(per_item) / (1 - unseen))
    thinning = 1 - float((share**2).sum() / max(1e-12, share.sum()))
    squared = (table - mean) ** 2 * max(0.0, thinning)
    observed = float(((per_item - mean) ** 2).sum())
    ratio = observed / max(1e-12, float(np.dot(squared, weights)) * len(per_item))
    return log_p_too_equal(observed, len(per_item) - 1, squared, weights), ratio


def _base_rate(mean: float) -> float:
    return float(mean + lambertw(-mean * np.exp(-mean)).real)


def _collisions(panel: Panel, owner: Ints) -> tuple[float, float, int]:
    """Return log e of the sharding martingale at its end, collisions expected and collisions seen.

    The stock's size comes from items recaptured by other accounts on another model in the discovery blocks; the
    martingale runs over the tested blocks. Its end value is used, never its supremum.
    """
    calls = panel.calls
    models, model = np.unique(calls.model, return_inverse=True)
    account = owner[calls.account]
    stock = _stock_size(calls.item, model, account, ~calls.tested)
    if stock is None or len(models) < 2:
        return 0.0, 0.0, 0
    order = np.lexsort((calls.item, calls.time_us))
    order = order[calls.tested[order] & (calls.item[order] != 0)]
    chance, hit = _walk(calls.item[order], model[order], account[order], stock)
    log_es = []
    for bet in BETS:
        used = chance > bet
        steps = np.where(hit[used], np.log(bet / chance[used]), np.log((1 - bet) / (1 - chance[used])))
        log_es.append(steps.sum())
    log_e = float(mean_log_e(log_es))
    return min(LOG_E_MAX, log_e), float(chance.sum()), int(hit.sum())


def _stock_size(item: Keys, model: Ints, account: Ints, discovery: NDArray[np.bool_]) -> float | None:
    """Return an upper estimate of the number of items in the stock (Lincoln and Petersen), or None."""
    shown = discovery & (item != 0)
    sizes = np.bincount(model[shown], minlength=model.max() + 1)
    first, second = (*np.argsort(-sizes, kind="stable"), -1)[:2]
    if second < 0:
        return None
    marked, again = (_holders(item[on], account[on]) for on in (shown & (model == first), shown & (model == second)))
    _, before, after = np.intersect1d(marked.item, again.item, assume_unique=True, return_indices=True)
    met = int((~again.alone[after] | (again.holder[after] != marked.holder[before])).sum())
    if met < RECAPTURES_MIN:
        return None
    return float(len(marked.item) * len(again.item) / (met - 2 * np.sqrt(met)))


class _Holders(NamedTuple):
    """Items, ascending, the one who asked for each, _SEVERAL where more than one did, and whether it was one alone."""

    item: Keys
    holder: Ints
    alone: NDArray[np.bool_]


_SEVERAL = -1


def _holders(item: Keys, account: Ints) -> _Holders:
    (asked, asker), _ = distinct(item, account)
    starts = np.flatnonzero(np.concatenate([[True], asked[1:] != asked[:-1]])[: len(asked)])
    alone = np.diff(np.append(starts, len(asked))) == 1
    return _Holders(asked[starts].astype(np.uint64), np.where(alone, asker[starts], _SEVERAL), alone)


def _walk(item: Keys, model: Ints, account: Ints, stock: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Go through the calls in order: the chance of meeting another account's item, and whether it was met.

    Who asks for an item again on one model is passed over.
    Twin:    tests/naive/queue_sharding.py::martingale
    """
    asked = _number(item) * (int(model.max(initial=0)) + 1) + model
    asker = model * (int(account.max(initial=0)) + 1) + account
    fresh = _earlier(_number(asked) * (int(asker.max(initial=0)) + 1) + asker) == 0
    asked, asker, model = asked[fresh], asker[fresh], model[fresh]
    hit, mine = _earlier(asked) > 0, _earlier(asker)
    order = np.argsort(model, kind="stable")
    first = ~hit[order]
    drawn: Ints = np.cumsum(first) - first
    starts = np.searchsorted(model[order], model[order])
    seen = np.empty(len(order), dtype=np.int64)
    seen[order] = drawn - drawn[starts]
    chance = np.maximum(0.0, (seen - mine) / np.maximum(stock - mine, seen - mine + 1.0))
    return chance, hit


def _number(values: NDArray[np.generic]) -> Ints:
    """Return a small number for each value."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _earlier(values: Ints) -> Ints:
    """Return for each place how many earlier ones hold the same value."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    out = np.empty(len(values), dtype=np.int64)
    out[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return out
