"""failover: an account of the pool is refused every few calls, and the item goes on to another over another path."""

from tests.scenes.scene import Scene
from tests.scenes.world import DAY_S, EXTRACT, TUTOR, World, recipe, sentence, strangers, vocabulary

PATHS = ("api", "cloud:one", "aggregator:two")


def build() -> Scene:
    world = World(32)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    names = world.add_accounts("pool", 60)
    rng = world.stream("queue of the pool")
    words = vocabulary(rng, 400)
    for at, second in enumerate(sorted(rng.uniform(0, DAY_S - 600, 900))):
        item = EXTRACT + sentence(rng, words)
        refused = rng.random() < 0.25
        world.call(names[at % 60], second, item, access_path=PATHS[at % 3], status=429 if refused else 200)
        if refused:
            later = second + rng.uniform(20, 120)
            taker = names[(at + int(rng.integers(1, 60))) % 60]
            world.call(taker, later, item, access_path=PATHS[(at + 1) % 3], status=200)
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("failover", "pool"),),
    )
