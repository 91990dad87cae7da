"""Ten ways to hide a campaign, each with its knobs; the wording is held out (`words/harvest.py`, `words/recast.py`).

Source:  the published evasions of 2026; ranges of the knobs are published or derived from published
         totals, defaults are chosen so that a world of 100,000 to 400,000 calls shows the habit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from stillwatch.lab.campaigns.harvest import LONG, Harvest, Rhythm, Task
from stillwatch.lab.campaigns.ledger import AGENTIC, CHAT, HARNESSES, REASONING, SIBLING
from stillwatch.lab.campaigns.origins import PRIVATE, SWARM, VIRTUAL, Origin, PathBlock, Rotation
from stillwatch.lab.traffic import Profile


class Evasion(Protocol):
    """Knobs that make a campaign."""

    def plan(self) -> Harvest: ...


@dataclass(frozen=True, slots=True)
class LowAndSlow:
    """Thousands of free accounts, `low` to `high` calls each a day."""

    accounts: int = 4_000
    low: int = 1
    high: int = 5
    days: int = 3
    form: str = "hv_reveal"
    name: str = "evasion-1-low-and-slow"

    def plan(self) -> Harvest:
        each = (self.low + self.high) / 2 * self.days
        tasks = (Task(self.form, topic_count=6),)
        return Harvest(self.name, self.accounts, each, self.days, tasks, SWARM, band=(self.low, self.high))


@dataclass(frozen=True, slots=True)
class ResellerDilution:
    """A relay's accounts: strangers' requests, and a `share` of them the campaign's."""

    accounts: int = 400
    rate: float = 60.0
    days: int = 2
    share: float = 0.05
    end_users: int = 12_000

    def plan(self) -> Harvest:
        others = (1.0 - self.share) / 2
        users = {"end_users": self.end_users, "organised": False}
        tasks = (
            Task("relayed_chat", others, CHAT, turns=2.0, follow="follow_up", systems=("", "brand_1"), **users),  # type: ignore[arg-type]
            Task("relayed_work", others, AGENTIC, turns=2.0, steps=2.0, systems=HARNESSES, **users),  # type: ignore[arg-type]
            Task("hv_reveal", self.share, topic_count=3),
        )
        return Harvest("evasion-2-reseller-dilution", self.accounts, self.rate * self.days, self.days, tasks,
                       Origin(per_card=25.0, per_block=0), unevenness=0.5)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrganicRelay:
    """Nothing but real people's requests, chosen by the harness that they come from."""

    accounts: int = 600
    rate: float = 20.0
    days: int = 2
    end_users: int = 8_000
    harnesses: tuple[str, ...] = HARNESSES

    def plan(self) -> Harvest:
        task = Task("relayed_work", 1.0, AGENTIC, turns=2.5, steps=3.0, follow="relayed_work", systems=self.harnesses,
                    end_users=self.end_users)  # fmt: skip
        return Harvest("evasion-3-organic-relay", self.accounts, self.rate * self.days, self.days, (task,), PRIVATE,
                       unevenness=0.6)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """The swarm again, every request rewritten: only the answer's form and the task grid remain."""

    accounts: int = 4_000
    low: int = 1
    high: int = 5
    days: int = 3

    def plan(self) -> Harvest:
        swarm = LowAndSlow(self.accounts, self.low, self.high, self.days, "rc_task")
        return replace(swarm.plan(), name="evasion-4-paraphrase")


@dataclass(frozen=True, slots=True)
class RotatingPool:
    """Accounts live for days; standbys with honest use behind them take a seat within the hour after a ban.

    `rate` is a seat's calls a day.
    """

    accounts: int = 600
    rate: float = 25.0
    days: int = 10
    life_days: tuple[float, float] = (1.0, 4.0)
    standby_days: tuple[float, float] = (7.0, 30.0)
    cover: float = 0.15

    def plan(self) -> Harvest:
        rotation = Rotation(self.life_days, self.standby_days)
        seats = self.accounts / (1.0 + self.days / (sum(self.life_days) / 2))
        return Harvest("evasion-5-rotation", self.accounts, seats * self.rate * self.days / self.accounts, self.days,
                       (Task("hv_reveal", topic_count=4),), PRIVATE, handover=rotation, cover=self.cover)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PathSharding:
    """One queue over four access paths; what is told 429 or 403 moves to another within minutes."""

    accounts: int = 400
    rate: float = 30.0
    days: int = 2
    paths: tuple[int, ...] = (0, 2, 3, 5)
    moved: float = 0.02
    blocked: int = 0

    def plan(self) -> Harvest:
        origin = replace(PRIVATE, paths=self.paths)
        return Harvest("evasion-6-pathway-sharding", self.accounts, self.rate * self.days, self.days,
                       (Task("hv_reveal", topic_count=4),), origin, handover=PathBlock(self.blocked),
                       moved=self.moved)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProgrammeCover:
    """Organisations in a programme: slow growth, working hours, idle weekends, one address each.

    `programme` and `use` are indices of `roster.PROGRAMMES` and `roster.USES`; `growth` is the last day over
    the first.
    """

    accounts: int = 160
    per_org: float = 8.0
    rate: float = 8.0
    days: int = 21
    growth: float = 12.0
    programme: int = 0
    use: int = 4

    def plan(self) -> Harvest:
        origin = Origin(per_card=0, per_block=0, per_org=self.per_org, signup_days=20.0, waves=4, disposable=0.0,
                        clients=0, programme=self.programme, use=self.use)  # fmt: skip
        rhythm = Rhythm(((8.5, 12.5, 0.5), (13.0, 18.5, 0.5)), ramp=self.growth, weekend=0.0)
        return Harvest("evasion-7-programme-cover", self.accounts, self.rate * self.days, self.days,
                       (Task("hv_reveal", topic_count=3),), origin, rhythm, unevenness=0.3)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AttributeClean:
    """Accounts that share nothing: what joins them is content and time alone."""

    accounts: int = 300
    rate: float = 40.0
    days: int = 2

    def plan(self) -> Harvest:
        return Harvest("evasion-8-attribute-clean", self.accounts, self.rate * self.days, self.days,
                       (Task("hv_reveal", topic_count=4),), PRIVATE)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReasoningReplay:
    """Blocks are gathered with harmless questions; days later other accounts bring them to a sibling model.

    `calls_each` is one or two.
    """

    accounts: int = 8_000
    calls_each: float = 1.5
    days: int = 6
    gathering: float = 0.35
    reading: float = 0.65

    def plan(self) -> Harvest:
        tasks = (
            Task("hv_puzzle", 0.5, REASONING, topic_count=12, window=(0.0, self.gathering), seats=(0.0, 0.5)),
            Task("hv_unseal_item", 0.5, SIBLING, topic_count=12, presents=True, window=(self.reading, 1.0),
                 seats=(0.5, 1.0)),
        )  # fmt: skip
        lag = (self.reading - self.gathering) * self.days * 24.0
        return Harvest("evasion-9-reasoning-replay", self.accounts, self.calls_each, self.days, tasks, SWARM,
                       lockstep=True, replay_lag_hours=lag)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ActiveLearning:
    """Prompts drawn like anybody's, each once; chaff, probes, and a move to the new model within a day.

    `chaff` is the share of calls whose answers nobody reads, `probes` of those that ask the same again
    to see whether the answers got worse.
    """

    accounts: int = 500
    rate: float = 15.0
    days: int = 4
    chaff: float = 0.5
    probes: float = 0.02
    pivot: float = 0.6

    def plan(self) -> Harvest:
        asked = Profile(max_tokens=8_192, temperature=1.0, output=(700.0, 0.9))
        work = (1.0 - self.probes) / 3
        tasks = (
            Task("free_first", work, asked, topic_count=12), Task("free_code", work, asked, topic_count=12),
            Task("recipe", work, LONG, topic_count=12), Task("hv_probe", self.probes, asked),
        )  # fmt: skip
        return Harvest("evasion-10-active-learning", self.accounts, self.rate * self.days, self.days, tasks, VIRTUAL,
                       cover=self.chaff, pivot=self.pivot, unevenness=0.5)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hidden:
    """An evasion as a scenario hides it: `share` is the campaign's part of all calls, cover and chaff included."""

    title: str
    evasion: Evasion
    share: float = 0.1
    release_hour: float = 0.0


EVASIONS: Mapping[int, Hidden] = MappingProxyType(
    {
        1: Hidden("thousands of accounts with one to five calls a day", LowAndSlow()),
        2: Hidden("strangers' relay, in which each twentieth call is the campaign's", ResellerDilution(), 0.2),
        3: Hidden("a relay of real people's requests, chosen by harness", OrganicRelay()),
        4: Hidden("the first again, every request rewritten", Paraphrase()),
        5: Hidden("accounts that live for days and are replaced within the hour", RotatingPool()),
        6: Hidden("one queue over four access paths", PathSharding()),
        7: Hidden("organisations of a programme that grow for three weeks", ProgrammeCover()),
        8: Hidden("accounts without any attribute in common", AttributeClean()),
        9: Hidden("sealed reasoning gathered first, read out days later by others", ReasoningReplay()),
        10: Hidden("prompts drawn like anybody's, half of them chaff", ActiveLearning(), 0.2, 48.0),
    }
)  # fmt: skip
