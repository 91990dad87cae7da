"""pool-dispatch: a list passed over once, in which no item comes twice; only how evenly it is spread gives it away."""

from tests.scenes.scene import Scene
from tests.scenes.world import TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(13)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    campaign(world, "pool", Queue(items=900))
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("pool-dispatch", "pool"),),
        speaks_against=(("pool-dispatch", "tutored"),),
    )
