"""What a run could have found: the smallest campaign of each class, on this log, and what no log shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.conclusion import Conclusion
from stillwatch.campaign.fusion import COORDINATION, SECONDED, coordination, extraction_score
from stillwatch.campaign.judgement import set_aside
from stillwatch.campaign.online import OnlineState, gamma
from stillwatch.campaign.screening import BUSY_ACCOUNTS_MIN, CALLS_MIN, ITEMS_MIN
from stillwatch.finding import Reach
from stillwatch.signals import birth_cohort, extraction_intent, population_homogeneity, shared_infrastructure
from stillwatch.signals.contract import AccountFacts, Calls, Ints, Mark, Panel, Population, SharedValues, Signal
from stillwatch.signals.registry import SIGNALS
from stillwatch.trace import PHRASE_CLASSES

DRAWS, HALF, MOST = 20, 10, 19
"""Campaigns drawn at a size, and how many found make a power of 0.5 and of 0.95: either within about a tenth."""

STRIDE = 3
HOPES = 2
"""From small to large every third size is tried, and passed over where two draws are missed. It begins with the small
ones, because more is not always easier: in a small log a large family shares rare values by chance."""

STEP = 1.2
"""Sizes tried are a fifth apart: finer than what twenty draws can tell."""

CALLS_TRIED_MAX = 20_000
"""The largest campaign tried: a signal that has not seen it by then hardly gains from more, and people wait."""

HOLDERS = 16
"""Accounts that hold one rare value, of a campaign that shares them: 14 cards for 240 accounts in a published one."""

COORDINATES = frozenset({*COORDINATION, SECONDED})
"""Signals that decide whether a campaign is coordinated; queue-sharding among them also says whether it is one task."""

EXTRACTS = frozenset({extraction_intent.IDENT, population_homogeneity.IDENT})
"""Signals by which extraction shows in campaigns that are drawn like these: wording, from accounts that are alike."""

UNEVEN_CV = 1.0
"""How unequally busy accounts are where nobody balances them: standard deviation over mean, twice the null's."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The run's own figures: what it tested and rejected, at which rate and against which examples, and what the log
    fills; in a stream of windows also what the stream was when the run began, and what this window left of its asks.
    """

    population: Population
    available: frozenset[str]
    hypotheses_count: int
    coordinated_count: int
    calibration: Calibration
    fdr: float
    rejected_count: int = 0
    stream: OnlineState | None = None
    asks_left: int = 0

    @staticmethod
    def of(
        concluded: Conclusion, population: Population, available: frozenset[str], calibration: Calibration, fdr: float
    ) -> Ground:
        """Take the figures of a finished run."""
        tested = [group for _, group in concluded.groups if group.score is not None]
        coordinated = sum(group.log_e_coordination >= np.log(2 / fdr) for group in tested)
        rejected = sum(group.outcome == "extraction-campaign" for group in tested)
        return Ground(population, available, len(tested), int(coordinated), calibration, fdr, rejected)

    @property
    def log_e_min(self) -> float:
        """What a further campaign's coordination must reach."""
        if self.stream is None:
            return float(np.log(2 * (self.hypotheses_count + 1) / (self.fdr * (self.rejected_count + 1))))
        share = gamma(self.stream.windows_count + 1) * (self.stream.named_count + 1)
        return float(np.log(2 * (self.hypotheses_count + 1) / (self.fdr * share)))

    @property
    def p_max(self) -> float:
        """What its extraction p-value may be."""
        if self.stream is not None:
            return self.stream.level
        return self.fdr * (self.rejected_count + 1) / (2 * (self.coordinated_count + 1))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a class of campaigns works. All of them ask for verbatim reasoning in every call, spread over the window as
    everybody's calls are, from accounts of separate owners; what is not set here gives nothing away.
    """

    name: str
    calls_per_account: int
    passes: int = 1
    models: int = 1
    even: bool = False
    shares: bool = False
    burst: bool = False
    needs: frozenset[str] = frozenset()


PLANS = (
    Plan("queue-of-four-passes", 12, passes=4),
    Plan("queue-run-again-on-another-model", 12, models=2),
    Plan("least-loaded-pool", 12, even=True),
    Plan("swarm-of-two-calls", 2, even=True),
    Plan("shared-cards-or-devices", 12, shares=True, needs=shared_infrastructure.NEEDS),
    Plan("sign-up-burst", 12, burst=True, needs=birth_cohort.NEEDS),
)

BLIND = (
    ("organic-relay", "its requests are those of real users, and nothing in them shows extraction"),
    ("bought-transcripts", "they were made elsewhere, and leave nothing in this log"),
    ("shell-company-front", "one organisation's accounts are its own; whether it is who it says is not in a log"),
    ("rewritten-prompts", "without five words in a row in common there is no family to test"),
)
"""What ingress does not see, whatever the log holds."""


def reach(ground: Ground, seed: int) -> tuple[Reach, ...]:
    """Return the reach of each class on this log, by simulation: campaigns of growing size are drawn and put to the
    run's own signals, screening and thresholds, each as the only campaign besides those that were found.

    Draws come from the seed and the class alone, so that the same run says the same.

    Cost:    some seconds; some hundred panels a class.
    """
    found = [_reach(ground, plan, [seed, number]) for number, plan in enumerate(PLANS)]
    return (*found, *(Reach(name, None, None, None, None, (), reason) for name, reason in BLIND))


def draw(ground: Ground, plan: Plan, accounts_count: int, rng: np.random.Generator) -> Panel:
    """Draw one campaign of a class as the panel that the run would have tested."""
    count = accounts_count * plan.calls_per_account
    block = np.sort(rng.choice(len(ground.population.block_calls), count, p=_curve(ground.population)))
    width, first = ground.population.block_us, ground.population.block_first
    time_us = np.sort((block + first) * width + rng.integers(0, width, count))
    block = time_us // width - first
    account, accounts_count = _dispatch(plan, accounts_count, count, rng)
    order = np.lexsort((time_us, account))
    stock = max(1, count // (plan.passes * plan.models))
    # A model's turn is a part of the window; inside it the list is passed over from beginning to end.
    item = np.arange(count) % stock + 1
    model = np.minimum(np.arange(count) * plan.models // count, plan.models - 1) + 1
    bits = [rng.integers(0, 2**64, count, dtype=np.uint64) for _ in range(3)]
    created_us = _sign_ups(ground, plan, accounts_count, rng)
    calls = Calls.of(
        account[order],
        time_us[order],
        ground.population.block_tested[block][order].astype(bool),
        item=item[order],
        topic=(bits[0] & bits[1] & bits[2])[order],
        model=model[order],
        phrases=np.full(count, 1 << PHRASE_CLASSES.index("reasoning-verbatim")),
    )
    return Panel(
        group_id="f-drawn",
        accounts=np.sort(rng.integers(1, 2**63, accounts_count, dtype=np.uint64)),
        organizations=np.zeros(accounts_count, dtype=np.uint64),
        account_calls=np.bincount(account, minlength=accounts_count),
        created_us=created_us,
        facts=AccountFacts.of(accounts_count),
        calls=calls,
        shared=_shared(accounts_count) if plan.shares else (),
        population=_joined(ground.population, block, accounts_count, created_us),
        available=ground.available,
        leave_out=False,
    )


def missed(ground: Ground, panel: Panel) -> str:
    """Say why the run would not have named this family besides those that it did; empty where it would."""
    calls = panel.calls
    busy = np.bincount(calls.account[~calls.tested], minlength=len(panel.accounts)) >= 2
    if (~calls.tested).sum() < CALLS_MIN or len(np.unique(calls.item)) < ITEMS_MIN or busy.sum() < BUSY_ACCOUNTS_MIN:
        return "too few calls for a test"
    # Most draws fall at coordination, for which most signals need not be asked.
    marks = _marks(ground, panel, [signal for signal in SIGNALS if signal.IDENT in COORDINATES])
    if set_aside(panel.pool(), marks) is not None:
        return "its accounts seem to do one task that everybody does"
    if coordination(marks, len(panel.accounts))[0] < ground.log_e_min:
        return "nothing shows coordination strongly enough"
    # No mark lowers the score, so that the others need not be asked where the first are enough.
    for first in (True, False):
        asked = [
            signal for signal in SIGNALS if signal.IDENT not in COORDINATES and (signal.IDENT in EXTRACTS) is first
        ]
        marks += _marks(ground, panel, asked)
        if ground.calibration.p_value(extraction_score(marks)) <= ground.p_max:
            return ""
    return "extraction ranks too low among honest families, or cannot be told"


def _marks(ground: Ground, panel: Panel, signals: Sequence[Signal]) -> list[Mark]:
    said = [signal.conclude(panel) for signal in signals if signal.NEEDS & ground.available]
    return [mark for mark in said if isinstance(mark, Mark)]


def _reach(ground: Ground, plan: Plan, seeds: Sequence[int]) -> Reach:
    needs = tuple(sorted(plan.needs))
    reason = _blind(ground, plan)
    if reason:
        return Reach(plan.name, None, None, None, None, needs, reason)
    largest = CALLS_TRIED_MAX // plan.calls_per_account
    sizes = [8]
    while sizes[-1] < largest:
        sizes.append(min(largest, int(np.ceil(sizes[-1] * STEP))))
    tried: dict[tuple[int, int], str] = {}

    def found(at: int, number: int) -> bool:
        if (at, number) not in tried:
            rng = np.random.default_rng([*seeds, at, number])
            tried[at, number] = missed(ground, draw(ground, plan, sizes[at], rng))
        return not tried[at, number]

    half = _first(found, len(sizes))
    if half is None:
        why = tried[len(sizes) - 1, 0] or "too seldom found"
        return Reach(plan.name, None, None, None, None, needs, f"not found with up to {largest} accounts: {why}")
    most = half
    while most < len(sizes) and not _often(found, most, MOST):
        most += 1
    sure = most if most < len(sizes) else None
    return Reach(
        plan.name,
        sizes[half],
        sizes[half] * plan.calls_per_account,
        None if sure is None else sizes[sure],
        None if sure is None else sizes[sure] * plan.calls_per_account,
        needs,
        "",
    )


def _first(found: Callable[[int, int], bool], sizes_count: int) -> int | None:
    """Return the first size at which one campaign of two is found, None where there is none."""
    for at in [*range(STRIDE - 1, sizes_count - 1, STRIDE), sizes_count - 1]:
        if any(found(at, number) for number in range(HOPES)) and _often(found, at, HALF):
            low, high = max(-1, at - 2 * STRIDE), int(at)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _often(found, middle, HALF) else (middle, high)
            return high
    return None


def _often(found: Callable[[int, int], bool], at: int, enough: int) -> bool:
    """Say whether so many of DRAWS campaigns are found at a size; no more are drawn than it takes to know."""
    hits = misses = 0
    while hits < enough and misses <= DRAWS - enough:
        if found(at, hits + misses):
            hits += 1
        else:
            misses += 1
    return hits == enough


def _blind(ground: Ground, plan: Plan) -> str:
    if not ground.population.block_calls.sum():
        return "the log holds no calls"
    if not {"system_prompt", "input_text"} & ground.available:
        return "the log carries no prompts, so there are no families to test"
    if plan.needs and not plan.needs & ground.available:
        return f"the log fills none of {', '.join(sorted(plan.needs))}"
    if ground.stream and ground.asks_left < 1:
        return "the stream has spent what it may ask about extraction"
    if ground.calibration.resolution > ground.p_max:
        return (
            f"{len(ground.calibration.scores)} families in the calibration cannot tell one more campaign among "
            f"{ground.coordinated_count + 1} coordinated families"
        )
    return ""


def _curve(population: Population) -> np.ndarray:
    weight = np.maximum(population.block_calls.astype(np.float64), 0)
    return weight / weight.sum() if weight.sum() > 0 else np.full(len(weight), 1 / len(weight))


def _dispatch(plan: Plan, accounts_count: int, calls_count: int, rng: np.random.Generator) -> tuple[Ints, int]:
    """Return which account makes each call in order of time, and how many accounts make any."""
    if plan.even:
        rounds = -(-calls_count // accounts_count)
        turns = rng.permuted(np.tile(np.arange(accounts_count), (rounds, 1)), axis=1)
        return turns.ravel()[:calls_count], accounts_count
    shape = 1 / UNEVEN_CV**2
    rate = rng.gamma(shape, 1 / shape, accounts_count) + 1e-9
    seen, account = np.unique(rng.choice(accounts_count, calls_count, p=rate / rate.sum()), return_inverse=True)
    return account.astype(np.int64), len(seen)


def _sign_ups(ground: Ground, plan: Plan, accounts_count: int, rng: np.random.Generator) -> Ints:
    """Return when the accounts signed up: like everybody, or within a day of somebody."""
    everybody = ground.population.created_us
    if not len(everybody):
        return np.full(accounts_count, -1, dtype=np.int64)
    if plan.burst:
        return np.asarray(rng.choice(everybody) + rng.integers(0, 86_400_000_000, accounts_count))
    return np.asarray(rng.choice(everybody, accounts_count))


def _shared(accounts_count: int) -> tuple[SharedValues, ...]:
    account = np.arange(accounts_count, dtype=np.int64)
    value = account // HOLDERS
    degree = np.bincount(value)
    return (SharedValues("payment", np.arange(1, len(degree) + 1, dtype=np.uint64), degree, value, account),)


def _joined(population: Population, block: Ints, accounts_count: int, created_us: Ints) -> Population:
    """Return the population with the campaign in it."""
    return replace(
        population,
        owners_count=population.owners_count + accounts_count,
        created_us=np.sort(np.concatenate([population.created_us, created_us[created_us >= 0]])),
        block_calls=population.block_calls + np.bincount(block, minlength=len(population.block_calls)),
    )
