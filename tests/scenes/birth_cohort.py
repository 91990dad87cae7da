"""birth-cohort: a list passed over once, dealt unevenly, by accounts that were all made within one hour."""

from datetime import timedelta

from tests.scenes.scene import Scene
from tests.scenes.world import START, TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(16)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    born = [(START - timedelta(days=20) + timedelta(seconds=40 * at)).isoformat() for at in range(60)]
    names = world.add_accounts("pool", 60, created_at=born)
    campaign(world, "pool", Queue(items=900, even=False), names)
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("birth-cohort", "pool"),),
        speaks_against=(("birth-cohort", "tutored"),),
    )
