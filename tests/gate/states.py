"""Both states, opened for one test, and short ways to ask them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import redis

from stillwatch.gate.contract import HOUR_US, Call, Decision, Observed, Outcome, Recognition, State
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.shared_state import SharedState
from tests.gate.redis_server import RedisServer

NOON_US = 1_790_000_000_000_000 // (24 * HOUR_US) * 24 * HOUR_US + 12 * HOUR_US
"""Noon of a day, so that an hour to either side is the same day."""

MINUTE_US = 60_000_000

ALLOW = Decision()
DENY = Decision(rung="deny")

Play = Callable[[State], Awaitable[None]]

NO_TIMEOUT_S = 30.0
"""Where a test is about what is remembered, a busy machine is no outage."""


def play_in_memory(play: Play) -> None:
    asyncio.run(_played(lambda: MemoryState(), play))


def play_shared(server: RedisServer, play: Play) -> None:
    with redis.Redis.from_url(server.url) as raw:
        raw.flushall()
    asyncio.run(_played(lambda: SharedState.open(server.url, timeout_s=NO_TIMEOUT_S), play))


async def _played(opened: Callable[[], State], play: Play) -> None:
    state = opened()
    try:
        await play(state)
    finally:
        await state.close()


def someone(key: int, **known: object) -> Recognition:
    return replace(Recognition(account_key=key), **known)  # type: ignore[arg-type]


def call_at(time_us: int) -> Call:
    """A call with raw names in it, none of which a state may keep."""
    return Call(time_us, "acct-raw-name", "model-raw-name", organization_id="org-raw-name", presented_blocks=("raw",))


async def observe(state: State, who: Recognition, time_us: int = NOON_US) -> Observed:
    return await state.observe(call_at(time_us), who)


async def record(state: State, who: Recognition, time_us: int = NOON_US, **became: object) -> None:
    outcome = replace(Outcome(time_us, who, ALLOW), **became)  # type: ignore[arg-type]
    await state.record(outcome)
