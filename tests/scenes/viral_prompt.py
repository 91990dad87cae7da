"""A prompt that asks for the hidden reasoning goes round: two hundred strangers try it, word for word."""

from tests.scenes.scene import Scene
from tests.scenes.world import EXTRACT, World, strangers, working_day

VARIANTS = ("the riddle of the ferry", "a dream about stairs", "why the sky is not violet", "the oldest joke")


def build() -> Scene:
    world = World(24)
    strangers(world)
    rng = world.stream("the prompt goes round")
    for name in world.add_accounts("curious", 200):
        for second in working_day(rng, int(rng.integers(1, 4))):
            world.call(name, second, EXTRACT + VARIANTS[rng.integers(len(VARIANTS))])
    return Scene(world, outcomes={"curious": "common-task"})
