"""No signal without a page to read, a scene to see, a slow twin to trust and a test to keep it."""

from __future__ import annotations

import ast
import re

import pytest

from stillwatch.campaign.calibration import shipped
from tests.house.repository import ROOT, SOURCE, tree_of
from tools.write_curves import section

LABELS = ("Sees", "Misled by", "Evaded by", "Source")


def assigned(name: str, module: str) -> str | None:
    for node in tree_of(SOURCE / "signals" / f"{module}.py").body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            return value.value if isinstance(value, ast.Constant) else None
    return None


SIGNALS = {
    ident: path.stem
    for path in sorted((SOURCE / "signals").glob("*.py"))
    if (ident := assigned("IDENT", path.stem)) is not None
}

each_signal = pytest.mark.parametrize(("ident", "module"), sorted(SIGNALS.items()))


def mentions(folder: str, word: str) -> bool:
    return any(word in path.read_text(encoding="utf-8") for path in (ROOT / "tests" / folder).rglob("*.py"))


def test_there_are_signals_of_at_least_four_families() -> None:
    families = {assigned("FAMILY", module) for module in SIGNALS.values()}
    assert len(families) >= 4


@each_signal
def test_a_signal_is_named_like_its_file(ident: str, module: str) -> None:
    assert ident == module.replace("_", "-")


@each_signal
def test_a_signal_says_what_it_sees_and_what_misleads_it(ident: str, module: str) -> None:
    tree = tree_of(SOURCE / "signals" / f"{module}.py")
    conclude = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "conclude")
    said = f"{ast.get_docstring(tree)}\n{ast.get_docstring(conclude)}"
    missing = [label for label in LABELS if not re.search(rf"^\s*{label}:", said, flags=re.MULTILINE)]
    assert not missing


@each_signal
def test_a_signal_has_a_page(ident: str, module: str) -> None:
    page = ROOT / "docs" / "signals" / f"{ident}.md"
    assert page.exists()
    assert page.read_text(encoding="utf-8").startswith(f"# {ident}\n")


@each_signal
def test_a_signal_has_a_test(ident: str, module: str) -> None:
    assert (ROOT / "tests" / "signals" / f"test_{module}.py").exists()


@each_signal
def test_a_signal_has_a_slow_twin(ident: str, module: str) -> None:
    assert (ROOT / "tests" / "naive" / f"{module}.py").exists()


@each_signal
def test_a_signal_has_a_scene(ident: str, module: str) -> None:
    assert mentions("scenes", ident)


@each_signal
def test_a_page_shows_what_the_signal_says_of_honest_families(ident: str, module: str) -> None:
    page = (ROOT / "docs" / "signals" / f"{ident}.md").read_text(encoding="utf-8")
    assert "## Calibration curve" in page
    assert section(shipped(), ident).strip() in page, "tools/write_curves.py writes it"
