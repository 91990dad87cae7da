"""What both states agree on: how a window turns, how long a refusal is remembered, how much of one call is looked at.

Windows are fixed hours and days of UTC, not sliding ones. A fixed window is one number, is counted exactly, and is the
same for every replica whatever it saw before; a sliding one needs several, or is an estimate that could name an account
for calls it never made. The price: a caller who knows where the hour turns can spend two budgets around it.

Time is the call's own, and may step back or come out of order. A window turns when a later one comes. What lies one
window back still counts in the later one, so that nobody gets a second budget by being late. What lies further back
says that the window itself was a clock's mistake, and begins anew: a clock that once ran ahead must not hold an
account's counts for ever. So replicas whose clocks are more than an hour apart reset each other's counts.

Tokens are known when a reply is over. They count in the window that its account is in by then.
"""

from __future__ import annotations

from stillwatch.gate.contract import HOUR_US, Decision

DAY_US = 24 * HOUR_US

FAILOVER_WITHIN_US = HOUR_US
"""A signature that was refused on one account and so soon comes with another has moved: a pool that is closed is
replaced within the hour, and a refusal by mistake is not held against others for a day."""

CLUSTER_ACCOUNTS_MAX = 2_000
"""Accounts of one campaign and hour that are told apart. Policies ask for dozens; the count stands still at the bound.
A set of so many keys has 131 kB."""

ACTED_ACCOUNTS_MAX = 100_000
"""Accounts of one hour that were acted on. A policy stops itself far below; the count stands still at the bound."""

BLOCKS_OF_CALL_MAX = 1_000
"""Reasoning blocks of one call or reply that are looked at, the newest: a conversation of a day has some hundreds."""


def turns(window: int, now: int) -> bool:
    """Tell whether a call of window `now` ends the counts of `window`: it is later, or more than one window earlier."""
    return now > window or now < window - 1


def is_closed(decision: Decision) -> bool:
    """Tell whether a refusal closes a door, so that what was refused may move: one by rate only asks to wait."""
    return decision.is_refusal and decision.retry_after_s == 0
