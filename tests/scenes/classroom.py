"""A class of sixty behind one address works through one sheet of thirty exercises in one afternoon."""

from tests.scenes.scene import Scene
from tests.scenes.world import World, sentence, strangers, vocabulary

SHEET = (
    "I am in the second year and this is the weekly sheet. Show every step of the solution and say which rule each "
    "step uses, because the marks are given for the way and not for the number. The exercise is: "
)


def add_class(world: World, pupils: int = 60) -> None:
    names = world.add_accounts("pupil", pupils)
    rng = world.stream("calls of the class")
    words = vocabulary(rng, 80)
    exercises = [sentence(rng, words) for _ in range(30)]
    for name in names:
        for exercise in rng.permutation(30)[: rng.integers(16, 31)]:
            second = rng.uniform(8 * 3600, 20 * 3600)
            world.call(name, second, SHEET + exercises[exercise], client_ip="address of the school")


def build() -> Scene:
    world = World(22)
    strangers(world)
    add_class(world)
    return Scene(world, outcomes={"pupil": "common-task"})
