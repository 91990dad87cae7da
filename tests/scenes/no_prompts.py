"""The log of a gateway that keeps no prompts: a campaign is in it, nothing can be found, and the run says why."""

from stillwatch.signals.registry import SIGNALS
from tests.scenes.scene import Scene
from tests.scenes.world import Queue, World, campaign, strangers


def build() -> Scene:
    world = World(26)
    strangers(world)
    campaign(world, "pool", Queue(samples=3))
    for event in world.events:
        event.pop("input_text", None)
    return Scene(world, skipped=frozenset(signal.IDENT for signal in SIGNALS))
