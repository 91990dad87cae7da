"""The digests in Spark's SQL are those that the tool makes of the authored ones today."""

from __future__ import annotations

import sys

import pytest

from stillwatch.digests import spark, statements
from tests.house.repository import ROOT


def test_the_committed_statements_are_what_the_tool_writes_today() -> None:
    pytest.importorskip("sqlglot", reason="pip install sqlglot")
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import transpile
    finally:
        sys.path.pop(0)
    assert transpile.TARGET.read_text(encoding="utf-8") == transpile.written()


def test_every_digest_has_its_words_in_spark() -> None:
    authored = {
        name
        for name, value in vars(statements).items()
        if name.isupper() and "SELECT" in str(value[0] if isinstance(value, tuple) else value)
    }
    assert {name.split(" ")[0] for name in spark.load()} == authored
    assert sum(name.startswith("IDENTITIES") for name in spark.load()) == len(statements.IDENTITIES)
