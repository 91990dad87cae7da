"""Panels of any shape, for laws that every signal keeps."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from hypothesis import strategies as st

from stillwatch.signals.contract import AccountFacts, Calls, Panel, Population, SharedValues
from tests.signals.panels import HOUR_US, START_US, panel, shared_values

BLOCKS = 48


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Draw a family: equal or unequal accounts, items dealt out or chosen, with and without every optional fact."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    accounts = draw(st.integers(1, 24))
    calls = draw(st.integers(1, 400))
    if draw(st.booleans()):
        account = np.arange(calls) % accounts
    else:
        account = rng.choice(accounts, calls, p=rng.dirichlet(np.full(accounts, 0.5)))
    items = draw(st.sampled_from([0, 3, 30, 200]))
    time_us = START_US + rng.choice(BLOCKS * HOUR_US, calls, replace=False)
    population = _population(rng, time_us, accounts, draw(st.booleans()))
    created = np.where(rng.random(accounts) < 0.8, rng.choice(population.created_us, accounts), -1)
    organizations = np.where(rng.random(accounts) < 0.3, rng.integers(1, 4, accounts), 0)
    return panel(
        account,
        accounts_count=accounts,
        time_us=time_us,
        tested=_tested(time_us),
        item=rng.integers(0, items, calls) + 1 if items else np.zeros(calls, dtype=np.int64),
        topic=rng.integers(0, 2**63, calls) & rng.integers(0, 2**63, calls),
        model=rng.integers(1, draw(st.integers(2, 4)), calls),
        phrases=rng.integers(0, 2**11, calls) * draw(st.integers(0, 1)),
        max_tokens=rng.integers(-1, 9_000, calls),
        choice_count=rng.integers(-1, 5, calls),
        turn_index=rng.integers(-1, 3, calls),
        created_us=created if draw(st.booleans()) else None,
        organizations=organizations,
        **_identities(rng, calls, account),
        facts=_facts(rng, accounts) if draw(st.booleans()) else None,
        account_calls=np.bincount(account, minlength=accounts) + rng.integers(0, 9, accounts),
        shared=_shared(rng, accounts) if draw(st.booleans()) else (),
        population=population,
    )


def _identities(rng: np.random.Generator, calls: int, account: np.ndarray) -> dict[str, np.ndarray]:
    """Draw what identifies sessions, users and programs, statuses, sizes and other owners' blocks."""
    return {
        "session": rng.integers(0, 40, calls), "end_user": rng.integers(0, 30, calls) * rng.integers(0, 2),
        "path": rng.integers(0, 4, calls), "agent": 1 + account % 3, "tls": 1 + account % 2,
        "tools": rng.integers(0, 3, calls), "status": rng.choice([-1, 200, 200, 403, 429], calls),
        "input_tokens": rng.integers(-1, 4_000, calls), "output_tokens": rng.integers(0, 2_000, calls),
        "words": rng.integers(0, 500, calls), "flags": rng.integers(0, 2**11, calls),
        "issuer": rng.integers(1, 9, calls) * (rng.random(calls) < rng.choice([0.0, 0.3])),
        "taker": rng.integers(1, 9, calls) * (rng.random(calls) < rng.choice([0.0, 0.3])),
    }  # fmt: skip


def _facts(rng: np.random.Generator, accounts: int) -> dict[str, np.ndarray]:
    closed = np.where(rng.random(accounts) < 0.3, START_US + rng.integers(0, BLOCKS, accounts) * HOUR_US, -1)
    codes = {name: rng.integers(0, 4, accounts) for name in ("programme", "declared_use", "plan", "verification")}
    variety = {name: rng.integers(0, 60, accounts) for name in ("end_users", "clients", "agents", "toolsets")}
    return {"closed_us": closed, "banned": closed >= 0, "reseller": rng.random(accounts) < 0.1, **codes, **variety}


def _tested(time_us: np.ndarray) -> np.ndarray:
    return (time_us // HOUR_US) % 2 == 0


def _population(rng: np.random.Generator, time_us: np.ndarray, accounts: int, busy: bool) -> Population:
    first = START_US // HOUR_US
    own = np.bincount(time_us // HOUR_US - first, minlength=BLOCKS)
    created = np.sort(START_US - rng.integers(0, 10_000, 60 + accounts) * HOUR_US)
    tested = (np.arange(BLOCKS) + first) % 2 == 0
    everybody = own + rng.integers(0, 30 if busy else 2, BLOCKS)
    models = np.array([1, 2], dtype=np.uint64)
    curves = np.stack([everybody, everybody // 2])
    tenths = np.sort(rng.integers(1, 60, (6, 10)))
    return Population(500, created, HOUR_US, first, everybody, tested, models, curves, tenths)


def _shared(rng: np.random.Generator, accounts: int) -> tuple[SharedValues, ...]:
    kinds = []
    for kind in ("address", "payment"):
        holders = [np.sort(rng.choice(accounts, rng.integers(1, accounts + 1), replace=False)) for _ in range(4)]
        degrees = [len(held) + int(rng.integers(1, 40)) for held in holders]
        kinds.append(shared_values(kind, [held.tolist() for held in holders], degrees))
    return tuple(kinds)


def reordered_calls(whole: Panel, order: np.ndarray) -> Panel:
    """Put the calls into another order, column by column."""
    calls = Calls(**{each.name: getattr(whole.calls, each.name)[order] for each in fields(Calls)})
    return replace(whole, calls=calls)


def renumbered(whole: Panel, new: np.ndarray) -> Panel:
    """Give account a the number new[a] everywhere; what is true of each account stays true of it."""
    back = np.argsort(new)
    moved = replace(whole, calls=replace(whole.calls, account=new[whole.calls.account]))
    per_account = {
        name: getattr(whole, name)[back] for name in ("accounts", "organizations", "account_calls", "created_us")
    }
    shared = tuple(replace(values, holder_account=new[values.holder_account]) for values in whole.shared)
    facts = AccountFacts(**{each.name: getattr(whole.facts, each.name)[back] for each in fields(AccountFacts)})
    moved = replace(moved, shared=shared, facts=facts, **per_account)
    return reordered_calls(moved, np.lexsort((moved.calls.time_us, moved.calls.account)))
