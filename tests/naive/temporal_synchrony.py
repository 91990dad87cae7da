"""Do owners begin and stop together, again and again? Owner by owner, window by window, triple by triple."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

HOUR_US = 3_600_000_000
HALF_US = HOUR_US // 24
WINDOW_US = 2 * HALF_US
MINUTE_US = HOUR_US // 60

Turn = tuple[int, int, int]
Episode = tuple[float, int, int, int, int]


def find_turns(calls: Mapping[int, Sequence[tuple[int, bool]]], first_us: int, last_us: int) -> set[Turn]:
    """Return (kind, owner, time) of beginnings (0) and ends (1); `calls` has (time, tested) of each owner."""
    turns: set[Turn] = set()
    for owner, times in calls.items():
        ordered = sorted(times)
        gaps = sorted(later[0] - sooner[0] for sooner, later in pairwise(ordered))
        quiet = max(30 * MINUTE_US, 8 * gaps[(len(gaps) - 1) // 2]) if gaps else 30 * MINUTE_US
        pieces = [[ordered[0]]]
        for call in ordered[1:]:
            if call[0] - pieces[-1][-1][0] >= quiet:
                pieces.append([])
            pieces[-1].append(call)
        if len(pieces) < 2:
            continue
        begins = [piece[0] for piece in pieces if piece[0][0] - first_us >= quiet]
        ends = [piece[-1] for piece in pieces if last_us - piece[-1][0] >= quiet]
        for kind, found in ((0, begins), (1, ends)):
            hours: dict[int, int] = {}
            for time, tested in found:
                if tested:
                    hours.setdefault(time // HOUR_US, time)
            turns |= {(kind, owner, time) for time in hours.values()}
    return turns


def find_episodes(turns: set[Turn], shares: Mapping[int, Sequence[float]]) -> tuple[set[Episode], int]:
    """Return (log p, start, kind, together, turned) of each window with a turn, and how many windows were looked at."""
    episodes: set[Episode] = set()
    looks = 0
    for kind, hour in {(kind, time // HOUR_US) for kind, _, time in turns}:
        times = [time % HOUR_US for k, _, time in turns if k == kind and time // HOUR_US == hour]
        if len(times) < 8 or hour not in shares:
            continue
        for window in range(23):
            looks += 1
            together = sum(window * HALF_US <= time < window * HALF_US + WINDOW_US for time in times)
            if together:
                log_p = math.log(at_least(together, len(times), shares[hour][window]))
                episodes.add((log_p, hour * HOUR_US + window * HALF_US, kind, together, len(times)))
    return episodes, looks


def at_least(seen: int, count: int, chance: float) -> float:
    """Return P(at least so many of `count` coins fall on the side of this chance)."""
    return min(1.0, sum(math.comb(count, k) * chance**k * (1 - chance) ** (count - k) for k in range(seen, count + 1)))


def third(episodes: Sequence[Episode]) -> float:
    """Return the smallest possible largest log p of three separate episodes, 0 where there are none."""
    best = 0.0
    for triple in combinations(episodes, 3):
        if all(apart(one[1], other[1]) for one, other in combinations(triple, 2)):
            best = min(best, max(each[0] for each in triple))
    return best


def apart(first_us: int, second_us: int) -> bool:
    """Say whether windows are an hour apart, at minutes more than five apart, and not both at a quarter."""
    rounds = 0
    for start in (first_us, second_us):
        rounds += any(start <= quarter < start + WINDOW_US for quarter in quarters(start))
    difference = abs(first_us - second_us) % HOUR_US
    return abs(first_us - second_us) >= HOUR_US and rounds < 2 and min(difference, HOUR_US - difference) > 5 * MINUTE_US


def quarters(start_us: int) -> list[int]:
    hour = start_us // HOUR_US * HOUR_US
    return [hour + 15 * MINUTE_US * k for k in range(5)]
