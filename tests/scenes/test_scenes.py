from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.scenes.scene import Found, Scene, run, unfed

NOT_SCENES = {"scene", "world", "test_scenes", "conftest"}
SCENES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NOT_SCENES)
RECALL_MIN = 0.95

NEED_AN_OCCASION = {"temporal-synchrony", "failover", "adoption"}
"""Signals that run only where a log has common pauses, closures or refusals, or a new model, as few scenes have."""


def build(name: str) -> Scene:
    scene = import_module(f"tests.scenes.{name}").build()
    assert isinstance(scene, Scene)
    return scene


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_judged_as_its_story_has_it(name: str, tmp_path: Path) -> None:
    scene = build(name)
    judged(scene, Found.read(run(scene.world, tmp_path)))


def judged(scene: Scene, found: Found) -> None:
    """Compare a run with what the scene expects of it, whichever engine made it."""
    pools = scene.world.pools
    assert len(found.campaigns) == len(scene.campaigns)
    named = [found.named(campaign["campaign_id"]) for campaign in found.campaigns]
    for pool in scene.campaigns:
        members = set(pools[pool])
        of_pool = max(named, key=lambda accounts: len(accounts & members))
        assert of_pool <= members, "somebody else is named"
        assert len(of_pool) >= RECALL_MIN * len(members)
    for pool, outcome in scene.outcomes.items():
        assert found.family_of(pools[pool])["outcome"] == outcome
    for signal, pool in scene.speaks_for:
        assert signal in {said["signal"] for said in found.family_of(pools[pool])["evidence"]}
    for signal, pool in scene.speaks_against:
        assert signal in {said["signal"] for said in found.family_of(pools[pool])["counter_evidence"]}
    for state in found.run["signals"]:
        if state["ident"] not in NEED_AN_OCCASION:
            assert (state["status"] == "skipped") == (state["ident"] in scene.skipped | unfed(scene.world)), state
        assert bool(state["reason"]) == (state["status"] == "skipped")
    accounts = {event["event_id"]: event["account_id"] for event in scene.world.events}
    for exchange in found.exchanges:
        assert accounts[exchange["event_id"]] == exchange["account_id"]
        assert exchange["account_id"] in set().union(*named)
    assert sum(campaign["events_count"] for campaign in found.campaigns) == len(found.exchanges)
