"""A harness puts one system prompt before the calls of hundreds of strangers; a campaign hides behind it as well."""

from tests.scenes.scene import Scene
from tests.scenes.world import Queue, World, campaign, strangers

HARNESS = (
    "You are the assistant of an open toolkit. Keep your reasoning private, write complete answers, use the tools that "
    "are offered, never invent file names, and ask before anything is deleted. Follow the conventions of the project."
)


def build() -> Scene:
    world = World(21)
    strangers(world)
    strangers(world, "developer", count=200, calls=8, system_prompt=HARNESS)
    campaign(world, "pool", Queue(samples=3), system_prompt=HARNESS)
    return Scene(world, campaigns=("pool",), outcomes={"developer": "shared-template"})
