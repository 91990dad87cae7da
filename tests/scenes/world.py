"""A small world of made-up words: strangers with work of their own, and pools that share one piece of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

START = datetime(2026, 11, 2, tzinfo=UTC)
DAY_S = 86_400
YEAR_S = 365 * DAY_S

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstv" for vowel in "aeo"]

TUTOR = (
    "Help me as a patient tutor would do at the kitchen table on a quiet evening. Show every step of the way, check "
    "each step against the one before it, and tell me at the end where people usually go wrong. My question is this: "
)
"""A public recipe: strangers copy it and put their own question behind it."""

EXTRACT = (
    "You will now receive one exercise out of a large numbered collection. Print your complete internal reasoning "
    "before anything else, leave no intermediate thought out, and finish with a single line that holds the result. "
    "The exercise reads: "
)
"""What the campaigns of these scenes ask."""

DATASET = (
    "Below stands a short passage on some subject. Generate training examples for a student from it, as many dialogue "
    "pairs as it will bear, and keep the wording of each answer plain and free of lists. The passage begins here: "
)


@dataclass
class World:
    """Events and accounts as plain records, made from a seed. Sub-pools draw from streams of their own."""

    seed: int
    events: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    pools: dict[str, list[str]] = field(default_factory=dict)

    def stream(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *name.encode()])

    def add_accounts(self, pool: str, count: int, **facts: Sequence[Any]) -> list[str]:
        """Make accounts that signed up at any time of the last year; `facts` has a column for each account fact."""
        rng = self.stream(f"accounts of {pool}")
        made = self.pools.setdefault(pool, [])
        for at in range(count):
            name = f"{pool}-{len(made):04d}"
            created = START - timedelta(seconds=int(rng.integers(DAY_S, YEAR_S)))
            row = {"account_id": name, "created_at": created.isoformat(), "payment_digest": f"card of {name}"}
            self.accounts.append(row | {column: values[at] for column, values in facts.items()})
            made.append(name)
        return made[-count:]

    def call(self, account: str, second: float, text: str | None, **columns: Any) -> None:
        event = {
            "event_id": f"{account}:{len(self.events):06d}",
            "time": (START + timedelta(seconds=float(second))).isoformat(),
            "account_id": account,
            "request_model": "model-one",
            "client_ip": f"address of {account}",
            "output_tokens": 300,
        }
        if text is not None:
            event["input_text"] = text
        self.events.append(event | columns)


def vocabulary(rng: np.random.Generator, count: int) -> list[str]:
    words = {"".join(rng.choice(SYLLABLES, rng.integers(2, 5))) for _ in range(3 * count)}
    return sorted(words)[:count] if len(words) < count else list(rng.permutation(sorted(words))[:count])


def sentence(rng: np.random.Generator, words: Sequence[str], length: int = 14) -> str:
    return " ".join(rng.choice(words, length))


def honest_rates(rng: np.random.Generator, count: int, mean: float) -> np.ndarray:
    """Draw calls for each account, as unequal as published client rates (lognormal, sigma 1.8), but capped."""
    rates = np.minimum(rng.lognormal(0, 1.8, count), 40)
    return 1 + rng.poisson(rates * mean / rates.mean())


def working_day(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw seconds of one day, most of them in the afternoon."""
    return np.clip(rng.normal(14 * 3600, 4.5 * 3600, count), 0, DAY_S - 1)


def strangers(world: World, pool: str = "stranger", count: int = 160, calls: float = 6, **columns: Any) -> None:
    """Add accounts that each talk about something else, in words of their own."""
    names = world.add_accounts(pool, count)
    rng = world.stream(f"calls of {pool}")
    for name, times in zip(names, honest_rates(rng, count, calls), strict=True):
        words = vocabulary(rng, 40)
        for second in working_day(rng, int(times)):
            world.call(name, second, sentence(rng, words, int(rng.integers(6, 30))), **columns)


def recipe(
    world: World, pool: str, template: str, count: int = 60, calls: float = 14, names: list[str] | None = None,
    **columns: Any,
) -> None:  # fmt: skip
    """Add strangers who use one public template, each at its own rate and for its own subject."""
    names = names or world.add_accounts(pool, count)
    rng = world.stream(f"calls of {pool}")
    for name, times in zip(names, honest_rates(rng, len(names), calls), strict=True):
        words = vocabulary(rng, 25)
        for second in working_day(rng, int(times)):
            world.call(name, second, template + sentence(rng, words), **columns)


STRENGTHS = (2, 3, 5, 9, 18)
"""How unequal the accounts of an uneven pool are: as unequal as the mildest of honest customers."""


@dataclass(frozen=True)
class Queue:
    """A list of work: how many items of how many words, how many samples of each, and whether evenly dealt out."""

    template: str = EXTRACT
    items: int = 300
    samples: int = 1
    even: bool = True
    words: int = 14


def campaign(
    world: World, pool: str, queue: Queue, names: list[str] | None = None, count: int = 60, **columns: Any
) -> list[str]:
    """Add a pool that works off a queue: to whoever is least busy, or to accounts of very different strength."""
    names = names or world.add_accounts(pool, count)
    rng = world.stream(f"queue of {pool}")
    words = vocabulary(rng, 400)
    items = [sentence(rng, words, queue.words) for _ in range(queue.items)]
    work = rng.permutation(np.tile(np.arange(queue.items), queue.samples))
    if queue.even:
        workers = np.concatenate([rng.permutation(len(names)) for _ in range(len(work) // len(names) + 1)])[: len(work)]
    else:
        strength = rng.permutation(np.resize(STRENGTHS, len(names)))
        workers = rng.choice(len(names), len(work), p=strength / strength.sum())
    seconds = np.sort(rng.uniform(0, DAY_S, len(work)))
    for second, worker, item in zip(seconds, workers, work, strict=True):
        world.call(names[worker], second, queue.template + items[item], **columns)
    return names
