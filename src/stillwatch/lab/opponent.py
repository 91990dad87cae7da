"""An opponent that learns: it runs a pool for a day, sees which of its accounts were flagged, and changes one thing.

What flags is handed in: the lab imports nothing that detects. Every day is a world of its own around
the same pool; flagged accounts are lost at its end, the others come back a day older.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.lab.campaigns.harvest import Harvest, Task
from stillwatch.lab.campaigns.origins import WORKSHOP, Origin
from stillwatch.lab.roster import DAY_US, hex_text
from stillwatch.lab.scenario import around
from stillwatch.lab.simulate import Progress, write_world
from stillwatch.lab.traffic import Ground, Records
from stillwatch.lab.world import World, simulate

NAME = "opponent"

WORLD_CALLS_MAX = 60_000
"""A day must be detected in seconds, or no game of ten rounds is affordable for every baseline."""

WORLD_CALLS_MIN = 20_000
"""Below it the look-alikes would be most of the traffic."""


class Detector(Protocol):
    """Whatever names accounts, given a day's log; its files go below `out`."""

    def flagged(self, events: Path, accounts: Path, out: Path) -> set[str]: ...


@dataclass(frozen=True, slots=True)
class Knobs:
    """What the opponent can change. `rate` is an account's calls a day, `cover` organic traffic as a share of its
    calls, `per_card` the accounts to a means of payment (0: each its own).
    """  # fmt: skip

    rate: float = 60.0
    per_card: float = 15.0
    preamble: bool = False
    paraphrase: bool = False
    cover: float = 0.0
    unevenness: float = 0.0
    paths: int = 1


RATE_MIN = 2.0
COVER_MAX = 0.6
"""With more, most of what it pays for is traffic that it does not want."""
UNEVENNESS_MAX = 1.5
"""A log-normal sigma of 1.5 is an honest developer's; beyond it a few accounts do all the work."""
PATHS_MAX = 4
"""API, subscription, one cloud, one aggregator: more ways in than most providers have."""

_PATHS = (0, 2, 3, 5)
_FORMS = {
    (False, False): "hv_reveal", (True, False): "hv_reveal_signed", (False, True): "rc_task", (True, True): "rc_signed",
}  # fmt: skip

MOVES = ("rate", "per_card", "paraphrase", "cover", "preamble", "unevenness", "paths")
"""The order in which knobs are tried: the cheap and best-known ones first."""


@dataclass(frozen=True, slots=True)
class Opponent:
    """A queue of `work` calls, at most `daily` a day; `budget` accounts to buy in all; `rounds` days."""

    work: int = 40_000
    daily: int = 4_000
    budget: int = 3_000
    rounds: int = 10
    knobs: Knobs = Knobs()
    share: float = 0.1


@dataclass(frozen=True, slots=True)
class Round:
    """One day. `changed` is the knob under trial, "" where none; `kept` says that the change stays.

    `calls_obtained` were answered; `calls_paid` are all calls of its accounts, cover and failures too.
    """

    number: int
    knobs: Knobs
    changed: str
    kept: bool
    accounts_used: int
    accounts_bought: int
    cards_bought: int
    accounts_lost: int
    calls_obtained: int
    calls_paid: int

    @property
    def loss(self) -> float:
        """Accounts lost for each thousand calls obtained."""
        return 1_000.0 * self.accounts_lost / max(self.calls_obtained, 1)


@dataclass(frozen=True, slots=True)
class Tally:
    """A whole game, in plain units."""

    calls_obtained: int
    calls_paid: int
    accounts_bought: int
    cards_bought: int
    accounts_lost: int

    @property
    def calls_per_account_lost(self) -> float:
        """Return the yield of a lost account; infinite where none was lost."""
        return self.calls_obtained / self.accounts_lost if self.accounts_lost else float("inf")


def tally(rounds: Sequence[Round]) -> Tally:
    """Add a game up."""
    return Tally(
        calls_obtained=sum(each.calls_obtained for each in rounds),
        calls_paid=sum(each.calls_paid for each in rounds),
        accounts_bought=sum(each.accounts_bought for each in rounds),
        cards_bought=sum(each.cards_bought for each in rounds),
        accounts_lost=sum(each.accounts_lost for each in rounds),
    )


@dataclass(frozen=True, slots=True)
class _Survivors(Origin):
    """New accounts beside those that are left of the days before."""

    left: Records | None = None

    def enrol(self, rng: np.random.Generator, count: int, ground: Ground) -> Records:
        """Draw the new ones; the old ones stand first, as they were."""
        roster = Origin.enrol(self, rng, count, ground)
        if self.left is not None:
            known = self.left[:count].copy()
            known["created"] -= DAY_US
            roster[: len(known)] = known
        return roster


def play(detector: Detector, opponent: Opponent, seed: int, scratch: Path, progress: Progress) -> list[Round]:
    """Let the opponent play against a detector until its work is done, its budget spent, or its days over."""
    best, best_loss = opponent.knobs, float("inf")
    rounds: list[Round] = []
    left: Records | None = None
    budget, work, turn = opponent.budget, opponent.work, 0
    for number in range(opponent.rounds):
        trial, changed, turn = (best, "", turn) if best_loss in (0.0, float("inf")) else _changed(best, turn)
        calls = min(opponent.daily, work)
        held = 0 if left is None else len(left)
        used = min(max(round(calls / trial.rate), 2), held + budget)
        if used < 2 or calls <= 0:
            break
        campaign = _campaign(trial, used, min(calls / used, trial.rate), left)
        folder = scratch / f"round-{number}"
        world = _world(campaign, opponent.share, seed + number)
        played, left = _judge(detector, world, folder, progress, left)
        bought = max(used - held, 0)
        played = replace(
            played, number=number, knobs=trial, changed=changed, accounts_bought=bought,
            cards_bought=_cards(trial, bought),
        )  # fmt: skip
        kept = played.loss < best_loss
        if kept or not changed:
            best, best_loss = trial, played.loss
        rounds.append(replace(played, kept=kept and bool(changed)))
        budget -= bought
        work -= played.calls_obtained
    return rounds


def _changed(knobs: Knobs, turn: int) -> tuple[Knobs, str, int]:
    """Return the knobs with the next one moved that can still move, and whose turn it is afterwards."""
    for tried in range(turn, turn + len(MOVES)):
        name = MOVES[tried % len(MOVES)]
        moved = _moved(knobs, name)
        if moved != knobs:
            return moved, name, tried + 1
    return knobs, "", turn


def _moved(knobs: Knobs, name: str) -> Knobs:
    if name == "rate":
        return replace(knobs, rate=max(knobs.rate / 3.0, RATE_MIN))
    if name == "per_card":
        return replace(knobs, per_card=knobs.per_card / 4.0 if knobs.per_card > 4.0 else 0.0)
    if name == "cover":
        return replace(knobs, cover=min(knobs.cover + 0.3, COVER_MAX))
    if name == "unevenness":
        return replace(knobs, unevenness=min(knobs.unevenness + 0.75, UNEVENNESS_MAX))
    if name == "paths":
        return replace(knobs, paths=min(knobs.paths + 1, PATHS_MAX))
    return replace(knobs, preamble=True) if name == "preamble" else replace(knobs, paraphrase=True)


def _campaign(knobs: Knobs, accounts: int, calls_each: float, left: Records | None) -> Harvest:
    own = knobs.per_card == 0.0
    origin = _Survivors(
        per_card=knobs.per_card, per_block=0.0 if own else WORKSHOP.per_block, signup_days=0.0 if own else 4.0,
        paths=_PATHS[: knobs.paths], left=left,
    )  # fmt: skip
    task = Task(_FORMS[knobs.preamble, knobs.paraphrase])
    return Harvest(NAME, accounts, calls_each, 1, (task,), origin, unevenness=knobs.unevenness, cover=knobs.cover)


def _world(campaign: Harvest, share: float, seed: int) -> World:
    scenario = around(campaign, "a day of an opponent that learns", share)
    calls = min(max(scenario.calls, WORLD_CALLS_MIN), WORLD_CALLS_MAX)
    return simulate(replace(scenario, calls=calls), seed, calls)


def _judge(
    detector: Detector, world: World, folder: Path, progress: Progress, left: Records | None
) -> tuple[Round, Records]:
    """Write the day, have it judged, and return what it brought and which accounts are left."""
    roster = next(actor.roster for actor in world.actors if actor.name == NAME)
    names = hex_text(roster["key"], "acct_")
    write_world(world, folder, "canonical", progress)
    out = folder / "judged"
    out.mkdir()
    lost = detector.flagged(folder / "events", folder / "accounts.jsonl", out)
    events = pq.read_table(folder / "events", columns=["event_id", "account_id", "status"])
    told = pq.read_table(folder / "truth" / "calls.parquet", columns=["event_id"])["event_id"]
    ours = events.filter(pc.is_in(events["account_id"], value_set=names))
    work = pc.is_in(ours["event_id"], value_set=pa.chunked_array(told).combine_chunks())
    obtained = pc.sum(pc.and_(work, pc.equal(ours["status"], 200))).as_py() or 0
    shutil.rmtree(folder)
    flagged = np.array([name in lost for name in names.to_pylist()])
    idle = left[len(roster) :] if left is not None else roster[:0]
    played = Round(0, Knobs(), "", False, len(roster), 0, 0, int(flagged.sum()), int(obtained), len(ours))
    return played, np.concatenate([roster[~flagged], idle])


def _cards(knobs: Knobs, bought: int) -> int:
    return -(-bought // max(round(knobs.per_card), 1))
