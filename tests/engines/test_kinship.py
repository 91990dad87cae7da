"""What a run finds among wordings does not depend on how the log is laid out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.scenes.many_wordings import build
from tests.scenes.scene import Found, run
from tests.scenes.world import World

SETTLED = ("campaigns.jsonl", "groups.jsonl", "accounts.parquet", "exchanges.parquet", "considered.parquet")


@pytest.fixture(scope="module")
def world() -> World:
    return build().world


def test_a_campaign_of_many_wordings_is_found_whole_in_whatever_order_its_log_comes(
    world: World, tmp_path: Path
) -> None:
    order = np.random.default_rng(5).permutation(len(world.events))
    mixed = replace(world, events=[world.events[at] for at in order], accounts=world.accounts[::-1])
    first, second = (run(each, tmp_path / name) for name, each in (("plain", world), ("mixed", mixed)))
    found = Found.read(first)
    (campaign,) = found.campaigns
    assert found.named(campaign["campaign_id"]) == set(world.pools["reworded"])
    for name in SETTLED:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
