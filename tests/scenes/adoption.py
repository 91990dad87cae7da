"""adoption: a model arrives at noon; a pool is turned to it within the hour, and few others are."""

from tests.scenes.scene import Scene
from tests.scenes.world import DAY_S, TUTOR, Queue, World, campaign, recipe, strangers

NOON_S = DAY_S // 2


def build() -> Scene:
    world = World(33)
    strangers(world)
    recipe(world, "tutored", TUTOR)
    campaign(world, "pool", Queue(items=900))
    rng = world.stream("arrival of a model")
    pool = set(world.pools["pool"])
    for event in world.events:
        hour, minute = (int(part) for part in event["time"].split("T")[1].split(":")[:2])
        moves = 0.9 if event["account_id"] in pool else 0.15
        if hour * 3_600 + minute * 60 >= NOON_S and rng.random() < moves:
            event["request_model"] = "model-two"
    return Scene(
        world,
        campaigns=("pool",),
        outcomes={"tutored": "shared-template"},
        speaks_for=(("adoption", "pool"),),
        speaks_against=(("adoption", "tutored"),),
    )
