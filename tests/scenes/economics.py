"""economics: every answer of a pool fills its cap, and its free accounts spend alike; others ask ordinary answers."""

from tests.scenes.scene import Scene
from tests.scenes.world import TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(34)
    strangers(world)
    recipe(world, "tutored", TUTOR, output_tokens=280, max_tokens=1_024)
    names = world.add_accounts("pool", 60, plan=["free"] * 60)
    campaign(world, "pool", Queue(items=900), names, output_tokens=4_096, max_tokens=4_096)
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("economics", "pool"),),
        speaks_against=(("economics", "tutored"),),
    )
