"""The state of several replicas, in Redis or Valkey: what `gate.memory` remembers, remembered once for all of them.

Each question is one script and one round trip, so that replicas agree. What it keeps are pseudonyms and counts; every
key expires. Accounts of a campaign are a set with a bound, as in memory, and exact below it: a policy that acts on a
dozen accounts must not act on an estimate.

While the server is away nobody waits for it: calls are answered with what is not `available`, notes are dropped and
counted, and after a pause one call tries again.

It asks for a server that keeps scripts and `SET … EX`: Redis from 5 on, or any Valkey. All keys carry one hash tag, so
that a cluster keeps them on one node.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from importlib import resources

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from stillwatch.errors import Error
from stillwatch.gate.contract import HOUR_US, Call, Observed, Outcome, Recognition
from stillwatch.gate.remembering import (
    ACTED_ACCOUNTS_MAX,
    BLOCKS_OF_CALL_MAX,
    CLUSTER_ACCOUNTS_MAX,
    DAY_US,
    FAILOVER_WITHIN_US,
)

TIMEOUT_S = 0.02
"""All that one question may take, a connection's making included: ten times a quiet round trip in one region, and less
than a caller notices."""

CONNECTIONS_MAX = 64
"""Questions that are under way at once from one process. A server answers tens of thousands a second on far fewer."""

FAILURES_MAX = 3
"""Failures in a row after which the server counts as away: one late answer is not yet an outage."""

REPORT_TIMEOUT_S = 5.0
"""For a person who waits for an answer, and not for a call."""

PAUSE_S = 1.0
"""Until the next try while it is away: a call a second waits for the timeout, and the state is soon back."""

PREFIX = "{stillwatch}:"

HOUR_S = 3600
ACCOUNT_KEPT_S = 30 * 24 * HOUR_S
CLUSTER_KEPT_S = 3 * HOUR_S
BLOCK_KEPT_S = 7 * 24 * HOUR_S
GRANT_KEPT_S = 800 * 24 * HOUR_S
"""An account that does not call for a month is new again. A cluster's hour, and the one after it. A week, in which most
conversations end: a block takes 0.15 kB of the server. Grants are counted for their whole life, and contracts run a
year or two; each call of theirs keeps them for as long again."""


class SharedState:
    """The `State` of several replicas (`contract.State`).

    Cost:    one round trip for `observe`; one for `record` where there is something to keep, else none.
    """

    def __init__(self, client: redis.asyncio.Redis, timeout_s: float, failover_within_us: int) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._observe = client.register_script(_script("observe", failover_within_us))
        self._record = client.register_script(_script("record", failover_within_us))
        self._failures = 0
        self._next_try = 0.0
        self._unavailable = 0
        self._dropped = 0

    @staticmethod
    def open(url: str, *, timeout_s: float = TIMEOUT_S, failover_within_us: int = FAILOVER_WITHIN_US) -> SharedState:
        """Return the state behind a URL (`redis://[user:password@]host[:port][/db]`, `rediss://…` over TLS, `unix://…`),
        without asking it yet.

        Raises:  bad-state-url. It does not repeat the URL, which can hold a password.
        """
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=None,
                socket_timeout=None,  # The whole question has a deadline; parts of it need none.
                socket_connect_timeout=None,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,
            )
            pool.connection_class(**pool.connection_kwargs)  # Not connected: an option that there is not shows now.
        except (ValueError, TypeError):
            raise Error(
                "bad-state-url",
                "expected redis://, rediss:// or unix:// with a host or a path, got something else",
                hint="write a user or password with signs such as / or @ in percent-encoding",
            ) from None
        return SharedState(redis.asyncio.Redis.from_pool(pool), timeout_s, failover_within_us)

    async def check(self) -> None:
        """Ask whether the server is there and lets us in.

        Raises:  state-unreachable.
        """
        try:
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                await self._client.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise _unreachable(error) from None

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        """Count the call in, and return what is remembered."""
        who, time_us = recognition, call.time_us
        keys = [f"{PREFIX}account:{who.account_key:x}", f"{PREFIX}acted", f"{PREFIX}acted-accounts"]
        if who.campaign_id:
            keys += (f"{PREFIX}cluster:{who.campaign_id}", f"{PREFIX}cluster-accounts:{who.campaign_id}")
        if who.signature:
            keys.append(f"{PREFIX}family:{who.signature}")
        if who.grant_id:
            keys.append(f"{PREFIX}grant:{who.grant_id}")
        keys += [f"{PREFIX}block:{key:x}" for key in who.block_keys[-BLOCKS_OF_CALL_MAX:]]
        said = (
            f"{time_us} {time_us // HOUR_US} {time_us // DAY_US} {who.account_key:x} {who.organization_key:x} "
            f"{who.campaign_id != '':d} {who.signature != '':d} {who.grant_id != '':d}"
        )
        answer = await self._ask(self._observe, keys, said)
        if answer is None:
            self._unavailable += 1
            return Observed(available=False, first_seen_us=time_us)
        found = [int(number) for number in answer.split()]
        return Observed(
            first_seen_us=found[0],
            account_calls_hour=found[1],
            account_calls_day=found[2],
            account_tokens_hour=found[3],
            cluster_calls_hour=found[4],
            cluster_tokens_hour=found[5],
            cluster_accounts_hour=found[6],
            foreign_block=found[7] == 1,
            failover=found[8] == 1,
            grant_calls=found[9],
            grant_output_tokens=found[10],
            acted_accounts_hour=found[11],
            acted_verified_hour=found[12],
            acted_already=found[13] == 1,
        )

    async def record(self, outcome: Outcome) -> None:
        """Take note of what became of a call."""
        recognition = outcome.recognition
        refused = bool(recognition.signature) and outcome.decision.is_refusal
        if not (outcome.acted or refused or outcome.output_tokens > 0 or outcome.issued_block_keys):
            return
        keys = [
            f"{PREFIX}account:{recognition.account_key:x}",
            f"{PREFIX}cluster:{recognition.campaign_id}",
            f"{PREFIX}family:{recognition.signature}",
            f"{PREFIX}grant:{recognition.grant_id}",
            f"{PREFIX}acted",
            f"{PREFIX}acted-accounts",
            *(f"{PREFIX}block:{key:x}" for key in outcome.issued_block_keys[-BLOCKS_OF_CALL_MAX:]),
        ]
        said = (
            f"{outcome.call_time_us} {outcome.call_time_us // HOUR_US} {recognition.account_key:x} "
            f"{recognition.organization_key:x} {outcome.acted:d} {recognition.verified:d} {refused:d} "
            f"{outcome.output_tokens}"
        )
        if await self._ask(self._record, keys, said) is None:
            self._dropped += 1

    async def grant_volumes(self, grant_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return the calls and the output tokens that were counted against each grant, for a report.

        Raises:  state-unreachable.
        """
        asked = self._client.pipeline(transaction=False)
        for grant_id in grant_ids:
            asked.hmget(f"{PREFIX}grant:{grant_id}", ["calls", "tokens"])
        try:
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                found = await asked.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise _unreachable(error) from None
        return {
            grant_id: (int(calls or 0), int(tokens or 0))
            for grant_id, (calls, tokens) in zip(grant_ids, found, strict=True)
        }

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def figures(self) -> dict[str, int]:
        """Return how many calls found the state away, how many notes were dropped, and whether it is away now."""
        return {
            "unavailable": self._unavailable,
            "dropped": self._dropped,
            "away": int(self._failures >= FAILURES_MAX),
        }

    async def _ask(self, script: AsyncScript, keys: list[str], said: str) -> bytes | None:
        """Return a script's answer, None where there is none in time or the server counts as away."""
        now = asyncio.get_running_loop().time()
        if self._failures >= FAILURES_MAX:
            if now < self._next_try:
                return None
            self._next_try = now + PAUSE_S  # This call tries; the others go on as before until it is answered.
        try:
            async with asyncio.timeout(self._timeout_s):
                answer: bytes = await script(keys, (said,))
        except (RedisError, OSError, TimeoutError):
            self._failures += 1
            self._next_try = now + PAUSE_S
            return None
        self._failures = 0
        return answer


def _unreachable(error: Exception) -> Error:
    return Error(
        "state-unreachable",
        f"the server of the shared state does not answer: {type(error).__name__}",
        hint="see that it runs, that its address and password are right, and that this machine may reach it",
    )


def _script(name: str, failover_within_us: int) -> str:
    """Return a script with its constants in it."""
    text = resources.files("stillwatch.gate").joinpath(f"{name}.lua").read_text(encoding="utf-8")
    constants = {
        "ACCOUNT_KEPT_S": ACCOUNT_KEPT_S,
        "ACTED_ACCOUNTS_MAX": ACTED_ACCOUNTS_MAX,
        "BLOCK_KEPT_S": BLOCK_KEPT_S,
        "CLUSTER_ACCOUNTS_MAX": CLUSTER_ACCOUNTS_MAX,
        "CLUSTER_KEPT_S": CLUSTER_KEPT_S,
        "FAILOVER_WITHIN_US": failover_within_us,
        "FAMILY_KEPT_S": 2 * failover_within_us // 1_000_000 + 1,
        "GRANT_KEPT_S": GRANT_KEPT_S,
    }
    return re.sub("%([A-Z_]+)%", lambda match: str(constants[match[1]]), text.split("\n\n", 1)[1])
