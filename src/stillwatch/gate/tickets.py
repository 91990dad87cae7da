"""Calls that were decided and whose reply is still to come, a bounded number of them for a bounded time."""

from __future__ import annotations

from collections import OrderedDict

from stillwatch.gate.contract import Call, Reply, Ticket
from stillwatch.gate.service import Gate

TICKETS_MAX = 20_000
"""Two minutes of 160 calls a second; with prompts of 4 kB they take 80 MB. The oldest is handed in without a reply."""

TICKET_US_MAX = 600_000_000
"""Ten minutes: longer than any gateway waits for a model, after which nobody will tell how a call ended."""


class Tickets:
    """Holds tickets by the name under which their reply will be told."""

    def __init__(self, gate: Gate, count_max: int = TICKETS_MAX) -> None:
        self._gate = gate
        self._count_max = count_max
        self._open: OrderedDict[str, Ticket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    async def keep(self, name: str, ticket: Ticket) -> None:
        """Keep a ticket; one that gives way, or was asked for again under its name, is handed in without a reply.

        Where nothing is captured no text is kept.
        """
        if self._gate.capture is None:
            call = ticket.call
            bare = Call(call.time_us, call.account_id, call.request_model)
            ticket = Ticket(bare, ticket.recognition, ticket.decision)
        given_way = [self._open.pop(name)] if name in self._open else []
        self._open[name] = ticket
        oldest_us = ticket.call.time_us - TICKET_US_MAX
        while len(self._open) > self._count_max or next(iter(self._open.values())).call.time_us < oldest_us:
            given_way.append(self._open.popitem(last=False)[1])
        for each in given_way:
            await self._gate.replied(each, Reply())

    async def end(self, name: str, reply: Reply) -> bool:
        """Hand in the ticket of a name with its reply; return whether there was one."""
        ticket = self._open.pop(name, None)
        if ticket is None:
            return False
        await self._gate.replied(ticket, reply)
        return True

    async def close(self) -> None:
        """Hand in all that are open, without a reply."""
        while self._open:
            await self._gate.replied(self._open.popitem(last=False)[1], Reply())
