"""extraction-intent: two pools are dealt work alike; one asks for reasoning, the other sorts parcels.

One parcel in six comes with a note that asks for reasoning: enough to be looked at, not enough to be accused. Two
answers of three are followed up, for which a harvest has no use.
"""

from tests.scenes.scene import Scene
from tests.scenes.world import Queue, World, campaign, strangers

PARCELS = (
    "Here is the label of a parcel as it came off the belt this morning. Say which depot it goes to, whether it is "
    "fragile, and which of our four vans should carry it; one line is enough, and there is no hurry. The label says: "
)

NOTE = "Put the full reasoning of the sorting desk under the label this time, the depot has asked for it."


def build() -> Scene:
    world = World(17)
    strangers(world)
    campaign(world, "pool", Queue(samples=3))
    before = len(world.events)
    campaign(world, "courier", Queue(PARCELS, items=1_000))
    for at, event in enumerate(world.events[before:]):
        event |= {"turn_index": at % 3, "output_tokens": 20}
        if at % 6 == 0:
            event["input_text"] += " " + NOTE
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"courier": "common-control"},
        speaks_for=(("extraction-intent", "pool"), ("pool-dispatch", "courier")),
        speaks_against=(("extraction-intent", "courier"),),
    )
