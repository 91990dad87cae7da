"""The state of several replicas, in Redis or Valkey: what `gate.memory` remembers, remembered once for all of them.

Each question is one script and one round trip, so that replicas agree. What it keeps are pseudonyms and counts; every
key expires. Accounts of a campaign are a set with a bound, as in memory, and exact below it: a policy that acts on a
dozen accounts must not act on an estimate.

While the server is away nobody waits for it: calls are answered with what is not `available`, notes are dropped and
counted, and after a pause one call tries again.

It outlives a gate, and outlives the server where that writes to its disk. Give it a server of its own: one that throws
keys away when it is full (`allkeys-lru`) forgets what was used of grants.

It asks for a server that keeps scripts and `SET … EX`: Redis from 5 on, or any Valkey. All keys carry one hash tag, so
that a cluster keeps them on one node.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from stillwatch.errors import Error
from stillwatch.gate.contract import HOUR_US, Call, Observed, Outcome, Recognition
from stillwatch.gate.remembering import (
    ACTED_ACCOUNTS_MAX,
    BLOCKS_OF_CALL_MAX,
    CLUSTER_ACCOUNTS_MAX,
    DAY_US,
    FAILOVER_WITHIN_US,
    is_closed,
)

TIMEOUT_S = 0.02
"""All that one question may take, a connection's making included: ten quiet round trips in one region, and less than a
caller notices. A call waits for what is under way when it comes and for its own question: twice that at most."""

TOGETHER_MAX = 128
"""Questions that are sent at once. What comes while the server is asked is asked together when it has answered: under
load a question then costs a part of a round trip. So many take a server some 4 ms."""

CONNECTIONS_MAX = 4
"""One is used for calls, another for reports and checks."""

FAILURES_MAX = 3
"""Failures in a row after which the server counts as away: one late answer is not yet an outage."""

REPORT_TIMEOUT_S = 5.0
"""For a person who waits for an answer, and not for a call."""

PAUSE_S = 1.0
"""Until the next try while it is away: a call a second waits for the timeout, and the state is soon back."""

PREFIX = "{stillwatch}:"

Command = tuple[str | int, ...]
Answer = bytes | str | None

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

    Cost:    one round trip for `observe`; one for `record` where there is something to keep, else none. Questions that
             come at the same time share one.
    """

    def __init__(self, client: redis.asyncio.Redis, timeout_s: float, failover_within_us: int) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._scripts = [_script(name, failover_within_us) for name in ("observe", "record")]
        self._observe, self._record = (hashlib.sha1(text.encode()).hexdigest() for text in self._scripts)  # noqa: S324
        self._failures = 0
        self._next_try = 0.0
        self._unavailable = 0
        self._dropped = 0
        self._saturated = 0
        self._waiting: deque[_Question] = deque()
        self._asking: asyncio.Task[None] | None = None

    @staticmethod
    def open(url: str, *, timeout_s: float = TIMEOUT_S, failover_within_us: int = FAILOVER_WITHIN_US) -> SharedState:
        """Return the state behind a URL (`redis://[user:password@]host[:port][/db]`, `rediss://…` over TLS, `unix://…`),
        without asking it yet.

        Raises:  bad-state-url. It does not repeat the URL, which can hold a password.
        """
        try:
            pool = redis.asyncio.ConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
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
        self._saturated += found[6] >= CLUSTER_ACCOUNTS_MAX or found[11] >= ACTED_ACCOUNTS_MAX
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
            account_input_tokens_hour=found[14],
            cluster_input_tokens_hour=found[15],
        )

    async def record(self, outcome: Outcome) -> None:
        """Take note of what became of a call."""
        recognition = outcome.recognition
        refused = bool(recognition.signature) and is_closed(outcome.decision)
        spent = outcome.output_tokens > 0 or outcome.input_tokens > 0
        if not (outcome.acted or refused or spent or outcome.issued_block_keys):
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
            f"{outcome.output_tokens} {outcome.input_tokens}"
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
        """Close the connections, once what is under way is over."""
        if self._asking is not None:
            await self._asking
        await self._client.aclose()

    def figures(self) -> dict[str, int]:
        """Return how many calls found the state away, how many notes were dropped, whether it is away now, and how many
        calls came when a count of accounts stood at its bound."""
        return {
            "unavailable": self._unavailable,
            "dropped": self._dropped,
            "away": int(self._failures >= FAILURES_MAX),
            "saturated": self._saturated,
        }

    async def _ask(self, script: str, keys: list[str], said: str) -> Answer:
        """Return a script's answer, None where there is none in time or the server counts as away."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._failures >= FAILURES_MAX:
            if now < self._next_try:
                return None
            self._next_try = now + PAUSE_S  # This call tries; the others go on as before until it is answered.
        question = _Question(("EVALSHA", script, len(keys), *keys, said), now, loop.create_future())
        self._waiting.append(question)
        if self._asking is None:
            self._asking = loop.create_task(self._ask_all())
        return await question.answer

    async def _ask_all(self) -> None:
        """Ask what waits, some at a time, until nothing does."""
        loop = asyncio.get_running_loop()
        asked: list[_Question] = []
        try:
            while self._waiting:
                late = loop.time() - self._timeout_s
                while self._waiting and self._waiting[0].since < late:
                    self._waiting.popleft().answered(None)
                asked = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))]
                if not asked:
                    break
                answers = await self._together(asked)
                for question, answer in zip(asked, answers, strict=True):
                    question.answered(answer if isinstance(answer, bytes | str) else None)
        finally:
            self._asking = None
            for question in (*asked, *self._waiting):
                question.answered(None)
            self._waiting.clear()

    async def _together(self, asked: list[_Question]) -> list[object]:
        """Return the answers to several questions in order, whatever they are; None for each where there are none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = await self._sent([question.command for question in asked])
                if any(isinstance(answer, NoScriptError) for answer in answers):
                    # The server is new, or forgot its scripts: none of the questions with that answer was asked.
                    loads: list[Command] = [("SCRIPT LOAD", text) for text in self._scripts]
                    again = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                    found = await self._sent([*loads, *(asked[at].command for at in again)])
                    for at, answer in zip(again, found[len(loads) :], strict=True):
                        answers[at] = answer
        except (RedisError, OSError, TimeoutError):
            answers = [None] * len(asked)
        if all(isinstance(answer, bytes | str) for answer in answers):
            self._failures = 0
        else:
            self._failures += 1
            self._next_try = asyncio.get_running_loop().time() + PAUSE_S
        return answers

    async def _sent(self, commands: list[Command]) -> list[object]:
        """Send commands at once; an answer can be an error."""
        if len(commands) == 1:  # Cheaper than one alone in a pipeline.
            try:
                return [await self._client.execute_command(*commands[0])]  # type: ignore[no-untyped-call]
            except ResponseError as error:
                return [error]
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[object] = await pipeline.execute(raise_on_error=False)
        return answers


@dataclass(slots=True)
class _Question:
    """A command that waits to be sent, since when, and who waits for its answer."""

    command: Command
    since: float
    answer: asyncio.Future[Answer]

    def answered(self, answer: Answer) -> None:
        if not self.answer.done():  # Who was cancelled waits no more.
            self.answer.set_result(answer)


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
