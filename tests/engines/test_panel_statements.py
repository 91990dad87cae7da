"""What panels are told of blocks, callers and programmes, from tables small enough to check by eye."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest

from stillwatch.digests import statements
from stillwatch.engines.accounts import programme_tenths

Rows = Sequence[tuple[int, ...]]


def answered(statement: str, **tables: tuple[str, Rows]) -> list[tuple[int, ...]]:
    """Return the rows of a statement, in order; a table is its columns and its rows."""
    with duckdb.connect() as base:
        for name, (columns, rows) in tables.items():
            typed = ", ".join(f"{column} UBIGINT" for column in columns.split())
            base.execute(f"CREATE TABLE {name} ({typed})")
            base.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns.split()))})", list(rows))
        return sorted(tuple(int(value) for value in row) for row in base.sql(statement).fetchall())


ISSUED, PRESENTED = 0, 1
OWNERS = ("account_key owner_key", [(1, 10), (2, 10), (3, 30), (4, 40)])


@pytest.mark.parametrize(
    ("blocks", "foreign", "taken"),
    [
        ([(7, 100, 1, ISSUED), (7, 101, 1, PRESENTED)], [], []),
        ([(7, 100, 1, ISSUED), (7, 101, 2, PRESENTED)], [], []),
        ([(7, 100, 1, ISSUED), (7, 101, 3, PRESENTED)], [(101, 10)], [(100, 30)]),
        ([(7, 100, 1, ISSUED), (7, 102, 3, ISSUED), (7, 101, 3, PRESENTED)], [], []),
        ([(7, 101, 3, PRESENTED)], [], []),
        (
            [(7, 100, 3, ISSUED), (8, 102, 1, ISSUED), (7, 101, 4, PRESENTED), (8, 101, 4, PRESENTED)],
            [(101, 10)],
            [(100, 40), (102, 40)],
        ),
    ],
    ids=["own", "same-owner", "another-owner", "issued-to-both", "issued-before-the-log", "one-of-two-issuers"],
)
def test_a_block_is_foreign_where_another_owner_and_not_this_one_was_issued_it(
    blocks: Rows, foreign: Rows, taken: Rows
) -> None:
    columns = "block_key event_key account_key presented"
    moved = f"WITH foreign_blocks AS ({statements.FOREIGN_BLOCKS.format(parts=1, part=0)}) "
    for statement, expected in ((statements.FOREIGN_CALLS, foreign), (statements.TAKEN_CALLS, taken)):
        found = answered(moved + statement, blocks=(columns, blocks), account_facts=OWNERS)
        assert sorted(found) == expected


def test_callers_are_counted_over_the_whole_log_for_accounts_of_chosen_families_only() -> None:
    traces = [(1, 5, 6, 7, 0), (1, 5, 6, 8, 0), (1, 9, 6, 7, 0), (2, 5, 6, 7, 8)]
    found = answered(
        "SELECT account_key, end_users, clients, agents, toolsets FROM (" + statements.ACCOUNT_VARIETY + ")",
        traces=("account_key end_user_key tls_key agent_key tools_key", traces),
        family_accounts=("family account_key", [(3, 1), (4, 2)]),
        chosen=("family", [(3,)]),
    )
    assert found == [(1, 2, 1, 2, 0)]


def test_a_programmes_tenths_are_the_busiest_of_each_and_too_few_accounts_have_none() -> None:
    accounts = [(1, calls) for calls in range(1, 41)] + [(2, calls) for calls in range(1, 10)]
    with duckdb.connect() as base:
        base.execute("CREATE TABLE account_facts (programme BIGINT, calls BIGINT)")
        base.executemany("INSERT INTO account_facts VALUES (?, ?)", accounts)
        found = base.sql(statements.PROGRAMME_TENTHS).to_arrow_table()
    tenths = programme_tenths({name: found[name].to_numpy() for name in found.column_names})
    assert tenths[1].tolist() == list(range(4, 41, 4))
    assert not tenths[[0, 2, 3, 4, 5]].any()
