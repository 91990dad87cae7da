"""queue-sharding: four samples of every item, dealt to accounts of unequal strength; a class repeats one sheet."""

from tests.scenes.classroom import add_class
from tests.scenes.scene import Scene
from tests.scenes.world import Queue, World, campaign, strangers


def build() -> Scene:
    world = World(12)
    strangers(world)
    add_class(world)
    campaign(world, "pool", Queue(items=240, samples=4, even=False))
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"pupil": "common-task"},
        speaks_for=(("queue-sharding", "pool"),),
        speaks_against=(("queue-sharding", "pupil"), ("pool-dispatch", "pool")),
    )
