"""Where things are, and what the house tests read of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stillwatch"

TEXT_SUFFIXES = {
    "", ".cfg", ".csv", ".css", ".in", ".html", ".j2", ".js", ".json", ".jsonl", ".md", ".py", ".sh", ".sql",
    ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip

# Made here and ignored by version control, or kept by a tool.
NOT_OURS = {
    ".git", ".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv",
    ".venv-gateways", "__pycache__", "build", "dist",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def text_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        if NOT_OURS.isdisjoint(path.relative_to(ROOT).parts) and path.is_file() and path.suffix in TEXT_SUFFIXES:
            yield path


def fenced_commands(markdown: str, program: str) -> list[str]:
    """Return the lines of `sh` blocks that call a program, a continued line joined to the next."""
    blocks = re.findall(r"^```sh\n(.*?)^```", markdown, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [re.sub(r"\s+", " ", line.split(" #")[0]).strip() for line in lines if line.startswith(f"{program} ")]
