"""template-reuse: a pool and a crowd of strangers both share a skeleton; only what else is true tells them apart."""

from tests.scenes.scene import Scene
from tests.scenes.world import TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(11)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    campaign(world, "pool", Queue(samples=3))
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("template-reuse", "pool"), ("template-reuse", "tutored")),
    )
