"""Write the digests of `digests/statements.py` in Spark's SQL: `python tools/transpile.py` (needs sqlglot).

Spark has no unsigned numbers: a 64-bit pseudonym is kept as the signed number of the same bits. Equality and hashing do
not care; where an order counts (min, max, ORDER BY) the highest bit is flipped, which brings the unsigned order back.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pyarrow as pa
import sqlglot
from sqlglot import expressions as exp

from stillwatch import trace
from stillwatch.digests import statements
from stillwatch.engines.accounts import ACCOUNT_ROWS_SCHEMA, GREATEST_FIRST

TARGET = Path(__file__).parents[1] / "src" / "stillwatch" / "digests" / "spark.sql"

UNSIGNED = frozenset(
    field.name
    for schema in (trace.TRACE_SCHEMA, trace.BLOCK_SCHEMA, ACCOUNT_ROWS_SCHEMA)
    for field in schema
    if field.type == pa.uint64()
) | {"owner_key", "issuer_key", "taker_key", "presenter_key", "value"}

LOWEST = "-9223372036854775808"

GIVEN = {
    "KEPT_EVENTS": {"columns": ", ".join(trace.TRACE_SCHEMA.names), "ordered": ", ".join(trace.CONTENT_ORDER)},
    "ACCOUNT_ROWS": {"columns": GREATEST_FIRST},
}
"""What is known when the statement is written, and decides which of its columns are unsigned."""

STAND_INS = 990_001
"""A number that no statement holds stands for each {name} that is filled in when the statement runs."""

HEAD = "-- Made from digests/statements.py by tools/transpile.py: change the statements there, not here."


def authored() -> dict[str, str | tuple[str, ...]]:
    """Return the statements by name, as they were written."""
    found: dict[str, str | tuple[str, ...]] = {}
    for name, value in vars(statements).items():
        one = value[0] if isinstance(value, tuple) else value
        if name.isupper() and isinstance(one, str) and "SELECT" in one:
            found[name] = value
    return found


def transpiled(name: str, statement: str) -> str:
    """Return one statement in Spark's SQL."""
    for given, text in GIVEN.get(name, {}).items():
        statement = statement.replace("{" + given + "}", text)
    filled = dict.fromkeys(re.findall(r"\{(\w+)\}", statement))
    for at, hole in enumerate(filled):
        statement = statement.replace("{" + hole + "}", str(STAND_INS + at))
    tree = sqlglot.parse_one(statement, read="duckdb").transform(_in_unsigned_order)
    spark = tree.sql(dialect="spark", pretty=True)
    for at, hole in enumerate(filled):
        spark = spark.replace(str(STAND_INS + at), "{" + hole + "}")
    return str(spark)


def _in_unsigned_order(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Min | exp.Max) and _unsigned(node.this):
        return _flipped(type(node)(this=_flipped(node.this)))
    if isinstance(node, exp.Ordered) and _unsigned(node.this):
        node.set("this", _flipped(node.this))
    return node


def _unsigned(node: exp.Expression) -> bool:
    return isinstance(node, exp.Column) and node.name in UNSIGNED


def _flipped(node: exp.Expression) -> exp.Expression:
    return exp.Paren(this=exp.BitwiseXor(this=node.copy(), expression=exp.Literal.number(LOWEST)))


def written() -> str:
    """Return all statements, each under its name; of several under one name, each with its number."""
    parts = [HEAD]
    for name, value in authored().items():
        if isinstance(value, tuple):
            parts += [f"-- {name} {at}\n{transpiled(name, one)}" for at, one in enumerate(value)]
        else:
            parts.append(f"-- {name}\n{transpiled(name, value)}")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the file."""
    TARGET.write_text(written(), encoding="utf-8")
    print(f"{TARGET.name}: {len(authored())} statements", file=sys.stderr)


if __name__ == "__main__":
    main()
