"""capability-sweep: a list of work is dealt out by topic, one topic an account, in equal shares.

Users of a public recipe have topics of their own as well, and use it as much as they need.
"""

import numpy as np

from tests.scenes.scene import Scene
from tests.scenes.world import DAY_S, EXTRACT, TUTOR, World, recipe, sentence, strangers, vocabulary

TOPICS_CALLS = 24


def build() -> Scene:
    world = World(34)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    rng = world.stream("topics")
    for name in world.add_accounts("pool", 60):
        words = vocabulary(rng, 40)
        for second in np.sort(rng.uniform(0, DAY_S, TOPICS_CALLS)):
            world.call(name, second, EXTRACT + sentence(rng, words))
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("capability-sweep", "pool"),),
        speaks_against=(("population-homogeneity", "pool"),),
    )
