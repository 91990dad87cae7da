"""population-homogeneity: the pool's accounts draw on one stock of subjects; those who use a recipe have their own.

Both ask for what a student model is trained on, in every call.
"""

from tests.scenes.scene import Scene
from tests.scenes.world import DATASET, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(14)
    strangers(world)
    recipe(world, "author", DATASET)
    campaign(world, "pool", Queue(items=400, samples=3))
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"author": "shared-template"},
        speaks_for=(("population-homogeneity", "pool"), ("extraction-intent", "author")),
        speaks_against=(("population-homogeneity", "author"),),
    )
