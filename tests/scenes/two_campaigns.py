"""Two campaigns on one day: strangers to each other, with other templates, lists and accounts."""

from tests.scenes.scene import Scene
from tests.scenes.world import DATASET, TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(28)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    campaign(world, "first", Queue(samples=3))
    campaign(world, "second", Queue(DATASET, items=500, samples=2), count=40)
    return Scene(world, campaigns=("first", "second"), outcomes={"tutored": "shared-template"})
