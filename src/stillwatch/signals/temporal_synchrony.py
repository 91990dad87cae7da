"""Temporal synchrony: accounts begin and stop work in the same minutes, again and again, at times of no timetable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.finding import Evidence, Family, Skipped
from stillwatch.signals.contract import Floats, Ints, Mark, Panel, Population, log_e_from_log_p
from stillwatch.signals.counts import log_binomial_tail

IDENT = "temporal-synchrony"
FAMILY: Family = "dispatch"
NEEDS = frozenset({"time"})

HOUR_US = 3_600_000_000
HALVES = 24
HALF_US = HOUR_US // HALVES
WINDOW_US = 2 * HALF_US
"""Five minutes, looked at from every half window on: one command reaches a pool within it, a habit does not."""

ROUND_US = HOUR_US // 4
"""Timers, lessons and meetings begin at the quarters of an hour; all of these together count as one occasion."""

QUIET_US = HOUR_US // 2
QUIET_GAPS = 8
"""A pause is half an hour, and eight of the owner's own median gaps, so that each keeps a rhythm of its own."""

LENIENCE = 3.0
"""How much fuller than its share the fullest five minutes of an hour may honestly be. People who begin work at one
time with a standard deviation of ten minutes reach 2.4."""

TURNS_MIN = 8
"""Owners that turn within one hour before the hour is looked at."""

EPISODES_MAX = 300
"""Of the least likely windows, how many are tried as one of the three: a pool's own stand first, and 45,000 pairs are
looked through in no time."""

EPISODES_MIN = 3
"""One burst is a class, a viral prompt or a release, two are its beginning and its end: the third decides."""


class Turns(NamedTuple):
    """Beginnings (kind 0) and ends (kind 1) of owners' stretches of work in tested hours, one an hour and kind.

    Shapes:  kind, owner, time_us: one entry each.
    """

    kind: Ints
    owner: Ints
    time_us: Ints


@dataclass(frozen=True, slots=True)
class Episode:
    """Five minutes of an hour: how many of the owners that turned in the hour turned in them."""

    log_p: float
    start_us: int
    kind: int
    together: int
    turned: int
    share: float


def conclude(panel: Panel) -> Mark | Skipped:
    """Test whether owners begin or stop together in three separate episodes at least.

    Sees:       a pool that one command starts, pauses and stops; a queue that runs dry and is filled again.
    Misled by:  strangers with the same public timers at three or more odd minutes of the hour.
    Evaded by:  start times spread over the hour; accounts that call less than once in five minutes.
    Source:     threat model R-I4; Benjamini and Heller 2008 for partial conjunctions, here by the union bound.
    """
    population = panel.population
    if len(population.block_calls) == 0 or population.block_us < WINDOW_US:
        return Skipped(IDENT, "the log is shorter than half a day, too short for episodes to be told apart")
    owner, _ = panel.owners()
    turns = find_turns(owner[panel.calls.account], panel.calls.time_us, panel.calls.tested, population)
    episodes, looks = find_episodes(turns, _usual_shares(panel))
    if len({each.start_us // HOUR_US for each in episodes}) < EPISODES_MIN:
        return Skipped(IDENT, f"in fewer than {EPISODES_MIN} tested hours do {TURNS_MIN} owners begin or stop work")
    picked = separate(episodes)
    log_p = third_log_p([each.log_p for each in picked], looks)
    log_e = log_e_from_log_p(log_p)
    without = _without(picked, looks, turns, owner, log_e)
    if log_p >= np.log(0.01):
        fullest = picked[0] if picked else max(episodes, key=lambda each: each.together / each.turned)
        apart = Evidence(
            IDENT,
            f"owners begin and stop at times of their own: at no three separate occasions more of them within the same "
            f"five minutes than chance allows, and {fullest.together} of the hour's {fullest.turned} at most",
            fullest.together / fullest.turned,
            None,
            FAMILY,
        )
        return Mark(IDENT, FAMILY, log_e, (), (apart,), without)
    times = ", ".join(f"{each.together} of {each.turned}" for each in picked)
    weakest = min(each.together / each.turned for each in picked)
    said = Evidence(
        IDENT,
        f"on three separate occasions the owners that began or stopped work within the hour did so in the same five "
        f"minutes: {times}, where independent ones reach {picked[-1].share:.0%} at most",
        weakest,
        float(np.exp(log_p)),
        FAMILY,
    )
    return Mark(IDENT, FAMILY, log_e, (said,), (), without, figures={"together": weakest})


def find_turns(owner: Ints, time_us: Ints, tested: npt.NDArray[np.bool_], population: Population) -> Turns:
    """Return when owners begin and stop stretches of work; an owner with a single stretch has no rhythm to share.

    A beginning or an end that the log's own edge may have made is left out.
    Shapes:  owner, time_us, tested: one entry a call.
    Twin:    tests/naive/temporal_synchrony.py::find_turns
    """
    order = np.lexsort((time_us, owner))
    owner, time_us, tested = owner[order], time_us[order], tested[order]
    same = owner[1:] == owner[:-1]
    gap = np.diff(time_us)
    quiet = _quiet(owner[1:][same], gap[same], int(owner.max(initial=0)) + 1)
    apart = ~same | (gap >= quiet[owner[1:]])
    begins, ends = np.concatenate(([True], apart)), np.concatenate((apart, [True]))
    several = np.bincount(owner[begins], minlength=len(quiet)) > 1
    first_us = population.block_first * population.block_us
    last_us = first_us + len(population.block_calls) * population.block_us
    begins &= tested & several[owner] & (time_us - first_us >= quiet[owner])
    ends &= tested & several[owner] & (last_us - time_us >= quiet[owner])
    kinds = []
    for kind, chosen in enumerate((begins, ends)):
        who, when = owner[chosen], time_us[chosen]
        once = np.ones(len(who), dtype=bool)
        once[1:] = (who[1:] != who[:-1]) | (when[1:] // HOUR_US != when[:-1] // HOUR_US)
        kinds.append(Turns(np.full(once.sum(), kind), who[once], when[once]))
    return Turns(*(np.concatenate(parts) for parts in zip(*kinds, strict=True)))


def _quiet(owner: Ints, gap: Ints, owners_count: int) -> Ints:
    """Return the shortest pause of each owner: half an hour, or eight of its median gaps."""
    order = np.lexsort((gap, owner))
    count = np.bincount(owner, minlength=owners_count)
    first = np.cumsum(count) - count
    middle = np.minimum(first + (count - 1) // 2, max(0, len(gap) - 1))
    median = gap[order][middle] if len(gap) else np.zeros(owners_count, dtype=np.int64)
    return np.where(count > 0, np.maximum(QUIET_US, QUIET_GAPS * median), QUIET_US)


def _usual_shares(panel: Panel) -> dict[int, Floats]:
    """Return for each tested hour the largest honest share of each window: float64[HALVES - 1].

    A window's share is its share of the hour's tested time or, where that is more, of everybody else's calls. Hours
    in which everybody's calls break off, or come back, are left out: an outage is nobody's coordination.
    """
    population = panel.population
    stretch = panel.calls.time_us // population.block_us - population.block_first
    own = np.bincount(stretch, minlength=len(population.block_calls))
    others = np.maximum(population.block_calls - own, 0)
    broken = _breaks(others, max(1, HOUR_US // population.block_us))
    first_us = population.block_first * population.block_us
    hours = np.arange(first_us // HOUR_US, (first_us + len(others) * population.block_us - 1) // HOUR_US + 1)
    middle = hours[:, None] * HOUR_US + np.arange(HALVES) * HALF_US + HALF_US // 2
    at = middle // population.block_us - population.block_first
    inside = (at >= 0) & (at < len(others))
    at = np.clip(at, 0, len(others) - 1)
    tested = inside & population.block_tested[at]
    calls = np.where(tested, others[at], 0).astype(np.float64)
    whole = tested.any(axis=1) & ~(broken[at] & inside).any(axis=1)
    calls, tested = calls[whole], tested[whole]
    even = 2.0 / tested.sum(axis=1, keepdims=True)
    curve = (calls[:, 1:] + calls[:, :-1]) / np.maximum(1.0, calls.sum(axis=1, keepdims=True))
    return dict(zip(hours[whole].tolist(), np.minimum(1.0, LENIENCE * np.maximum(even, curve)), strict=True))


def _breaks(others: Ints, reach: int) -> npt.NDArray[np.bool_]:
    """Return the stretches beside which, or in which, calls are less than half of an hour before or after."""
    total = np.concatenate(([0], np.cumsum(others)))
    at = np.arange(len(others))
    low = np.zeros(len(others), dtype=bool)
    for start, stop in ((np.maximum(at - reach, 0), at), (at + 1, np.minimum(at + 1 + reach, len(others)))):
        mean = (total[stop] - total[start]) / np.maximum(stop - start, 1)
        low |= others < mean / 2 - 2 * np.sqrt(mean)
    return low | np.concatenate((low[1:], [False])) | np.concatenate(([False], low[:-1]))


def find_episodes(turns: Turns, shares: dict[int, Floats]) -> tuple[list[Episode], int]:
    """Return every window in which somebody turned, of the hours in which enough owners turned, and the windows
    looked at.

    Given how many owners turned within the hour, how many did so in one window is binomial at most.
    Twin:    tests/naive/temporal_synchrony.py::find_episodes
    """
    cell = turns.kind * 2**40 + turns.time_us // HOUR_US
    cells, inverse = np.unique(cell, return_inverse=True)
    counts = np.zeros((len(cells), HALVES), dtype=np.int64)
    np.add.at(counts, (inverse, turns.time_us % HOUR_US // HALF_US), 1)
    episodes: list[Episode] = []
    looks = 0
    for key, row in zip(cells.tolist(), counts, strict=True):
        kind, hour = divmod(key, 2**40)
        turned = int(row.sum())
        if turned < TURNS_MIN or hour not in shares:
            continue
        together = row[1:] + row[:-1]
        log_p = log_binomial_tail(together - 1, turned, shares[hour])
        looks += len(together)
        episodes += [
            Episode(float(log_p[j]), hour * HOUR_US + j * HALF_US, kind, int(together[j]), turned, shares[hour][j])
            for j in np.flatnonzero(together).tolist()
        ]
    return episodes, looks


def separate(episodes: list[Episode]) -> list[Episode]:
    """Return the least likely three episodes that no common occasion joins, or as many as there are.

    If all but two occasions are chance, where an occasion is anything within an hour, anything at one minute of every
    hour, or anything at the quarters, then one of three separate episodes is chance.
    Cost:    O(EPISODES_MAX²): candidates come in order, and the first that completes a triple is the best third.
    Twin:    tests/naive/temporal_synchrony.py::third
    """
    likely = sorted(episodes, key=lambda one: (one.log_p, one.start_us, one.kind))[:EPISODES_MAX]
    alone: list[Episode] = []
    pairs: list[tuple[Episode, Episode]] = []
    for each in likely:
        if each.log_p >= 0:
            break
        beside = {id(other) for other in alone if _apart(each.start_us, other.start_us)}
        for first, second in pairs:
            if id(first) in beside and id(second) in beside:
                return [first, second, each]
        pairs += [(other, each) for other in alone if id(other) in beside]
        alone.append(each)
    return list(pairs[0]) if pairs else alone[:1]


def _apart(first_us: int, second_us: int) -> bool:
    if abs(first_us - second_us) < HOUR_US:
        return False
    if all(-start % ROUND_US < WINDOW_US for start in (first_us, second_us)):
        return False
    minutes = (first_us - second_us) % HOUR_US
    return min(minutes, HOUR_US - minutes) > WINDOW_US


def third_log_p(log_ps: list[float], looks: int) -> float:
    """Return log p that so many separate episodes are together: the least surprising of three, for all looks."""
    return min(0.0, max(log_ps) + float(np.log(looks))) if len(log_ps) == EPISODES_MIN else 0.0


def _without(picked: list[Episode], looks: int, turns: Turns, owner: Ints, log_e: float) -> Floats:
    """Return log e with each account's owner left out of the three episodes; other triples are not looked for."""
    if len(picked) < EPISODES_MIN:
        return np.full(len(owner), log_e)
    left = np.full((EPISODES_MIN, int(owner.max()) + 1), 0.0)
    for row, each in zip(left, picked, strict=True):
        hour = (turns.kind == each.kind) & (turns.time_us // HOUR_US == each.start_us // HOUR_US)
        within = hour & (turns.time_us >= each.start_us) & (turns.time_us < each.start_us + WINDOW_US)
        row[:] = each.log_p
        row[turns.owner[hour]] = log_binomial_tail(each.together - 1, each.turned - 1, each.share)
        row[turns.owner[within]] = log_binomial_tail(each.together - 2, each.turned - 1, each.share)
    log_p = np.minimum(0.0, left.max(axis=0) + np.log(looks))
    alike, inverse = np.unique(log_p, return_inverse=True)
    return np.array([log_e_from_log_p(float(value)) for value in alike])[inverse][owner]
