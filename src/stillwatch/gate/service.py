"""One call through the gate: recognise, remember, decide, record. Every door asks here and nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from stillwatch.gate.contract import (
    Call,
    Capture,
    Meter,
    Observed,
    Outcome,
    Policy,
    Recognition,
    Reply,
    Snapshot,
    State,
    Ticket,
)

ACTING = frozenset({"cap", "strip", "route", "step-up", "delay", "deny"})
"""Rungs that a caller feels: these count against a policy's limits on how many accounts an hour it may touch."""

WAIT_S = 0.05
"""A state answers in a millisecond or two, and says itself after some twenty that it is away."""


@dataclass(slots=True)
class Gate:
    """What decides, put together. `snapshot` and `policy` return what is in force now, so that either is swapped
    between two calls; before there is a snapshot nobody is known.

    `key_of_block` turns the digest of a reasoning block into its pseudonym. `wait_s` is how long the state is waited
    for; past it, it counts as away, so that who is known stays known however slow a server or large a call is.

    Units:   seconds.
    """

    snapshot: Callable[[], Snapshot | None]
    policy: Callable[[], Policy]
    state: State
    meter: Meter
    key_of_block: Callable[[str], int]
    capture: Capture | None = None
    wait_s: float = WAIT_S

    async def decide(self, call: Call, door: str) -> Ticket:
        """Decide one call. Never raises for what a caller sent: what cannot be looked up is nobody known."""
        begun = time.perf_counter()
        snapshot, policy = self.snapshot(), self.policy()
        if snapshot is None:
            recognition = Recognition(account_key=0)
        else:
            recognition = snapshot.recognise(call)
        observed = await self._observed(call, recognition)
        decision = policy.decide(call, recognition, observed)
        if snapshot is not None and decision.rung != "allow":
            decision = replace(decision, snapshot=snapshot.ident)
        # A call that goes on untouched leaves nothing to take note of before its reply.
        if decision.rung != "allow":
            await self.state.record(Outcome(call.time_us, recognition, decision, acted=decision.rung in ACTING))
        self.meter.decided(door, decision, time.perf_counter() - begun)
        return Ticket(call, recognition, decision)

    async def _observed(self, call: Call, recognition: Recognition) -> Observed:
        try:
            async with asyncio.timeout(self.wait_s):
                return await self.state.observe(call, recognition)
        except TimeoutError:
            self.meter.alarm("state-late")
            return Observed(available=False, first_seen_us=call.time_us)

    async def replied(self, ticket: Ticket, reply: Reply) -> None:
        """Take note of how a call ended: its tokens, the blocks issued, and the call itself where it is captured."""
        # First, since nothing is waited for here: whoever ends this process afterwards loses no event.
        if self.capture is not None:
            self.capture.keep(ticket, reply)
        keys = tuple(self.key_of_block(block) for block in reply.issued_blocks)
        await self.state.record(
            Outcome(
                ticket.call.time_us,
                ticket.recognition,
                ticket.decision,
                output_tokens=-1 if reply.output_tokens is None else reply.output_tokens,
                issued_block_keys=keys,
                input_tokens=-1 if reply.input_tokens is None else reply.input_tokens,
            )
        )
