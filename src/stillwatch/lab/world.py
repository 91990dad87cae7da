"""A simulated window of traffic, a day or many: honest callers, look-alikes and hidden campaigns, in order of time.

The same scenario, seed and number of calls give the same rows, whatever the size of the batches.
Memory holds the accounts, the planned work lists and one slot of calls, not the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab import lives, population
from stillwatch.lab.render import Renderer
from stillwatch.lab.roster import account_table, hex_text
from stillwatch.lab.scenario import START_US, Scenario
from stillwatch.lab.streams import Keys, mix, name_key
from stillwatch.lab.traffic import CALL, HOUR_US, Actor, Ground, Records, Slot

SLOT_CALLS_MAX = 400_000
"""An hour with more calls is drawn in parts: a slot's drafts and texts must fit in memory."""

BATCH_ROWS = 16_384

HONEST_MIN = 0.02
"""Share of the calls that honest accounts make at least, however many the groups of a small world want."""

TRUTH_CALL_SCHEMA = pa.schema([("event_id", pa.string()), ("campaign", pa.string())])
TRUTH_ACCOUNT_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()), ("class", pa.string()), ("group", pa.string()), ("campaign", pa.string()),
        ("generation", pa.int32()),
    ]
)  # fmt: skip
"""`class` is the sort of account, `group` the one it belongs to. `campaign` is null for honest accounts, and so is
`generation`: 1 for a campaign's first accounts, 2 for those that replaced them, and so on."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some events in order of time, and which of them are a campaign's."""

    events: pa.RecordBatch
    truth: pa.RecordBatch


@dataclass(slots=True)
class World:
    """A settled population and the stream of its calls."""

    scenario: Scenario
    seed: int
    calls: int
    ground: Ground
    actors: tuple[Actor, ...]
    batch_rows: int = BATCH_ROWS
    prompts: pa.StringArray | None = None
    _first: list[int] = field(default_factory=list)
    _release: lives.Release | None = None

    def __post_init__(self) -> None:
        if self.ground.release_us:
            self._release = lives.Release(self.ground)
        sizes = [len(actor.roster) for actor in self.actors]
        self._first = [sum(sizes[:index]) for index in range(len(sizes))]

    @property
    def accounts_count(self) -> int:
        """How many accounts the world has, whether or not they call."""
        return sum(len(actor.roster) for actor in self.actors)

    def accounts(self) -> pa.Table:
        """Return every account of the world, whether or not it called."""
        return account_table(self._roster())

    def truth_accounts(self) -> pa.Table:
        """Return the class of every account, and the campaign it works for."""
        sizes = [len(actor.roster) for actor in self.actors]
        names = [actor.name for actor in self.actors]
        labels = [actor.label for actor in self.actors]
        campaigns = [a.name if a.label == "campaign" else None for a in self.actors]
        which = pa.array(np.repeat(np.arange(len(sizes)), sizes))
        columns = [
            hex_text(self._roster()["key"], "acct_"),
            *(pa.array(values, pa.string()).take(which) for values in (labels, names, campaigns)),
            pa.concat_arrays([_generations(actor) for actor in self.actors]),
        ]
        return pa.Table.from_arrays(columns, schema=TRUTH_ACCOUNT_SCHEMA)

    def events(self) -> Iterator[pa.RecordBatch]:
        """Yield the log in order of time."""
        for chunk in self.chunks():
            yield chunk.events

    def chunks(self) -> Iterator[Chunk]:
        """Yield the log in order of time, each batch with the calls in it that campaigns made."""
        renderer = Renderer(self._roster(), self.ground.profiles, self.prompts)
        names = pa.array([actor.name for actor in self.actors], pa.string())
        for some, keys in self._batches():
            batch = renderer.write(some, keys)
            ours = np.flatnonzero(some["organised"])
            owner = np.searchsorted(self._first, some["account"][ours], side="right") - 1
            truth = pa.RecordBatch.from_arrays(
                [batch.column("event_id").take(pa.array(ours)), names.take(pa.array(owner))],
                schema=TRUTH_CALL_SCHEMA,
            )
            yield Chunk(batch, truth)

    def _batches(self) -> Iterator[tuple[Records, Keys]]:
        """Yield the calls with their identifiers, whole batches where there are enough: quiet slots share one."""
        calls, keys = np.zeros(0, CALL), np.zeros(0, np.uint64)
        for slot, drawn in self._slots():
            calls, keys = np.concatenate([calls, drawn]), np.concatenate([keys, self._event_keys(slot, len(drawn))])
            whole = len(calls) // self.batch_rows * self.batch_rows
            for start in range(0, whole, self.batch_rows):
                yield calls[start : start + self.batch_rows], keys[start : start + self.batch_rows]
            calls, keys = calls[whole:], keys[whole:]
        if len(calls):
            yield calls, keys

    def _slots(self) -> Iterator[tuple[Slot, Records]]:
        """Yield each slot's calls in order of time; what runs beyond its end is carried to the next."""
        parts = max(-(-self.calls // (self.scenario.hours * SLOT_CALLS_MAX)), 1)
        length = HOUR_US // parts
        carried = np.zeros(0, CALL)
        for index in range(self.scenario.hours * parts):
            start = self.ground.start_us + index // parts * HOUR_US + index % parts * length
            end = start + length if (index + 1) % parts else self.ground.start_us + (index // parts + 1) * HOUR_US
            slot = Slot(index, start, end)
            drafts = [carried]
            for first, actor in zip(self._first, self.actors, strict=True):
                draft = lives.within_life(actor.draft(slot), actor.roster)
                if self._release is not None:
                    self._release.adopt(draft, actor.roster["key"][draft["account"]], actor.label)
                draft["account"] += first
                drafts.append(draft)
            calls = np.concatenate(drafts)
            calls = calls[np.argsort(calls["time"], kind="stable")]
            done = int(np.searchsorted(calls["time"], end))
            carried = calls[done:]
            yield slot, calls[:done]

    def _event_keys(self, slot: Slot, count: int) -> Keys:
        """Return identifiers that are unique in the world: a bijection of (slot, place in the slot)."""
        base = name_key(self.seed, "events", self.scenario.name, self.calls)
        return mix(np.arange(count, dtype=np.uint64) + np.uint64(slot.index << 40), base & 0xFFFFFFFF)

    def _roster(self) -> Records:
        return np.concatenate([actor.roster for actor in self.actors])


def _generations(actor: Actor) -> pa.Array:
    if actor.label != "campaign":
        return pa.nulls(len(actor.roster), pa.int32())
    known = [getattr(part, "generation", None) for part in getattr(actor, "parts", (actor,))]
    given = next((each for each in known if each is not None), np.ones(len(actor.roster)))
    return pa.array(given.astype(np.int32))


def simulate(scenario: Scenario, seed: int, calls: int, prompts: pa.StringArray | None = None) -> World:
    """Settle the population of a world of about `calls` calls (within 5 % at 100,000 and more).

    `prompts` stand in for the grammar's free texts (`lab/corpus.py`).

    Raises:  Error("calls-too-few").
    """
    ground = Ground(seed, START_US, scenario.hours)
    ground.release_us = ground.at(scenario.release_hour) if scenario.release_hour else 0
    specs = scenario.cast(calls)
    if scenario.hours <= 24:
        honest = max(calls - sum(spec.calls for spec in specs), 0.0)
        tiers = population.settle(ground, honest * 24.0 / scenario.hours)
        return World(scenario, seed, calls, ground, (*tiers, *(s.settle(ground) for s in specs)), prompts=prompts)
    groups = [spec.settle(ground) for spec in specs]
    known = [lives.expected_calls(group, ground) for group in groups]
    taken = sum(spec.calls if made is None else made for spec, made in zip(specs, known, strict=True))
    honest = max(calls - taken, HONEST_MIN * calls)
    tiers = population.settle(ground, honest * 24.0 / scenario.hours / lives.PRESENCE_MEAN)
    lives.spend_weeks(tiers, ground)
    return World(scenario, seed, calls, ground, (*tiers, *groups), prompts=prompts)


__all__ = ["EVENT_SCHEMA", "Chunk", "World", "simulate"]
