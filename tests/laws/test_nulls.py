"""What the signals promise of their e-values, on seeded panels in which nothing is coordinated.

An e-value's mean is at most 1 where its null holds, and by Markov it reaches 100 in at most one panel in a hundred.
Each law allows for three standard errors of what it counts, and names the panels it counts over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stillwatch import trace
from stillwatch.signals import (
    birth_cohort,
    failover,
    pool_dispatch,
    queue_sharding,
    reasoning_replay,
    shared_infrastructure,
    temporal_synchrony,
)
from stillwatch.signals.contract import Mark, Panel, Population, SharedValues, Signal, first_by_owner
from tests.laws.days import newcomers, office_hours, one_burst, own_times, refusals, shifts, timers
from tests.signals.panels import HOUR_US, START_US, empty_population, panel, shared_values

PANELS = 200
STANDARD_ERRORS = 3
REMARKABLE = 100.0

Make = Callable[[np.random.Generator], Panel]


def e_values(signal: Signal, make: Make, panels: int = PANELS) -> np.ndarray:
    found = []
    for seed in range(panels):
        mark = signal.conclude(make(np.random.default_rng([seed, 77])))
        if isinstance(mark, Mark):
            assert mark.log_e is not None
            found.append(mark.log_e)
    assert len(found) >= 0.8 * panels, "a signal that skips its null shows nothing"
    return np.exp(np.array(found))


def keeps_its_promise(e: np.ndarray) -> None:
    error = e.std() / np.sqrt(len(e))
    assert e.mean() <= 1 + STANDARD_ERRORS * error
    remarkable = (e >= REMARKABLE).mean()
    assert remarkable <= 1 / REMARKABLE + STANDARD_ERRORS * np.sqrt(0.01 * 0.99 / len(e))


# Independent accounts: rates differ by gamma distributions of at least the assumed spread.


def independent_accounts(accounts: int, mean: float, cv: float) -> Make:
    def make(rng: np.random.Generator) -> Panel:
        counts = rng.poisson(rng.gamma(1 / cv**2, cv**2, accounts) * mean)
        return panel(np.repeat(np.arange(accounts), counts), accounts_count=accounts)

    return make


@pytest.mark.parametrize("cv", [pool_dispatch.RATE_CV_MIN, 1.5])
@pytest.mark.parametrize(("accounts", "mean"), [(20, 3.0), (20, 20.0), (120, 3.0)])
def test_accounts_that_work_by_themselves_are_no_pool(accounts: int, mean: float, cv: float) -> None:
    keeps_its_promise(e_values(pool_dispatch, independent_accounts(accounts, mean, cv)))


def family_in_a_log(share: float, blocks: int = 160) -> Make:
    """Calls of a family that is a share of a log with a day's rhythm."""

    def make(rng: np.random.Generator) -> Panel:
        day = 40 * (1 + 0.6 * np.sin(np.arange(blocks) / 24 * 2 * np.pi))
        own, others = rng.poisson(day * share), rng.poisson(day * (1 - share))
        first = START_US // HOUR_US
        tested = (np.arange(blocks) + first) % 2 == 0
        nobody = np.zeros(0, dtype=np.int64)
        block = np.repeat(np.arange(blocks), own)
        account = rng.choice(100, len(block), p=rng.dirichlet(np.ones(100)))
        population = Population(9_000, nobody, HOUR_US, first, own + others, tested)
        return panel(
            account, accounts_count=100, time_us=(block + first) * HOUR_US, tested=tested[block], population=population
        )

    return make


@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_a_family_that_follows_the_day_is_not_paced_however_much_of_the_log_it_is(share: float) -> None:
    keeps_its_promise(e_values(pool_dispatch, family_in_a_log(share)))


# Independent choice of items: each account draws from one stock by itself.


def own_choice(accounts: int, stock: int, draws: int, zipf: float, again: bool, models: int = 2) -> Make:
    weights = 1 / np.arange(1, stock + 1) ** zipf

    def make(rng: np.random.Generator) -> Panel:
        chance = weights / weights.sum()
        items = [rng.choice(stock, draws, replace=again, p=chance) for _ in range(accounts * models)]
        account = np.repeat(np.tile(np.arange(accounts), models), draws)
        model = np.repeat(np.arange(1, models + 1), accounts * draws)
        calls = len(account)
        return panel(
            account, accounts_count=accounts, item=np.concatenate(items) + 1, model=model,
            time_us=START_US + rng.permutation(calls) * 1_000_000, tested=rng.random(calls) < 0.5,
        )  # fmt: skip

    return make


@pytest.mark.parametrize(
    "make",
    [
        own_choice(30, 200, 10, zipf=0, again=False),
        own_choice(30, 200, 10, zipf=1, again=True),
        own_choice(10, 60, 40, zipf=0, again=False),
        own_choice(60, 2_000, 20, zipf=0, again=False),
        own_choice(60, 2_000, 20, zipf=1.2, again=True),
        own_choice(20, 60, 10, zipf=0.5, again=True, models=1),
    ],
    ids=["uniform", "zipf", "most-of-the-stock", "large-stock", "steep-zipf", "one-model"],
)
def test_accounts_that_choose_their_own_items_are_no_queue(make: Make) -> None:
    keeps_its_promise(e_values(queue_sharding, make))


# Random identifiers: any accounts of the population hold any value.


def random_identifiers(population: int, accounts: int, values: int, holders_max: int) -> Make:
    def make(rng: np.random.Generator) -> Panel:
        place = np.full(population, -1)
        place[rng.choice(population, accounts, replace=False)] = np.arange(accounts)
        holders, degrees = [], []
        for _ in range(values):
            degree = int(rng.integers(2, holders_max + 1))
            inside = place[rng.choice(population, degree, replace=False)]
            if (inside >= 0).any():
                holders.append(np.sort(inside[inside >= 0]).tolist())
                degrees.append(degree)
        shared = (shared_values("payment", holders, degrees),)
        return panel(np.arange(accounts), shared=shared, population=empty_population(population))

    return make


@pytest.mark.parametrize(
    "make",
    [
        random_identifiers(5_000, 50, values=1_000, holders_max=3),
        random_identifiers(5_000, 50, values=300, holders_max=20),
        random_identifiers(1_000, 40, values=20, holders_max=5),
        random_identifiers(300, 100, values=200, holders_max=5),
    ],
    ids=["pairs", "offices", "few-values", "large-family"],
)
def test_identifiers_that_fall_anywhere_link_nobody(make: Make) -> None:
    keeps_its_promise(e_values(shared_infrastructure, make))


# Random sign-ups: the family is any accounts of the population, whatever the days on which people sign up.


def random_sign_ups(population: int, accounts: int, launch: bool) -> Make:
    def make(rng: np.random.Generator) -> Panel:
        hours = rng.exponential(30 * 24, population) if launch else rng.uniform(0, 365 * 24, population)
        created = START_US - (hours * HOUR_US).astype(np.int64)
        nobody = np.zeros(0, dtype=np.int64)
        everybody = Population(population, np.sort(created), HOUR_US, 0, nobody, nobody.astype(bool))
        mine = rng.choice(population, accounts, replace=False)
        return panel(np.arange(accounts), created_us=created[mine], population=everybody)

    return make


@pytest.mark.parametrize(
    "make",
    [
        random_sign_ups(3_000, 60, launch=False),
        random_sign_ups(3_000, 60, launch=True),
        random_sign_ups(120, 60, launch=True),
    ],
    ids=["steady", "launch", "half-of-everybody"],
)
def test_sign_ups_like_everybodys_are_no_cohort(make: Make) -> None:
    keeps_its_promise(e_values(birth_cohort, make))


# Look-alikes: owners who meet, and who start together, with nobody behind them. Half of those who do are in the family.


def look_alike(
    exits: int, circles: int = 1, event_hours: float = 0.0, programme: int = 0, seats: bool = False, mates: int = 80
) -> Make:
    """Of 4,000 owners some circles of `mates` accounts call from `exits` addresses each, which 24 of them come to use.

    The accounts of a circle signed up within `event_hours` (0: like everybody), through one programme, or are the seats
    of one organisation, which pays for all of them. The family has half of each circle and forty strangers.
    """

    def make(rng: np.random.Generator) -> Panel:
        strangers, met = 4_000, circles * mates
        created = START_US - (rng.uniform(1, 365 * 24, strangers + met) * HOUR_US).astype(np.int64)
        organizations = np.zeros(strangers + met, dtype=np.uint64)
        addresses = [rng.integers(0, 3_000, strangers + met)]
        for circle in range(circles):
            own = np.arange(strangers + circle * mates, strangers + (circle + 1) * mates)
            if event_hours:
                created[own] = created[own[0]] + rng.integers(0, int(event_hours * HOUR_US), mates)
            if seats:
                organizations[own] = circle + 1
            for at in range(exits):
                using = np.full(strangers + met, -1)
                using[rng.choice(own, 24, replace=False)] = 3_000 + circle * exits + at
                addresses.append(using)
        codes = np.repeat([0, programme], [strangers, met])
        mine = np.sort(np.concatenate([rng.choice(strangers, 40, replace=False), strangers + np.arange(0, met, 2)]))
        owner = np.where(organizations > 0, organizations, 10_000 + np.arange(strangers + met))
        cards = np.where(organizations > 0, organizations.astype(np.int64), -1)
        nobody = np.zeros(0, dtype=np.int64)
        born = first_by_owner(owner[codes == 0].astype(np.int64), created[codes == 0])
        everybody = Population(len(np.unique(owner)), born, HOUR_US, 0, nobody, nobody.astype(bool))
        return panel(
            np.arange(len(mine)), organizations=organizations[mine], created_us=created[mine], population=everybody,
            facts={"programme": codes[mine]}, shared=(held("address", addresses, owner, mine),
                                                      held("payment", [cards], owner, mine)),
        )  # fmt: skip

    return make


def held(kind: str, columns: list[np.ndarray], owner: np.ndarray, mine: np.ndarray) -> SharedValues:
    """Return the values that two owners or more hold, and the family's holders of each."""
    pairs = {(int(v), a) for column in columns for a, v in enumerate(column) if v >= 0}
    owners: dict[int, set[int]] = {}
    for value, account in pairs:
        owners.setdefault(value, set()).add(int(owner[account]))
    place = {int(account): at for at, account in enumerate(mine)}
    holders: dict[int, list[int]] = {}
    for value, account in sorted(pairs):
        if account in place and len(owners[value]) >= 2:
            holders.setdefault(value, []).append(place[account])
    return shared_values(kind, list(holders.values()), [len(owners[value]) for value in holders])


LOOK_ALIKES = {
    "relay": look_alike(exits=3, circles=2),
    "hackathon": look_alike(exits=2, event_hours=6, programme=2),
    "three-venues": look_alike(exits=2, circles=3, event_hours=6, programme=2),
    "enterprise": look_alike(exits=1, event_hours=1, seats=True),
    "campus": look_alike(exits=6),
}


@pytest.mark.parametrize("signal", [shared_infrastructure, birth_cohort], ids=["shared-infrastructure", "birth-cohort"])
@pytest.mark.parametrize("make", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_people_who_meet_or_start_together_are_not_one_hand(signal: Signal, make: Make) -> None:
    keeps_its_promise(e_values(signal, make, panels=100))


# Independent times: owners begin and stop by themselves, with habits, timers and one occasion in common.


@pytest.mark.parametrize(
    "make",
    [
        own_times(60, days=2),
        office_hours(120, days=3, sd_minutes=10),
        timers(60, days=2, every_hours=1, minute=0),
        timers(60, days=2, every_hours=3, minute=17),
        one_burst(120, days=2, spread_minutes=20),
        one_burst(120, days=2, spread_minutes=1),
    ],
    ids=["own-times", "office-hours", "on-the-hour", "odd-timer", "viral", "class"],
)
def test_owners_that_begin_by_themselves_keep_no_common_time(make: Make) -> None:
    keeps_its_promise(e_values(temporal_synchrony, make, panels=40))


# Closures and refusals that nobody answers.


@pytest.mark.parametrize(
    "make",
    [
        newcomers(200, days=4, closures=12),
        newcomers(500, days=4, closures=30, wave=True),
        refusals(60, days=2, handed_on=0),
        refusals(60, days=2, handed_on=0, storm=True),
    ],
    ids=["closures", "a-wave", "refusals", "storms"],
)
def test_newcomers_and_repeated_items_that_heed_no_closure_are_no_failover(make: Make) -> None:
    keeps_its_promise(e_values(failover, make))


# Accidents with reasoning blocks: keys move, gateways mix up, transcripts go round, each at the assumed rate at most.


def accidents(accounts: int, calls: float, rate: float, passed_on: bool = False) -> Make:
    """Accounts present their own blocks but for accidents; now and then many pass on one issuer's transcript."""

    def make(rng: np.random.Generator) -> Panel:
        account = np.repeat(np.arange(accounts), 1 + rng.poisson(rng.lognormal(np.log(calls), 1.5, accounts)))
        foreign = rng.random(len(account)) < rate
        issuer = np.where(foreign, rng.integers(1, 10_000, len(account)), 0)
        if passed_on and rng.random() < 0.5:
            issuer[rng.random(len(account)) < 0.2] = 77_777
        return panel(
            account, accounts_count=accounts, issuer=issuer, flags=np.full(len(account), trace.FLAG_PRESENTS),
        )  # fmt: skip

    return make


def replays_where_issuers_are_logged(make: Make) -> Make:
    return lambda rng: replace(make(rng), available=reasoning_replay.NEEDS)


@pytest.mark.parametrize(
    "make",
    [
        accidents(60, 10, 1e-4),
        accidents(400, 60, 1e-4),
        accidents(400, 60, 2e-5),
    ],
    ids=["a-small-family", "a-harness", "fewer-accidents"],
)
def test_accidents_with_reasoning_blocks_are_no_replay(make: Make) -> None:
    keeps_its_promise(e_values(reasoning_replay, replays_where_issuers_are_logged(make)))


# Power: what is coordinated is found.


def dealt_out(rng: np.random.Generator) -> Panel:
    queue = rng.permutation(np.tile(np.arange(1, 201), 3))
    return panel(np.arange(len(queue)) % 40, item=queue)


def least_loaded(rng: np.random.Generator) -> Panel:
    calls = 40 * 12 + int(rng.integers(0, 40))
    return panel(np.arange(calls) % 40)


def one_card_for_four(rng: np.random.Generator) -> Panel:
    holders = [list(range(at, at + 4)) for at in range(0, 20, 4)]
    return panel(
        np.arange(40), shared=(shared_values("payment", holders, [4] * 5),), population=empty_population(5_000)
    )


def made_in_one_day(rng: np.random.Generator) -> Panel:
    others = START_US - (rng.uniform(0, 365 * 24, 2_000) * HOUR_US).astype(np.int64)
    mine = START_US - 50 * 24 * HOUR_US + rng.integers(0, 24 * HOUR_US, 20)
    nobody = np.zeros(0, dtype=np.int64)
    everybody = np.sort(np.concatenate([others, mine]))
    population = Population(2_020, everybody, HOUR_US, 0, nobody, nobody.astype(bool))
    return panel(np.arange(20), created_us=mine, population=population)


def decoded_by_others(rng: np.random.Generator) -> Panel:
    account = np.repeat(np.arange(40), 2)
    return panel(account, issuer=rng.integers(1, 30, len(account)), flags=np.full(len(account), trace.FLAG_PRESENTS))


@pytest.mark.parametrize(
    ("signal", "make"),
    [
        (queue_sharding, dealt_out),
        (pool_dispatch, least_loaded),
        (shared_infrastructure, one_card_for_four),
        (birth_cohort, made_in_one_day),
        (temporal_synchrony, shifts(60, days=3, a_day=4)),
        (failover, newcomers(1_200, days=6, closures=14, taken_over=0.9)),
        (failover, refusals(60, days=2, handed_on=0.9)),
        (reasoning_replay, decoded_by_others),
    ],
    ids=["dealt-out", "least-loaded", "one-card", "one-day", "shifts", "replaced", "handed-on", "replayed"],
)
def test_what_is_coordinated_is_found_in_nineteen_of_twenty_panels(signal: Signal, make: Make) -> None:
    assert (e_values(signal, make, panels=20) >= 1_000).mean() >= 0.95
