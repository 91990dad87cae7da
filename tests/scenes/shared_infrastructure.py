"""shared-infrastructure: a list passed over once, dealt unevenly; but fifteen accounts at a time pay with one card."""

from tests.scenes.scene import Scene
from tests.scenes.world import TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(15)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    names = world.add_accounts("pool", 60, payment_digest=[f"card {at // 15}" for at in range(60)])
    campaign(world, "pool", Queue(items=900, even=False), names)
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("shared-infrastructure", "pool"),),
        speaks_against=(("shared-infrastructure", "tutored"), ("pool-dispatch", "pool")),
    )
