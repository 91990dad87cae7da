"""Habits that every file of the product keeps."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.repository import ROOT, SOURCE, modules, name_of, text_files, tree_of

MODULE_LINES_MAX = 400
"""What one person reads in one sitting."""

FUNCTION_LINES_MAX = 60
"""What one person sees on one screen."""

DOORS = {f"src/stillwatch/gate/{name}.py" for name in ("assembly", "envoy", "guarding", "parts", "server")} | {
    f"src/stillwatch/cli/{name}.py"
    for name in (
        "main",
        "options",
        "detecting",
        "calibrating",
        "granting",
        "policing",
        "snapshotting",
        "laboratory",
        "benching",
        "storing",
        "watching",
        "gating",
    )
}
"""Only a door prints, exits, or catches what it does not know."""

each_module = pytest.mark.parametrize("path", modules(), ids=name_of)


@each_module
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    if "words" in path.relative_to(SOURCE).parts:
        return  # A vocabulary is a table, looked up and not read.
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MODULE_LINES_MAX


@each_module
def test_a_function_is_short_enough_to_be_seen_at_once(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@each_module
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    if name_of(path) in DOORS:
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "quit", "sys.exit", "os._exit"}, f"line {node.lineno}"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in {"sys.stdout", "sys.stderr"}, f"line {node.lineno}"


@each_module
def test_only_a_door_catches_what_it_does_not_know(path: Path) -> None:
    if name_of(path) in DOORS:
        return
    for node in ast.walk(tree_of(path)):
        # Who cleans up and raises again has caught nothing.
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise":
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"everything", "Exception", "BaseException"}, f"line {node.lineno}"


@each_module
def test_only_the_lab_and_the_command_line_know_the_truth(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] in {"lab", "cli"}:
        return
    found = re.search(r"(?i)\btruth", path.read_text(encoding="utf-8"))
    assert found is None, "the word that only the lab may know"


WALL_CLOCK_AND_CHANCE = {
    "datetime.now", "datetime.datetime.now", "datetime.utcnow", "time.time", "os.environ", "os.getenv",
    "random.random", "np.random.seed", "uuid.uuid4",
}  # fmt: skip

STOPWATCHES = {"time.monotonic", "time.perf_counter"}
"""They say how long a stage or a call took and enter no finding, so whoever times these may use them."""


@each_module
def test_nothing_reads_the_clock_the_environment_or_chance_by_itself(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    if name_of(path) in DOORS:
        return
    banned = WALL_CLOCK_AND_CHANCE | (set() if room in {"engines", "gate", "lab"} else STOPWATCHES)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in banned, f"line {node.lineno}"


@each_module
def test_importing_a_module_does_nothing(path: Path) -> None:
    allowed = (
        ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign,
        ast.If,
    )  # fmt: skip
    for node in tree_of(path).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert docstring or isinstance(node, allowed), f"line {node.lineno}"
        if isinstance(node, ast.If):
            assert ast.unparse(node.test) in {"TYPE_CHECKING", "__name__ == '__main__'"}, f"line {node.lineno}"


@each_module
def test_what_is_public_is_explained(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "the module says nothing"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} says nothing"


@each_module
def test_detection_has_no_word_for_a_nation_or_a_tongue(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] not in {"kernels", "digests", "signals", "campaign", "trace.py"}:
        return
    for node in ast.walk(tree_of(path)):
        name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None) or ""
        assert not re.search(r"(^|_)(country|nation|nationality|locale|timezone|time_zone)(_|$)", str(name)), name


def test_a_bound_says_why_it_has_its_value() -> None:
    """A number without a reason is one that nobody dares to change."""
    silent = []
    for path in modules():
        body = tree_of(path).body
        lines = path.read_text(encoding="utf-8").splitlines()
        for at, node in enumerate(body):
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                continue
            name = node.targets[0].id
            if not name.endswith("_MAX"):
                continue
            # Several constants may share the sentence that follows the last of them.
            rest = [other for other in body[at + 1 : at + 6] if not isinstance(other, ast.Assign)]
            said_below = bool(rest) and isinstance(rest[0], ast.Expr)
            said_beside = "#" in lines[node.lineno - 1] or lines[node.lineno - 2].lstrip().startswith("#")
            if not (said_below or said_beside):
                silent.append(f"{name_of(path)}: {name}")
    assert not silent


PLACES_NOBODY_ELSE_HAS = re.compile(
    "|".join(
        [
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            "index" + "-url https?:",
            "registry" + r"\.npmjs",
            "/ro" + "ot/",
            "/work/" + "(main|shared)",
        ]
    )
)


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    found = []
    for path in text_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name_of(path)}: {match[0]}" for match in PLACES_NOBODY_ELSE_HAS.finditer(text)]
    assert not found


@pytest.mark.parametrize("name", ["base", "dev", "build"])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]
    assert not re.search(r"^\s*--(?!hash)", text, flags=re.MULTILINE), "an option of one machine"


def test_what_the_package_declares_is_what_the_lock_starts_from() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[><=~! ]", each)[0] for each in project["dependencies"]}
    assert declared == set((ROOT / "requirements" / "base.in").read_text().split())
