"""Panels made of plain columns: one family of calls, with everything unsaid left empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stillwatch.signals.contract import AccountFacts, Calls, Panel, Population, SharedValues

HOUR_US = 3_600_000_000
START_US = 495_000 * HOUR_US
TEXT = frozenset({"system_prompt", "input_text"})


def keys(count: int, first: int = 1) -> np.ndarray:
    """Return pseudonyms that look like hashes and ascend like an engine's."""
    rng = np.random.default_rng(first)
    return np.sort(rng.choice(2**62, size=count, replace=False).astype(np.uint64))


def empty_population(owners_count: int) -> Population:
    no_calls = np.zeros(0, dtype=np.int64)
    return Population(owners_count, no_calls, HOUR_US, 0, no_calls, no_calls.astype(bool))


def panel(
    account: Sequence[int] | np.ndarray,
    *,
    accounts_count: int | None = None,
    time_us: Sequence[int] | np.ndarray | None = None,
    tested: Sequence[bool] | np.ndarray | None = None,
    shared: tuple[SharedValues, ...] = (),
    population: Population | None = None,
    organizations: Sequence[int] | np.ndarray | None = None,
    account_calls: Sequence[int] | np.ndarray | None = None,
    created_us: Sequence[int] | np.ndarray | None = None,
    facts: dict[str, Sequence[int]] | None = None,
    **columns: Sequence[int] | np.ndarray,
) -> Panel:
    """Build a panel from one entry a call, and `facts` from one an account.

    Calls may come in any order; they are sorted as an engine sorts.
    """
    account = np.asarray(account, dtype=np.int64)
    n = len(account)
    size = accounts_count if accounts_count is not None else int(account.max(initial=-1)) + 1
    time = np.arange(n) * 1_000_000 + START_US if time_us is None else np.asarray(time_us)
    order = np.lexsort((np.arange(n), time, account))
    seen = np.ones(n, dtype=bool) if tested is None else np.asarray(tested, dtype=bool)
    known = {name: np.asarray(values)[order] for name, values in columns.items()}
    calls = Calls.of(account[order], time.astype(np.int64)[order], seen[order], **known)
    counted = np.bincount(account, minlength=size)
    return Panel(
        group_id="f-000000000001",
        accounts=keys(size),
        organizations=np.zeros(size, np.uint64) if organizations is None else np.asarray(organizations, np.uint64),
        account_calls=counted if account_calls is None else np.asarray(account_calls, np.int64),
        created_us=np.full(size, -1) if created_us is None else np.asarray(created_us, np.int64),
        facts=AccountFacts.of(size, **{name: np.asarray(values) for name, values in (facts or {}).items()}),
        calls=calls,
        shared=shared,
        population=population or empty_population(max(size, 1)),
        available=TEXT,
    )


def with_calls(whole: Panel, calls: Calls) -> Panel:
    return replace(whole, calls=calls)


def shared_values(kind: str, holders: Sequence[Sequence[int]], degrees: Sequence[int]) -> SharedValues:
    """Build one kind of identifier from the family's holders of each value, and how many accounts hold it in all."""
    value = np.concatenate([np.full(len(held), at) for at, held in enumerate(holders)] or [np.zeros(0)])
    account = np.concatenate([np.asarray(held) for held in holders] or [np.zeros(0)])
    return SharedValues(
        kind, keys(len(holders), 7), np.asarray(degrees, np.int64), value.astype(np.int64), account.astype(np.int64)
    )
