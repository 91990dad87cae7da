"""What a state remembers: the same, whether it is of one process or shared by several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gate import remembering
from stillwatch.gate.contract import HOUR_US, Decision, Observed, Recognition, State
from stillwatch.gate.memory import MemoryState
from stillwatch.gate.shared_state import SharedState
from tests.gate.redis_server import RedisServer, running
from tests.gate.states import (
    ALLOW,
    DENY,
    MINUTE_US,
    NO_TIMEOUT_S,
    NOON_US,
    Play,
    observe,
    play_in_memory,
    play_shared,
    record,
    someone,
)

ANN, BEN, EVE = someone(11), someone(12), someone(13)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture(params=["memory", "shared"])
def played(request: pytest.FixtureRequest) -> Callable[[Play], None]:
    if request.param == "memory":
        return play_in_memory
    return partial(play_shared, request.getfixturevalue("server"))


def test_calls_of_an_account_are_counted_by_hour_and_by_day(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await observe(state, ANN)
        await observe(state, BEN)
        second = await observe(state, ANN, NOON_US + MINUTE_US)
        assert (second.account_calls_hour, second.account_calls_day) == (2, 2)
        later = await observe(state, ANN, NOON_US + HOUR_US)
        assert (later.account_calls_hour, later.account_calls_day) == (1, 3)
        tomorrow = await observe(state, ANN, NOON_US + 24 * HOUR_US)
        assert (tomorrow.account_calls_hour, tomorrow.account_calls_day) == (1, 1)

    played(play)


def test_an_account_is_as_old_as_its_first_call_here(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        assert (await observe(state, ANN)).first_seen_us == NOON_US
        assert (await observe(state, ANN, NOON_US + 5 * HOUR_US)).first_seen_us == NOON_US
        assert (await observe(state, BEN, NOON_US + 5 * HOUR_US)).first_seen_us == NOON_US + 5 * HOUR_US
        before = await observe(state, ANN, NOON_US - MINUTE_US)
        assert before.first_seen_us == NOON_US - MINUTE_US, "never in a call's own future"

    played(play)


def test_output_tokens_count_once_a_reply_is_over(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        who = someone(11, campaign_id="c-1", grant_id="g-1")
        assert (await observe(state, who)).account_tokens_hour == 0
        await record(state, who)
        await record(state, who, output_tokens=120)
        await record(state, who, output_tokens=0)
        seen = await observe(state, who)
        assert (seen.account_tokens_hour, seen.cluster_tokens_hour, seen.grant_output_tokens) == (120, 120, 120)
        later = await observe(state, who, NOON_US + HOUR_US)
        assert (later.account_tokens_hour, later.cluster_tokens_hour, later.grant_output_tokens) == (0, 0, 120)

    played(play)


def test_input_tokens_count_beside_output_tokens(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        who = someone(11, campaign_id="c-1")
        await observe(state, who)
        await record(state, who, output_tokens=7, input_tokens=500)
        await record(state, who, input_tokens=20)
        seen = await observe(state, who)
        assert (seen.account_tokens_hour, seen.account_input_tokens_hour) == (7, 520)
        assert (seen.cluster_tokens_hour, seen.cluster_input_tokens_hour) == (7, 520)
        later = await observe(state, who, NOON_US + HOUR_US)
        assert (later.account_input_tokens_hour, later.cluster_input_tokens_hour) == (0, 0)

    played(play)


def test_who_is_asked_to_wait_has_not_moved_elsewhere(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        ann, ben = (someone(key, signature="f-1", campaign_id="c-1") for key in (11, 12))
        await observe(state, ann)
        await record(state, ann, decision=Decision(rung="deny", retry_after_s=60))
        assert not (await observe(state, ben)).failover
        await record(state, ann, decision=DENY)
        assert (await observe(state, ben)).failover

    played(play)


def test_a_campaign_has_one_budget_over_all_its_accounts(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        for key in (11, 12, 11, 13):
            seen = await observe(state, someone(key, cluster=3, campaign_id="c-1"))
        assert (seen.cluster_calls_hour, seen.cluster_accounts_hour, seen.account_calls_hour) == (4, 3, 1)
        other = await observe(state, someone(11, cluster=4, campaign_id="c-2"))
        assert (other.cluster_calls_hour, other.cluster_accounts_hour, other.account_calls_hour) == (1, 1, 3)
        renumbered = await observe(state, someone(11, cluster=9, campaign_id="c-1"), NOON_US + MINUTE_US)
        assert renumbered.cluster_calls_hour == 5, "a new snapshot numbers campaigns anew"
        later = await observe(state, someone(11, cluster=9, campaign_id="c-1"), NOON_US + HOUR_US)
        assert (later.cluster_calls_hour, later.cluster_accounts_hour) == (1, 1)

    played(play)


def test_a_block_that_another_was_issued_is_foreign_at_once(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, ANN, output_tokens=5, issued_block_keys=(77, 78))
        assert (await observe(state, someone(12, block_keys=(1, 77)))).foreign_block
        assert not (await observe(state, someone(11, block_keys=(77, 78)))).foreign_block
        assert not (await observe(state, someone(12, block_keys=(1, 2)))).foreign_block, "nobody knows whose they are"
        assert not (await observe(state, someone(12))).foreign_block

    played(play)


def test_a_block_is_its_whole_organisations_and_moves_between_its_accounts(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, someone(11, organization_key=500), issued_block_keys=(77,))
        assert not (await observe(state, someone(12, organization_key=500, block_keys=(77,)))).foreign_block
        assert not (await observe(state, someone(11, block_keys=(77,)))).foreign_block, "a door may miss the header"
        assert (await observe(state, someone(13, organization_key=501, block_keys=(77,)))).foreign_block
        assert (await observe(state, someone(13, block_keys=(77,)))).foreign_block

    played(play)


def test_a_conversation_may_go_on_with_another_model(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, someone(11, model_key=1), issued_block_keys=(77,))
        assert not (await observe(state, someone(11, model_key=2, block_keys=(77,)))).foreign_block

    played(play)


def test_a_block_that_two_owners_were_issued_accuses_nobody(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, ANN, issued_block_keys=(77,))
        await record(state, BEN, issued_block_keys=(77,))
        for key in (11, 12, 13):
            assert not (await observe(state, someone(key, block_keys=(77,)))).foreign_block
        await record(state, ANN, issued_block_keys=(77,))
        assert not (await observe(state, someone(13, block_keys=(77,)))).foreign_block

    played(play)


def test_who_is_unknown_owns_no_block_and_is_not_accused(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, Recognition(0), issued_block_keys=(77,))
        assert not (await observe(state, someone(12, block_keys=(77,)))).foreign_block
        await record(state, ANN, issued_block_keys=(78,))
        assert not (await observe(state, Recognition(0, block_keys=(78,)))).foreign_block
        first = await observe(state, Recognition(0))
        assert (first.first_seen_us, first.account_calls_hour, first.account_calls_day) == (NOON_US, 0, 0)

    played(play)


def test_a_signature_that_was_refused_and_comes_with_another_account_has_moved(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        ann, ben = someone(11, signature="f-1"), someone(12, signature="f-1")
        assert not (await observe(state, ann)).failover
        await record(state, ann, decision=DENY)
        assert not (await observe(state, ann, NOON_US + MINUTE_US)).failover, "the same account asks again"
        assert (await observe(state, ben, NOON_US + MINUTE_US)).failover
        assert not (await observe(state, someone(12, signature="f-2"), NOON_US + MINUTE_US)).failover
        assert not (await observe(state, BEN, NOON_US + MINUTE_US)).failover
        assert not (await observe(state, ben, NOON_US + HOUR_US + 1)).failover, "too long ago"

    played(play)


def test_who_was_refused_after_moving_has_still_moved(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        ann, ben = someone(11, signature="f-1"), someone(12, signature="f-1")
        await record(state, ann, decision=DENY)
        for _ in range(3):
            assert (await observe(state, ben, NOON_US + MINUTE_US)).failover
            await record(state, ben, NOON_US + MINUTE_US, decision=DENY)

    played(play)


def test_what_was_not_refused_starts_no_watch(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, someone(11, signature="f-1"), decision=ALLOW, acted=True)
        await record(state, ANN, decision=DENY)
        assert not (await observe(state, someone(12, signature="f-1"))).failover

    played(play)


def test_accounts_that_were_acted_on_are_counted_once_an_hour(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        await record(state, ANN, acted=True)
        await record(state, ANN, acted=True)
        await record(state, someone(12, verified=True), acted=True)
        await record(state, EVE)
        seen = await observe(state, ANN)
        assert (seen.acted_accounts_hour, seen.acted_verified_hour, seen.acted_already) == (2, 1, True)
        assert not (await observe(state, EVE)).acted_already
        later = await observe(state, ANN, NOON_US + HOUR_US)
        assert (later.acted_accounts_hour, later.acted_verified_hour, later.acted_already) == (0, 0, False)
        await record(state, EVE, NOON_US + HOUR_US, acted=True)
        assert (await observe(state, EVE, NOON_US + HOUR_US)).acted_accounts_hour == 1

    played(play)


def test_the_use_of_a_grant_is_counted_for_its_whole_life(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        for month in range(3):
            time_us = NOON_US + month * 30 * 24 * HOUR_US
            who = someone(11 + month, grant_id="g-1")
            seen = await observe(state, who, time_us)
            await record(state, who, time_us, output_tokens=100)
            assert (seen.grant_calls, seen.grant_output_tokens) == (month + 1, month * 100)
        assert (await observe(state, ANN)).grant_calls == 0
        assert (await observe(state, someone(11, grant_id="g-2"))).grant_calls == 1

    played(play)


def test_a_clock_that_steps_back_gives_no_second_budget(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        who = someone(11, campaign_id="c-1")
        await observe(state, who, NOON_US + HOUR_US)
        seen = await observe(state, who, NOON_US + HOUR_US - MINUTE_US)
        assert (seen.account_calls_hour, seen.cluster_calls_hour, seen.account_calls_day) == (2, 2, 2)
        seen = await observe(state, who, NOON_US + HOUR_US + MINUTE_US)
        assert (seen.account_calls_hour, seen.cluster_calls_hour, seen.account_calls_day) == (3, 3, 3)

    played(play)


def test_a_clock_that_once_ran_ahead_holds_no_count_for_ever(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        who = someone(11, campaign_id="c-1")
        await observe(state, who, NOON_US + 9 * 365 * 24 * HOUR_US)
        await record(state, who, NOON_US + 9 * 365 * 24 * HOUR_US, acted=True)
        for hour in range(2):
            await record(state, who, NOON_US + hour * HOUR_US, acted=True)
            seen = await observe(state, who, NOON_US + hour * HOUR_US)
            assert (seen.account_calls_hour, seen.cluster_calls_hour, seen.acted_accounts_hour) == (1, 1, 1)
        assert seen.account_calls_day == 2

    played(play)


def test_accounts_of_a_campaign_are_counted_up_to_a_bound(played: Callable[[Play], None]) -> None:
    async def play(state: State) -> None:
        assert isinstance(state, MemoryState | SharedState)
        for key in range(1, remembering.CLUSTER_ACCOUNTS_MAX + 3):
            seen = await observe(state, someone(key, campaign_id="c-1"))
        assert seen.cluster_accounts_hour == remembering.CLUSTER_ACCOUNTS_MAX
        assert seen.cluster_calls_hour == remembering.CLUSTER_ACCOUNTS_MAX + 2
        assert state.figures()["saturated"] >= 2

    played(play)


whoever = st.builds(
    Recognition,
    account_key=st.sampled_from([0, 11, 12, 13, 2**64 - 1]),
    organization_key=st.sampled_from([0, 0, 500, 501]),
    campaign_id=st.sampled_from(["", "c-1", "c-2"]),
    verified=st.booleans(),
    signature=st.sampled_from(["", "f-1", "f-2"]),
    block_keys=st.lists(st.sampled_from([71, 72, 73, 2**64 - 2]), max_size=3).map(tuple),
    grant_id=st.sampled_from(["", "g-1", "g-2"]),
)
moments = st.sampled_from([-50, -25, -3, -2, -1, -0.5, 0, 0, 0.1, 0.5, 1, 2, 3, 25, 100_000]).map(
    lambda hours: NOON_US + int(hours * HOUR_US)
)
steps = st.tuples(
    st.booleans(),
    whoever,
    moments,
    st.fixed_dictionaries(
        {
            "acted": st.booleans(),
            "decision": st.sampled_from([ALLOW, DENY, Decision(rung="deny", retry_after_s=9)]),
            "input_tokens": st.sampled_from([-1, 0, 9]),
            "output_tokens": st.sampled_from([-1, 0, 7, 100_000]),
            "issued_block_keys": st.lists(st.sampled_from([71, 72, 73, 2**64 - 2]), max_size=2).map(tuple),
        }
    ),
)


@settings(max_examples=150)
@given(st.lists(steps, max_size=25))
def test_any_history_is_remembered_the_same_in_one_process_and_shared(
    server: RedisServer, history: list[tuple[bool, Recognition, int, dict[str, object]]]
) -> None:
    answers: list[list[Observed]] = []

    async def play(state: State) -> None:
        found = []
        for asks, who, time_us, became in history:
            if asks:
                found.append(await observe(state, who, time_us))
            else:
                await record(state, who, time_us, **became)
        answers.append(found)

    play_in_memory(play)
    play_shared(server, play)
    assert answers[0] == answers[1]


def test_two_replicas_have_one_memory(server: RedisServer) -> None:
    async def play(one: State) -> None:
        other = SharedState.open(server.url, timeout_s=NO_TIMEOUT_S)
        try:
            both = await asyncio.gather(*(observe(state, ANN) for state in (one, other) for _ in range(50)))
            assert sorted(seen.account_calls_hour for seen in both) == list(range(1, 101))
            await record(one, someone(11, signature="f-1"), decision=DENY, issued_block_keys=(77,), acted=True)
            seen = await observe(other, someone(12, signature="f-1", block_keys=(77,)))
            assert (seen.failover, seen.foreign_block, seen.acted_accounts_hour) == (True, True, 1)
        finally:
            await other.close()

    play_shared(server, play)


def test_a_restart_forgets_in_memory_and_not_in_the_shared_state(server: RedisServer) -> None:
    async def later(state: State) -> int:
        try:
            return (await observe(state, ANN, NOON_US + MINUTE_US)).first_seen_us
        finally:
            await state.close()

    async def play(state: State) -> None:
        await observe(state, ANN)

    play_shared(server, play)
    assert asyncio.run(later(SharedState.open(server.url, timeout_s=NO_TIMEOUT_S))) == NOON_US
    assert asyncio.run(later(MemoryState())) == NOON_US + MINUTE_US
