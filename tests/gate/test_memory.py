"""What is special to the state of one process: its bounds, and what reaching one costs."""

from __future__ import annotations

import asyncio
import tracemalloc

from stillwatch.gate.contract import State
from stillwatch.gate.memory import Bounds, MemoryState
from tests.gate.states import DENY, NOON_US, observe, record, someone

SMALL = Bounds(accounts_max=3, clusters_max=2, cluster_accounts_max=2, blocks_max=2, families_max=2, grants_max=2)


def test_who_called_longest_ago_is_forgotten_first_and_that_is_counted() -> None:
    async def play(state: MemoryState) -> None:
        for key in (11, 12, 13, 11, 14):
            await observe(state, someone(key))
        assert state.figures()["accounts_evicted"] == 1
        assert state.figures()["accounts_kept"] == 3
        assert (await observe(state, someone(11))).account_calls_hour == 3, "called again in between, so it stayed"
        assert (await observe(state, someone(12))).account_calls_hour == 1

    asyncio.run(play(MemoryState(SMALL)))


def test_a_block_whose_owner_was_forgotten_accuses_nobody() -> None:
    async def play(state: MemoryState) -> None:
        await record(state, someone(11), issued_block_keys=(71, 72, 73))
        assert not (await observe(state, someone(12, block_keys=(71,)))).foreign_block
        assert (await observe(state, someone(12, block_keys=(72,)))).foreign_block
        assert state.figures()["blocks_evicted"] == 1

    asyncio.run(play(MemoryState(SMALL)))


def test_every_table_stays_within_its_bound() -> None:
    async def play(state: MemoryState) -> None:
        for at in range(1, 50):
            who = someone(at, campaign_id=f"c-{at}", signature=f"f-{at}", grant_id=f"g-{at}")
            await observe(state, who)
            await record(state, who, decision=DENY, issued_block_keys=(at,))
        kept = {name: count for name, count in state.figures().items() if name.endswith("_kept")}
        assert kept == {
            "accounts_kept": 3, "clusters_kept": 2, "families_kept": 2, "grants_kept": 2, "blocks_kept": 2,
        }  # fmt: skip

    asyncio.run(play(MemoryState(SMALL)))


def test_an_account_and_a_block_take_the_memory_that_the_bounds_were_reckoned_with() -> None:
    many = 5_000

    async def accounts(state: State) -> None:
        for at in range(many):
            await observe(state, someone(2**63 + at))

    async def blocks(state: State) -> None:
        for at in range(many):
            await record(state, someone(2**63 + at, organization_key=2**62 + at), issued_block_keys=(2**61 + at,))

    for play in (accounts, blocks):
        state = MemoryState()
        tracemalloc.start()
        asyncio.run(play(state))
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken / many < 350, play.__name__


def test_a_conversation_without_end_is_looked_at_up_to_a_bound() -> None:
    async def play(state: MemoryState) -> None:
        await record(state, someone(11), issued_block_keys=(71,))
        newest = tuple(range(10_000, 11_000))
        assert not (await observe(state, someone(12, block_keys=(71, *newest)))).foreign_block
        assert (await observe(state, someone(12, block_keys=(*newest, 71)))).foreign_block
        assert (await observe(state, someone(12), NOON_US)).account_calls_hour == 3

    asyncio.run(play(MemoryState()))
