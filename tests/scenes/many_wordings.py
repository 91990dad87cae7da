"""A campaign with a wording of its own for every dozen of accounts, beside an agency's customers and two tenants.

The campaign's cards are each used by three accounts of different parts, and its numbers of calls vary as chance has it:
a dozen of them prove nothing. The agency pays for its small customers with a few cards; each of them has a template and
a subject. Two tenants ask about one subject and have nothing in common.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.scenes.scene import Scene
from tests.scenes.world import DAY_S, World, honest_rates, sentence, strangers, vocabulary, working_day

PARTS, PART_ACCOUNTS, PART_CALLS = 16, 12, 240


def wording(rng: np.random.Generator) -> str:
    """Make a template that has no word in common with another but by chance."""
    return " ".join(vocabulary(rng, 16)) + " : "


def reworded(world: World, pool: str) -> None:
    """Add a campaign that words its template anew for every dozen of accounts, and works off one list with all."""
    rng = world.stream(f"wordings of {pool}")
    # Each card goes round, to an account of each of three parts.
    cards = [f"{pool} card {at // 3}" for at in range(PARTS * PART_ACCOUNTS)]
    names = world.add_accounts(pool, len(cards), payment_digest=cards)
    words = vocabulary(rng, 400)
    for part in range(PARTS):
        members, template = names[part::PARTS], wording(rng)
        for second in rng.uniform(0, DAY_S, PART_CALLS):
            name = members[rng.integers(len(members))]
            world.call(name, second, template + sentence(rng, words), turn_index=0, output_tokens=2_000)


def customers(world: World, pool: str, subjects: Sequence[Sequence[str]], cards: Sequence[str] | None) -> None:
    """Add families of honest accounts, each about one subject, of one customer each; they pay with a few cards."""
    rng = world.stream(f"customers of {pool}")
    for words in subjects:
        facts = {} if cards is None else {"payment_digest": rng.permutation(np.resize(cards, 20)).tolist()}
        template = wording(rng)
        names = world.add_accounts(pool, 20, **facts)
        for name, times in zip(names, honest_rates(rng, 20, 14), strict=True):
            for second in working_day(rng, int(times)):
                world.call(name, second, template + sentence(rng, words), turn_index=0)


def build() -> Scene:
    world = World(41)
    strangers(world, count=1_500, calls=2)
    reworded(world, "reworded")
    rng = world.stream("subjects")
    customers(world, "agency", [vocabulary(rng, 60) for _ in range(6)], [f"card {at} of agency" for at in range(20)])
    customers(world, "tenants", [vocabulary(rng, 60)] * 2, None)
    return Scene(
        world,
        campaigns=("reworded",),
        speaks_for=(("pool-dispatch", "reworded"),),
        speaks_against=(("template-reuse", "reworded"),),
    )
