"""program-mismatch: schools that all applied in one fortnight ask for complete reasoning from morning to night.

Other schools are in the same programme, joined when they liked, and use a public recipe for their lessons.
Whom a programme let in is no cohort to birth-cohort, which has nobody else to look at.
"""

from datetime import timedelta

from tests.scenes.scene import Scene
from tests.scenes.world import START, TUTOR, Queue, World, campaign, recipe, strangers


def build() -> Scene:
    world = World(35)
    strangers(world)
    lessons = world.add_accounts("school", 60, programme=["education"] * 60, declared_use=["teaching"] * 60)
    recipe(world, "school", TUTOR, names=lessons)
    born = [(START - timedelta(days=40) + timedelta(hours=8 * at)).isoformat() for at in range(40)]
    facts = {"programme": ["Education"] * 40, "declared_use": ["education"] * 40, "created_at": born}
    names = world.add_accounts("front", 40, **facts)
    campaign(world, "front", Queue(items=500, samples=3), names)
    return Scene(
        world,
        campaigns=("front",),
        outcomes={"school": "shared-template"},
        speaks_for=(("program-mismatch", "front"),),
        skipped=frozenset({"birth-cohort"}),
    )
