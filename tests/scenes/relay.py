"""relay: a reseller's accounts carry a public recipe among all that customers ask: the calls count, not they."""

from tests.scenes.scene import Scene
from tests.scenes.world import TUTOR, World, recipe, sentence, strangers, vocabulary, working_day


def build() -> Scene:
    world = World(33)
    strangers(world)
    recipe(world, "tutored", TUTOR, user_agent="tutor/1")
    rng = world.stream("customers")
    for name in world.add_accounts("carrier", 12):
        for customer in range(60):
            words = vocabulary(rng, 25)
            for second in working_day(rng, int(rng.integers(1, 4))):
                template = TUTOR if customer % 5 == 0 else ""
                world.call(
                    name, second, template + sentence(rng, words), end_user_id=f"{name} {customer}",
                    user_agent=f"client/{customer % 15}", tool_names=[f"tool {customer % 8}"],
                )  # fmt: skip
    return Scene(world, outcomes={"tutored": "shared-template"}, speaks_against=(("relay", "tutored"),))
