"""Whose requests does an account carry? One account at a time."""

from __future__ import annotations


def programs(agents: int, clients: int, toolsets: int) -> int:
    """Return the number that at least two of the three reach."""
    return max(n for n in (agents, clients, toolsets) if sum(other >= n for other in (agents, clients, toolsets)) >= 2)


def is_carrier(reseller: bool, end_users: int, different_programs: int, family_calls: int, all_calls: int) -> bool:
    serves = reseller or end_users >= 20 or different_programs >= 6
    return serves and (all_calls == 0 or 2 * family_calls <= all_calls)
