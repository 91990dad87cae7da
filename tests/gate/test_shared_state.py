"""What is special to the shared state: a server that dies, hangs, refuses or comes back, and what it is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis

from stillwatch.cli import main as cli
from stillwatch.errors import Error
from stillwatch.evidence import grants, signing
from stillwatch.gate.contract import Observed
from stillwatch.gate.shared_state import FAILURES_MAX, PAUSE_S, SharedState
from tests.evidence.grants import PLAIN
from tests.gate.redis_server import RedisServer, running
from tests.gate.states import DENY, NO_TIMEOUT_S, NOON_US, observe, record, someone

ANN = someone(11, campaign_id="c-1", signature="f-1", grant_id="g-1", organization_key=500)

TIMEOUT_S = 0.25
"""Longer than the default, so that two busy cores are no outage."""

BUSY_S = 1.0
"""What two busy cores may add to a wait."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as started:
        yield started


def play(server: RedisServer, steps: Callable[[SharedState], Awaitable[None]], timeout_s: float = TIMEOUT_S) -> None:
    async def played() -> None:
        state = SharedState.open(server.url, timeout_s=timeout_s)
        try:
            await steps(state)
        finally:
            await state.close()

    asyncio.run(played())


async def until_available(state: SharedState) -> Observed:
    """Go on calling, as callers do, until the state is asked again."""
    deadline = time.monotonic() + 20 * PAUSE_S
    while time.monotonic() < deadline:
        seen = await observe(state, ANN)
        if seen.available:
            return seen
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come back")


def test_a_server_that_is_killed_is_said_to_be_away_and_comes_back_by_itself(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        assert (await observe(state, ANN)).available
        server.kill()
        for _ in range(FAILURES_MAX + 5):
            assert await observe(state, ANN, NOON_US) == Observed(available=False, first_seen_us=NOON_US)
            await record(state, ANN, acted=True)
        figures = state.figures()
        assert (figures["unavailable"], figures["dropped"], figures["away"]) == (8, 8, 1)
        server.start()
        seen = await until_available(state)
        assert (seen.account_calls_hour, seen.acted_accounts_hour) == (1, 0), "the server came back empty"
        assert state.figures()["away"] == 0
        await record(state, ANN, acted=True)
        assert (await observe(state, ANN)).acted_accounts_hour == 1

    play(server, steps)


def test_a_server_that_hangs_costs_a_few_calls_the_timeout_and_the_others_nothing(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        assert (await observe(state, ANN)).available
        server.pause()
        try:
            begun = time.monotonic()
            for _ in range(1_000):
                assert not (await observe(state, ANN)).available
            waited = time.monotonic() - begun
        finally:
            server.resume()
        assert waited < 2 * FAILURES_MAX * TIMEOUT_S + PAUSE_S
        late = await until_available(state)
        assert late.account_tokens_hour == 0, "an answer that came late is nobody else's answer"
        assert late.account_calls_hour > 1

    play(server, steps)


def test_a_gate_may_start_before_its_server(server: RedisServer) -> None:
    server.kill()

    async def steps(state: SharedState) -> None:
        with pytest.raises(Error) as refused:
            await state.check()
        assert refused.value.ident == "state-unreachable"
        assert not (await observe(state, ANN)).available
        server.start()
        await state.check()
        await until_available(state)

    play(server, steps)


def test_many_calls_at_once_are_all_counted(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        seen = await asyncio.gather(*(observe(state, ANN) for _ in range(500)))
        assert sorted(one.cluster_calls_hour for one in seen) == list(range(1, 501))

    play(server, steps, NO_TIMEOUT_S)


def test_a_server_that_forgot_its_scripts_is_told_them_again_and_loses_no_call(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        await observe(state, ANN)
        with redis.Redis.from_url(server.url) as raw:
            raw.script_flush()
        seen = await asyncio.gather(*(observe(state, ANN) for _ in range(20)), record(state, ANN, acted=True))
        assert sorted(one.account_calls_hour for one in seen if one is not None) == list(range(2, 22))
        assert (await observe(state, ANN)).acted_accounts_hour == 1
        assert state.figures() == {"unavailable": 0, "dropped": 0, "away": 0, "saturated": 0}

    play(server, steps, NO_TIMEOUT_S)


def test_a_caller_who_goes_away_disturbs_nobody(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        await observe(state, ANN)
        asking = [asyncio.ensure_future(observe(state, ANN)) for _ in range(30)]
        await asyncio.sleep(0)
        for at in range(0, 30, 3):
            asking[at].cancel()
        seen = [one for one in await asyncio.gather(*asking, return_exceptions=True) if isinstance(one, Observed)]
        assert len(seen) == 20
        assert all(one.available for one in seen)
        assert (await observe(state, ANN)).available

    play(server, steps, NO_TIMEOUT_S)


def test_no_call_waits_longer_than_it_was_said_to_however_many_wait(server: RedisServer) -> None:
    async def one(state: SharedState) -> tuple[float, Observed]:
        begun = time.monotonic()
        seen = await observe(state, ANN)
        return time.monotonic() - begun, seen

    async def steps(state: SharedState) -> None:
        await observe(state, ANN)
        server.pause()
        try:
            found = await asyncio.gather(*(one(state) for _ in range(3_000)))
        finally:
            server.resume()
        assert not any(seen.available for _, seen in found)
        assert max(waited for waited, _ in found) < 2 * TIMEOUT_S + BUSY_S
        assert state.figures()["unavailable"] == 3_000

    play(server, steps)


def test_the_password_comes_with_the_url_and_stays_out_of_every_message(tmp_path: Path) -> None:
    with running(tmp_path, password="s3cret-word") as server:

        async def steps(state: SharedState) -> None:
            assert (await observe(state, ANN)).available
            assert "s3cret-word" not in repr(state)

        play(server, steps)

        async def stranger() -> Error:
            state = SharedState.open(server.url.replace("s3cret-word", "wr0ng-word"))
            with pytest.raises(Error) as refused:
                await state.check()
            assert not (await observe(state, ANN)).available
            await state.close()
            return refused.value

        error = asyncio.run(stranger())
        assert error.ident == "state-unreachable"
        assert "wr0ng-word" not in f"{error} {error.hint} {error.__cause__}"


@pytest.mark.parametrize(
    "url", ["", "localhost:6379", "http://h", "redis://:pass/word@host:1/0", "redis://h:port/0", "redis://h?hue=red"]
)
def test_a_url_that_is_none_is_an_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(Error) as refused:
        SharedState.open(url)
    assert refused.value.ident == "bad-state-url"
    assert refused.value.__cause__ is None
    assert "pass" not in refused.value.message


def test_the_server_holds_pseudonyms_only_and_forgets_them_in_time(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        await observe(state, someone(11, campaign_id="c-1", signature="f-1", grant_id="g-1", block_keys=(71,)))
        await record(state, ANN, acted=True, decision=DENY, output_tokens=7, issued_block_keys=(71, 72))

    play(server, steps)
    with redis.Redis.from_url(server.url) as raw:
        names = [bytes(name) for name in raw.scan_iter()]
        dump = b" ".join(names + [bytes(raw.dump(name)) for name in names])
        assert len(names) == 9
        assert b"raw" not in dump
        for name in names:
            assert 0 < raw.ttl(name) <= 800 * 24 * 3600, name


def test_the_use_of_grants_can_be_read_for_a_report(server: RedisServer) -> None:
    async def steps(state: SharedState) -> None:
        await observe(state, ANN)
        await record(state, ANN, output_tokens=40)
        assert await state.grant_volumes(["g-1", "g-2"]) == {"g-1": (1, 40), "g-2": (0, 0)}
        server.kill()
        with pytest.raises(Error) as refused:
            await state.grant_volumes(["g-1"])
        assert refused.value.ident == "state-unreachable"

    play(server, steps)


def test_a_person_is_shown_the_use_of_a_grant_as_the_gate_counted_it(
    server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    grant = grants.issue(PLAIN, signing.new_private_key())
    (tmp_path / "grant.json").write_text(grant)
    grantee = someone(11, grant_id=grants.grant_ident(PLAIN))

    async def steps(state: SharedState) -> None:
        for _ in range(PLAIN.calls_max + 2):
            await observe(state, grantee)
        await record(state, grantee, output_tokens=600)

    play(server, steps, NO_TIMEOUT_S)
    assert cli.run(["grant", "report", str(tmp_path / "grant.json"), "--gate-state", server.url, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["gate"] == {
        "calls": PLAIN.calls_max + 2, "output_tokens": 600, "calls_over": 2, "output_tokens_over": 0,
    }  # fmt: skip
    assert (told["calls_left"], told["output_tokens_left"]) == (0, PLAIN.output_tokens_max - 600)
