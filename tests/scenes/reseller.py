"""Two accounts of a reseller carry the calls of very many people: every recipe there is, and all the rest."""

from tests.scenes.scene import Scene
from tests.scenes.world import TUTOR, World, recipe, sentence, strangers, vocabulary, working_day


def build() -> Scene:
    world = World(25)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    rng = world.stream("customers of the reseller")
    for name in world.add_accounts("reseller", 2, is_reseller=[True, True]):
        for customer in range(120):
            words = vocabulary(rng, 25)
            for second in working_day(rng, int(rng.integers(1, 6))):
                template = TUTOR if customer % 10 == 0 else ""
                world.call(name, second, template + sentence(rng, words), end_user_id=f"{name} {customer}")
    return Scene(world, outcomes={"tutored": "shared-template"})
