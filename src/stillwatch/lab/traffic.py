"""Calls before they have text: when, by whom, about what; drawn slot by slot.

A slot is a stretch of the window (an hour or a part of one). What happens in it depends on the
seed, the actor and the slot alone, so any slot can be drawn without those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stillwatch.lab.streams import Keys, mix, stream, unit
from stillwatch.lab.words.language import TOPICS, language

Ints = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

CALL = np.dtype(
    [
        ("time", "i8"), ("account", "i4"), ("form", "i4"), ("system", "i4"), ("topic", "i1"),
        ("profile", "i4"), ("turn", "i4"), ("step", "i4"), ("status", "i4"), ("organised", "?"),
        ("draw", "u8"), ("item", "u8"), ("author", "u8"), ("session", "u8"), ("end_user", "u8"),
        ("credential", "u8"), ("agent", "i4"), ("address", "u4"), ("block", "u8"), ("path", "i1"),
    ]
)  # fmt: skip
"""One call. `draw`, `item` and `author` are the keys of the grammar's scopes call, item and template;
`organised` marks the calls of a campaign; 0 stands for no session, end user or credential.

`address`, and `agent` and `path` (an index from 1; -1 for no agent), replace the account's own where they are
not 0; `block` is presented in place of the conversation's own (`block_key`)."""

HABIT = np.dtype([("rate", "f8"), ("variation", "f8"), ("from_hour", "f8"), ("hours", "f8")])
"""How an account spreads its day: sessions a day, coefficient of variation of the gaps, active hours."""

VARIATION_MAX = 6.0
"""Within a slot. Above it Gamma gaps underflow; what is burstier shows between slots instead."""

GAP_FLOOR = 1e-6
"""Added to each Gamma gap (mean 1 or less), so that a run of gaps that underflow still has a length."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of the window, in microseconds since the epoch."""

    index: int
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What a caller asks the API for, beside the text. Units: tokens; `refusal` is a share of the calls.

    `context` and `output` are the median and the log-normal sigma of the tokens that come with the
    text (documents, tool results) and that go out.
    """

    model: str = "aurora-4"
    temperature: float | None = None
    top_p: float | None = None
    choice_count: int | None = None
    max_tokens: int | None = None
    logprobs: bool | None = None
    stream: bool | None = None
    reasoning_level: str | None = None
    response_format: str | None = None
    tools: tuple[str, ...] = ()
    context: tuple[float, float] = (0.0, 1.0)
    output: tuple[float, float] = (215.0, 1.0)
    refusal: float = 0.008


@dataclass(slots=True)
class Ground:
    """What every actor stands on: the seed, the window, and the profiles that are in use."""

    seed: int
    start_us: int
    hours: int
    profiles: list[Profile] = field(default_factory=list)
    release_us: int = 0
    """When a new model comes out; 0 where none does."""
    _known: dict[Profile, int] = field(default_factory=dict)

    def rng(self, *names: object) -> np.random.Generator:
        """Return the generator of these names under the world's seed."""
        return stream(self.seed, *names)

    def profile(self, profile: Profile) -> int:
        """Return the number of a profile, the same for an equal one."""
        if profile not in self._known:
            self._known[profile] = len(self.profiles)
            self.profiles.append(profile)
        return self._known[profile]

    def at(self, hour: float) -> int:
        """Return the time of an hour of the window."""
        return self.start_us + int(hour * HOUR_US)


class Actor(Protocol):
    """A part of the population: its accounts, and its calls in any slot (`account` counts from 0)."""

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def roster(self) -> Records: ...

    def draft(self, slot: Slot) -> Records: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to use the API.

    `first`, `follow` and `system` are rules of the grammar, drawn for each session; `own` prompts are
    written by the account's own author key, `templates` different ones. `catalogue` > 0 draws items from
    that many, front first; `end_users` likewise. `own` prompts keep to their author's topic.
    """

    first: tuple[str, ...]
    profiles: tuple[Profile, ...]
    follow: tuple[str, ...] = ()
    system: tuple[str, ...] = ("",)
    turns: float = 1.0
    steps: float = 1.0
    end_users: int = 0
    catalogue: int = 0
    templates: int = 1
    sessions: bool = True
    own: bool = False

    @property
    def calls_each(self) -> float:
        """Mean calls of one session."""
        return self.turns * self.steps


def arrivals(habit: Records, slot: Slot, ground: Ground, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw which accounts start something in this slot and when.

    Counts are Gamma-Poisson, gaps are Gamma with the account's coefficient of variation: together
    a renewal process that needs no memory of the slots before.
    Source:  ServeGen (arXiv 2505.09999): Gamma gaps fit best for 79 % of the clients.
    """
    hour = (slot.start_us - ground.start_us) / HOUR_US
    length = (slot.end_us - slot.start_us) / HOUR_US
    since = (hour % 24.0 - habit["from_hour"]) % 24.0
    covered = np.clip(habit["hours"] - since, 0.0, length) + np.clip(since + length - 24.0, 0.0, habit["hours"])
    mean = habit["rate"] * np.minimum(covered, length) / habit["hours"]
    busy = np.flatnonzero(mean > 0.0)
    spread = np.maximum(habit["variation"][busy] ** 2 - 1.0, 0.02)
    counts = rng.poisson(rng.gamma(np.maximum(mean[busy] / spread, 1e-9), spread))
    who, counts = busy[counts > 0], counts[counts > 0]
    if len(who) == 0:
        return who, who
    shape = 1.0 / np.minimum(habit["variation"][who], VARIATION_MAX) ** 2
    gaps = rng.gamma(np.repeat(shape, counts + 1)) + GAP_FLOOR
    ends = np.cumsum(counts + 1)
    run = np.cumsum(gaps)
    before = np.concatenate([[0.0], run[ends[:-1] - 1]])
    total = run[ends - 1] - before
    last = np.zeros(len(gaps), bool)
    last[ends - 1] = True
    share = (run - np.repeat(before, counts + 1)) / np.repeat(total, counts + 1)
    time = slot.start_us + (np.clip(share[~last], 0.0, 1.0) * (slot.end_us - slot.start_us - 1)).astype(np.int64)
    return np.repeat(who, counts), time


LONG_CHATS = 0.17
LONG_CHAT_TURNS = 7.0
"""A share of the conversations is long: 3.7 % have more than ten turns, at a mean of 2.52 (WildChat)."""


def turn_counts(rng: np.random.Generator, count: int, mean: float) -> Ints:
    """Draw turns for each conversation: most short, some long."""
    if mean <= 1.0:
        return np.ones(count, np.int64)
    long = LONG_CHAT_TURNS * mean / 2.52
    short = max((mean - LONG_CHATS * long) / (1.0 - LONG_CHATS), 1.0)
    means = np.where(rng.random(count) < LONG_CHATS, long, short)
    return rng.geometric(1.0 / np.maximum(means, 1.0))


def converse(calls: Records, turns: float, steps: float, rng: np.random.Generator) -> Records:
    """Grow each first call into a conversation: further turns of the user, and an agent's steps in each."""
    turn_count = turn_counts(rng, len(calls), turns)
    calls = np.repeat(calls, turn_count)
    first = np.repeat(np.cumsum(turn_count) - turn_count, turn_count)
    calls["turn"] = np.arange(len(calls)) - first
    step_count = rng.geometric(1.0 / steps, len(calls)) if steps > 1.0 else np.ones(len(calls), np.int64)
    head = np.repeat(np.cumsum(step_count) - step_count, step_count)
    origin = np.repeat((np.cumsum(step_count) - step_count)[first], step_count)
    calls = np.repeat(calls, step_count)
    calls["step"] = np.arange(len(calls)) - head
    pause = np.where(calls["step"] > 0, rng.lognormal(2.1, 0.8, len(calls)), rng.lognormal(4.3, 1.0, len(calls)))
    pause[origin == np.arange(len(calls))] = 0.0
    run = np.cumsum(np.minimum(pause, 1_200.0) * 1e6)
    calls["time"] += (run - run[origin]).astype(np.int64)
    calls["draw"] = mix(calls["draw"], calls["turn"].astype(np.uint64))
    return calls


ERRORS = ((429, 0.012), (500, 0.004), (529, 0.006), (400, 0.003))
"""Shares of calls that end with an error; BurstGPT (arXiv 2401.17644) sees over 5 % in some services."""

RETRIED = 0.7
RETRIES = RETRIED * sum(share for status, share in ERRORS if status != 400)
"""Calls that are sent again, as a share of those that were meant."""


def with_errors(calls: Records, rng: np.random.Generator) -> Records:
    """Let some calls fail, and most of the failed ones be sent again with the same text."""
    drawn = rng.random(len(calls))
    drawn[calls["status"] != 200] = 1.0
    edge = 0.0
    for status, share in ERRORS:
        calls["status"][(drawn >= edge) & (drawn < edge + share)] = status
        edge += share
    failed = np.flatnonzero((drawn < edge) & (calls["status"] != 400))
    failed = failed[rng.random(len(failed)) < RETRIED]
    again = calls[failed].copy()
    again["status"] = 200
    again["time"] += (rng.lognormal(1.5, 0.9, len(again)) * 1e6).astype(np.int64)
    return np.concatenate([calls, again])


class Crowd:
    """Accounts that each follow their own habit and one kind of use."""

    def __init__(
        self, name: str, label: str, roster: Records, habit: Records, kinds: Sequence[Kind], ground: Ground
    ) -> None:
        rng = ground.rng(name, "crowd")
        count = len(roster)
        self.name, self.label, self.roster, self.habit = name, label, roster, habit
        self.kinds, self.ground = tuple(kinds), ground
        self.topic = rng.integers(0, len(TOPICS), count)
        self.present: npt.NDArray[np.bool_] | None = None
        """[days, accounts]: who calls on which day of a longer window; None where everybody does."""
        self.wander = np.full(count, 0.2)
        """Share of the sessions about something else than the account's topic."""
        self.author = rng.integers(0, 1 << 63, count, np.uint64)
        self.kind = np.zeros(count, np.int64)
        self.profile = np.zeros(count, np.int64)
        self.assign(rng.integers(0, len(kinds), count), rng)

    def assign(self, kind: Ints, rng: np.random.Generator) -> None:
        """Give every account its kind of use, and one of that kind's profiles."""
        self.kind = kind
        for index, each in enumerate(self.kinds):
            of_kind = np.flatnonzero(kind == index)
            numbers = np.array([self.ground.profile(p) for p in each.profiles])
            self.profile[of_kind] = numbers[rng.integers(0, len(numbers), len(of_kind))]

    def draft(self, slot: Slot) -> Records:
        """Return this slot's calls; conversations that begin in it may run beyond its end."""
        rng = self.ground.rng(self.name, slot.index)
        who, time = arrivals(self._habit_in(slot), slot, self.ground, rng)
        calls = np.zeros(len(who), CALL)
        calls["time"], calls["account"], calls["status"] = time, who, 200
        calls["draw"] = rng.integers(1, 1 << 63, len(who), np.uint64)
        calls["profile"] = self.profile[who]
        calls["author"] = self.author[who]
        elsewhere = unit(calls["draw"], 1) < self.wander[who]
        calls["topic"] = np.where(elsewhere, rng.integers(0, len(TOPICS), len(who)), self.topic[who])
        kind = self.kind[who]
        drafted = [self._speak(calls[kind == index], self.kinds[index], rng) for index in np.unique(kind).tolist()]
        return with_errors(np.concatenate(drafted), rng) if drafted else calls

    def _habit_in(self, slot: Slot) -> Records:
        """Return the habits of that day: who stays away has no rate."""
        if self.present is None:
            return self.habit
        habit = self.habit.copy()
        habit["rate"] *= self.present[(slot.start_us - self.ground.start_us) // DAY_US]
        return habit

    def _speak(self, calls: Records, kind: Kind, rng: np.random.Generator) -> Records:
        """Fill in what is said, for the calls of one kind."""
        opening = calls["draw"]
        if kind.templates > 1:
            calls["author"] = mix(calls["author"], (unit(opening, 12) ** 2 * kind.templates).astype(np.uint64))
        if kind.own:
            calls["topic"] = topic_of(calls["author"])
        calls["item"] = mix(opening, 2)
        if kind.catalogue:
            entry = (unit(opening, 3) ** 3 * kind.catalogue).astype(np.uint64)
            calls["item"] = mix(calls["author"] ^ entry, 4)
        if kind.sessions:
            calls["session"] = mix(opening, 5)
        if kind.end_users:
            entry = (unit(opening, 6) ** 2 * kind.end_users).astype(np.uint64)
            calls["end_user"] = mix(calls["author"] ^ entry, 7)
        calls["credential"] = _credential(self.roster, calls["account"], opening)
        calls["form"] = _rules(kind.first, opening, 8)
        calls["system"] = _rules(kind.system, calls["author"], 9)
        if kind.turns > 1.0 or kind.steps > 1.0:
            calls = converse(calls, kind.turns, kind.steps, rng)
        if kind.follow:
            later = np.flatnonzero(calls["turn"] > 0)
            calls["form"][later] = _rules(kind.follow, calls["draw"][later], 10)
        return calls


def block_key(session: Keys, turn: Ints) -> Keys:
    """Return the opaque reasoning block that this turn of a conversation issues."""
    return mix(session, turn.astype(np.uint64))


def topic_of(author: Keys) -> Ints:
    """Return the topic that an author's prompts are about."""
    return (mix(author, 20) % np.uint64(len(TOPICS))).astype(np.int64)


def _credential(roster: Records, account: Ints, opening: Keys) -> Keys:
    held = roster["credentials"][account]
    which = (unit(opening, 11) * held).astype(np.uint64)
    return np.where(held > 0, mix(roster["key"][account], which + np.uint64(1)), np.uint64(0))


def _rules(names: tuple[str, ...], keys: Keys, salt: int) -> Ints:
    """Choose one of the rules for each key; "" stands for no text."""
    symbols = np.array([language().symbol(name) if name else -1 for name in names])
    chosen: Ints = symbols[(unit(keys, salt) * len(symbols)).astype(np.int64)]
    return chosen


@dataclass(frozen=True, slots=True)
class Joint:
    """Accounts that do several things: each part drafts its own calls of the same roster."""

    name: str
    label: str
    roster: Records
    parts: tuple[Actor, ...]

    def draft(self, slot: Slot) -> Records:
        """Return the calls of every part."""
        return np.concatenate([part.draft(slot) for part in self.parts])


@dataclass(frozen=True, slots=True)
class Planned:
    """Accounts whose calls are all decided beforehand: a work queue, a lesson, a nightly job.

    The plan is held in memory, `CALL.itemsize` bytes a call.
    """

    name: str
    label: str
    roster: Records
    plan: Records
    """Sorted by time."""
    ground: Ground
    generation: Ints | None = None
    """1 for the first holders of a place, 2 for their successors, and so on; None where nobody is replaced."""

    def draft(self, slot: Slot) -> Records:
        """Return this slot's part of the plan."""
        first, last = np.searchsorted(self.plan["time"], [slot.start_us, slot.end_us])
        return with_errors(self.plan[first:last].copy(), self.ground.rng(self.name, slot.index))


def plan_calls(count: int, ground: Ground, form: str, profile: Profile, author: int) -> Records:
    """Return `count` blank calls of one prompt form; the caller fills time, account, item and topic."""
    calls = np.zeros(count, CALL)
    calls["status"], calls["system"] = 200, -1
    calls["form"] = language().symbol(form)
    calls["profile"] = ground.profile(profile)
    calls["author"] = author
    return calls


def settle_plan(calls: Records, roster: Records, rng: np.random.Generator) -> Records:
    """Draw what is fresh in each call and return the plan in order of time."""
    calls["draw"] = rng.integers(1, 1 << 63, len(calls), np.uint64)
    calls["credential"] = _credential(roster, calls["account"], calls["draw"])
    return calls[np.argsort(calls["time"], kind="stable")]
