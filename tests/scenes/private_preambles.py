"""Every account of the pool opens its calls with a line of its own, so that no two texts are ever the same."""

from tests.scenes.scene import Scene
from tests.scenes.world import Queue, World, campaign, sentence, strangers, vocabulary


def build() -> Scene:
    world = World(27)
    strangers(world)
    before = len(world.events)
    names = campaign(world, "pool", Queue(items=240, samples=4, words=45))
    rng = world.stream("lines of their own")
    words = vocabulary(rng, 300)
    lines = {name: sentence(rng, words, 12) for name in names}
    for event in world.events[before:]:
        event["input_text"] = f"{lines[event['account_id']]}. {event['input_text']}"
    return Scene(
        world, campaigns=("pool",), speaks_for=(("queue-sharding", "pool"), ("population-homogeneity", "pool"))
    )
