"""Named worlds: which look-alikes and campaigns live in each, and at what size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

from stillwatch.errors import Error
from stillwatch.lab.campaigns.clean_pool import CleanPool
from stillwatch.lab.campaigns.compact import Compact
from stillwatch.lab.campaigns.evasions import EVASIONS
from stillwatch.lab.campaigns.harvest import Harvest
from stillwatch.lab.campaigns.injected import Injected
from stillwatch.lab.campaigns.ledger import LEDGER
from stillwatch.lab.campaigns.pool import Pool
from stillwatch.lab.campaigns.swarm import Swarm
from stillwatch.lab.lookalikes.batch_job import BatchJob
from stillwatch.lab.lookalikes.classroom import Classroom
from stillwatch.lab.lookalikes.enterprise import Enterprise
from stillwatch.lab.lookalikes.evaluation import Evaluation
from stillwatch.lab.lookalikes.gallery import classes_count, gallery
from stillwatch.lab.lookalikes.harness import Harness
from stillwatch.lab.lookalikes.reseller import Reseller
from stillwatch.lab.lookalikes.viral import Viral
from stillwatch.lab.lookalikes.white_label import WhiteLabel
from stillwatch.lab.streams import stream
from stillwatch.lab.traffic import Actor, Ground

START_US = 1_789_430_400_000_000
"""2026-09-15T00:00:00Z, a Tuesday: worlds begin then whatever today is, so that a seed says all."""

CALLS_MIN = 1_000
"""Below it most groups would be a single account."""


class Spec(Protocol):
    """A look-alike or campaign as a scenario names it: a frozen dataclass of knobs."""

    @property
    def name(self) -> str: ...

    @property
    def accounts(self) -> int: ...

    @property
    def calls(self) -> float: ...

    def settle(self, ground: Ground) -> Actor: ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world to simulate.

    `calls` is its usual size; a smaller world has smaller groups. In a larger one they stay as they
    are, except where `scales` is set: then they grow with it, by a square root in number (each with a
    prompt of its own) and a square root in accounts. `full` is the hidden campaign at its full size
    where it has one: `at` cuts a world of another size from it, of which the campaign is `share`.
    """

    name: str
    title: str
    calls: int
    lookalikes: tuple[Spec, ...]
    campaigns: tuple[Spec, ...] = ()
    scales: bool = False
    hours: int = 24
    release_hour: float = 0.0
    """When a new model comes out; 0 where none does."""
    full: Harvest | None = None
    share: float = 0.1

    def cast(self, calls: int) -> tuple[Spec, ...]:
        """Return the groups of a world of `calls` calls.

        Raises:  Error("calls-too-few") where they would be most of the traffic.
        """
        if calls < CALLS_MIN:
            raise Error(
                "calls-too-few",
                f"got {calls} calls, expected at least {CALLS_MIN}",
                hint=f"pass --calls {CALLS_MIN}",
            )
        size = calls / self.calls
        if size > 1.0 and not self.scales:
            return self.lookalikes + self.campaigns
        copies = max(round(size**0.5), 1)
        specs = self.lookalikes + self.campaigns
        return tuple(_grown(spec, size / copies, copy, copies) for spec in specs for copy in range(copies))

    def at(self, scale: float = 1.0, days: int | None = None) -> Scenario:
        """Return it with `scale` times the accounts and exchanges of its full campaign, over fewer days.

        What an account does in a day, and its habits, stay what they are. The campaign's plan is held in
        memory, about 100 bytes a call.

        Raises:  Error("scenario-has-one-size").
        """
        if self.full is None:
            raise Error(
                "scenario-has-one-size",
                f"{self.name} hides no published campaign that could be scaled",
                hint="choose its size with --calls, or a scenario whose name begins with ledger- or evasion-",
            )
        campaign = self.full.at(scale, days)
        calls = round(campaign.calls / self.share)
        return replace(
            self,
            calls=calls,
            hours=24 * campaign.days,
            campaigns=(campaign,),
            lookalikes=_neighbours(campaign.days, calls),
        )


def _grown(spec: Spec, factor: float, copy: int, copies: int) -> Spec:
    """Return one copy of a group, larger or smaller by the factor."""
    name = f"{spec.name}-{copy + 1}" if copies > 1 else spec.name
    accounts = max(round(spec.accounts * factor), 1)
    changed: dict[str, Any] = {"name": name, "accounts": accounts}
    if hasattr(spec, "calls_each"):
        changed["calls_each"] = spec.calls_each * spec.accounts * factor / accounts
    knobs: Any = spec
    grown: Spec = replace(knobs, **changed)
    return grown


_DEMO_LOOKALIKES: tuple[Spec, ...] = (
    Harness(),
    Classroom(),
    Evaluation(),
    Enterprise(),
    Reseller(accounts=1),
    WhiteLabel(accounts=1, calls_each=2_500.0),
    BatchJob("nightly-batch"),
    BatchJob("judge-pipeline", accounts=6, judge=True),
    Viral(),
)

_BENCH_LOOKALIKES: tuple[Spec, ...] = (
    Harness("harness", accounts=4_000, calls_each=12.0),
    Harness("harness-research", accounts=300, calls_each=30.0, which=2),
    Classroom("classroom", accounts=300),
    Classroom("evening-course", accounts=60, calls_each=20.0, at_hour=18.0, items=4),
    Evaluation("evaluation", accounts=240, organisations=12, calls_each=120.0),
    Evaluation("evaluation-small", accounts=20),
    Enterprise("enterprise", accounts=500, calls_each=25.0),
    Enterprise("university", accounts=1_200, calls_each=6.0, exits=8, campus=True),
    Reseller("reseller", accounts=2, calls_each=8_000.0),
    WhiteLabel("white-label", accounts=2, calls_each=8_000.0),
    BatchJob("nightly-batch", accounts=60, calls_each=350.0),
    BatchJob("judge-pipeline", accounts=60, calls_each=350.0, judge=True),
    Viral("viral", accounts=4_000, calls_each=3.0, which=1),
    Viral("viral-small", accounts=300, calls_each=5.0, which=2),
)

_BENCH_CAMPAIGNS: tuple[Spec, ...] = (
    Pool("pool", accounts=240),
    CleanPool("clean-pool", accounts=300),
    CleanPool("trajectories", accounts=120, calls_each=30.0, form="trajectory_with_preamble", cover=0.2),
    Swarm("swarm", accounts=4_000),
    Compact("compact", accounts=60),
    Injected("injected", accounts=300, calls_each=15.0),
)


NEIGHBOURS_FROM_CALLS = 100_000
"""Around a smaller world's campaign the look-alikes are smaller too."""


def _neighbours(days: int, calls: int) -> tuple[Spec, ...]:
    """Return a handful of small look-alikes; those who come every day are smaller where there are more days."""
    each = days**0.5
    usual: tuple[Spec, ...] = (
        Harness("harness", accounts=150, calls_each=14.0 * each),
        Classroom("classroom", accounts=80),
        Evaluation("evaluation", accounts=20, calls_each=80.0),
        Enterprise("enterprise", accounts=100, calls_each=8.0 * each),
        Reseller("reseller", accounts=2, calls_each=1_500.0 * each),
        BatchJob("nightly-batch", accounts=5, calls_each=200.0),
        BatchJob("judge-pipeline", accounts=6, calls_each=200.0, judge=True),
        Viral("viral", accounts=200, calls_each=3.0),
    )
    return tuple(_grown(spec, min(calls / NEIGHBOURS_FROM_CALLS, 1.0), 0, 1) for spec in usual)


def around(campaign: Harvest, title: str, share: float = 0.1, release_hour: float = 0.0) -> Scenario:
    """Return the scenario that hides one campaign in honest traffic, `share` of all calls being the campaign's."""
    blank = Scenario(campaign.name, title, CALLS_MIN, (), release_hour=release_hour, full=campaign, share=share)
    return blank.at()


_LEDGER = tuple(
    around(entry.campaign, entry.title, release_hour=entry.release_hour).at(entry.scale, entry.days) for entry in LEDGER
)
_EVASIONS = tuple(
    around(hidden.evasion.plan(), hidden.title, hidden.share, hidden.release_hour) for hidden in EVASIONS.values()
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario(
                "demo", "a day with two hidden campaigns and the commonest look-alikes", 250_000,
                _DEMO_LOOKALIKES, (Pool(), CleanPool()),
            ),
            Scenario("quiet", "the same day without any campaign", 250_000, _DEMO_LOOKALIKES),
            Scenario(
                "bench", "six campaigns, about 3 % of the calls, and every look-alike at their sizes",
                2_000_000, _BENCH_LOOKALIKES, _BENCH_CAMPAIGNS, scales=True,
            ),
            Scenario(
                "lookalikes", "every class of look-alikes, 2,000 accounts of them, and no campaign",
                300_000, gallery(2_000),
            ),
            Scenario(
                "lookalikes-at-scale", "every class of look-alikes, 20,000 accounts of them, and no campaign",
                900_000, gallery(20_000),
            ),
            *_LEDGER,
            *_EVASIONS,
        )
    }
)  # fmt: skip

DEVELOPMENT = ("demo", "quiet", "bench", "lookalikes", "lookalikes-at-scale")
"""Scenarios by whose figures anything may be chosen. The shipped calibration is fitted on honest ones among them, under
seeds from 10000 on, so that no class of look-alikes is new to it; the worlds that a benchmark draws are."""

HELD_OUT = tuple(name for name in SCENARIOS if name not in DEVELOPMENT)
"""Scenarios that are reported only: no threshold, lexicon or default was or may be chosen by them."""


def scenario_named(name: str) -> Scenario:
    """Return a scenario by its name.

    Raises:  Error("unknown-scenario").
    """
    if name not in SCENARIOS:
        raise Error(
            "unknown-scenario",
            "there is no scenario of that name",
            hint=f"choose one of {', '.join(SCENARIOS)}",
        )
    return SCENARIOS[name]


NULL = "null"
"""Name of the small honest worlds of `null_world`, which differ in more than their seed."""

NULL_LOOKALIKES = 150
NULL_CLASSES = 12
NULL_WINDOWS: tuple[tuple[int, int], ...] = ((12, 44_000), (24, 52_000), (12, 44_000), (24, 52_000), (48, 62_000))
"""Hours and calls of such a world, in turn: about 1,500 accounts call in each."""


def null_world(seed: int) -> Scenario:
    """Return a small world without campaigns, its classes of look-alikes and its hours drawn from the seed."""
    rng = stream(seed, NULL)
    hours, calls = NULL_WINDOWS[seed % len(NULL_WINDOWS)]
    which = sorted(rng.permutation(classes_count())[:NULL_CLASSES].tolist())
    title = "a small honest world with some classes of look-alikes"
    return Scenario(NULL, title, calls, gallery(NULL_LOOKALIKES, hours / 24.0, which), hours=hours)


FULL_RATE = "ledger-c6-at-full-rate"
"""Name of the world of `full_rate`."""

FULL_RATE_HOURS = 3


def full_rate() -> Scenario:
    """Return the first hours of a campaign of 25,000 accounts and 640,000 calls a day: does one hour show it?"""
    whole = SCENARIOS["ledger-c6"].full
    assert whole is not None
    day = whole.at(1.0, 1)
    few = replace(day, calls_each=day.calls_each * FULL_RATE_HOURS / 24.0)
    around_it = around(few, "the first hours of a campaign at its published rate")
    return replace(around_it, name=FULL_RATE, hours=FULL_RATE_HOURS)
