"""One organisation grades its own support answers every night, evenly over eighty seats behind one address."""

from tests.scenes.scene import Scene
from tests.scenes.world import Queue, World, campaign, strangers

GRADES = (
    "Grade the answer below by our house rubric with its five criteria, give a score for each criterion and one "
    "sentence that the colleague who wrote it will find useful on Monday morning. The answer that was sent: "
)


def build() -> Scene:
    world = World(23)
    strangers(world)
    names = world.add_accounts("seat", 80, organization_id=["the house"] * 80)
    campaign(world, "seat", Queue(GRADES, items=400, samples=3), names, organization_id="the house", client_ip="gate")
    return Scene(world, outcomes={"seat": "common-control"})
