"""Every error a user can meet has a paragraph, and every paragraph an error."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.repository import ROOT, modules, name_of, tree_of

PAGE = ROOT / "docs" / "errors.md"


def raised(path: Path) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Error", "errors.Error"}
    ]


def ident_of(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    assert isinstance(first, ast.Constant), ast.unparse(call)[:80]
    return str(first.value)


def literal_text(node: ast.expr | None) -> str:
    """The fixed words of a message; what is filled in stands as a space."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else " " for part in node.values)
    return ""


each_module = pytest.mark.parametrize("path", [path for path in modules() if raised(path)], ids=name_of)


@each_module
def test_an_error_begins_with_a_literal_kebab_ident(path: Path) -> None:
    for call in raised(path):
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", ident_of(call)), f"line {call.lineno}"


@each_module
def test_a_message_is_lower_case_and_ends_without_a_full_stop(path: Path) -> None:
    for call in raised(path):
        message = literal_text(call.args[1] if len(call.args) > 1 else None)
        assert not re.match(r"[A-Z][a-z]", message), f"line {call.lineno}: {message}"
        assert not message.endswith("."), f"line {call.lineno}: {message}"


def test_every_error_has_a_paragraph_and_every_paragraph_an_error() -> None:
    idents = {ident_of(call) for path in modules() for call in raised(path)}
    sections = re.findall(r"^### `([a-z0-9-]+)`\n\n(\S.{20,})", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    explained = [ident for ident, _ in sections]
    assert sorted(explained) == sorted(set(explained)), "an error explained twice"
    assert set(explained) == idents


def test_every_reason_to_reject_a_record_is_explained() -> None:
    """Reasons are kebab strings that adapters hand to `Rejection` or raise in their own decoding."""
    explained = set(re.findall(r"`([a-z0-9-]+)`", PAGE.read_text(encoding="utf-8").split("is rejected")[-1]))
    given: set[str] = set()
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Rejection":
                given |= {
                    each.value
                    for each in node.args[2:3]
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
    assert given
    assert given <= explained
