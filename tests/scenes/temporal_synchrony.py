"""temporal-synchrony: six times a day, at odd minutes, one command sets a pool to work and stops it again."""

import numpy as np

from tests.scenes.scene import Scene
from tests.scenes.world import EXTRACT, TUTOR, World, recipe, sentence, strangers, vocabulary

SHIFTS = (1.13, 4.62, 8.37, 11.88, 14.55, 17.30, 20.71)
"""Hours of the day at which the pool is started."""


def build() -> Scene:
    world = World(31)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    names = world.add_accounts("pool", 24)
    rng = world.stream("shifts of the pool")
    words = vocabulary(rng, 400)
    for start in SHIFTS:
        for name in names:
            for minute in rng.exponential(0.5) + 3 * np.arange(8):
                world.call(name, start * 3_600 + minute * 60, EXTRACT + sentence(rng, words))
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("temporal-synchrony", "pool"),),
    )
