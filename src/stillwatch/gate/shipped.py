"""The policies of the cookbook, which come with the package and go by their names."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from stillwatch.gate.yaml_text import read_text

SHIPPED = ("observe", "cautious", "strict")


def policy_text(path: Path) -> str:
    """Return the text of a policy: a file, or a shipped policy where no file has its name.

    Raises:  no-such-policy, bad-yaml.
    """
    return _text(path, "")


def cases_text(path: Path) -> str:
    """Return the cases of a policy: those of a shipped one by its name, otherwise a file.

    Raises:  no-such-policy, bad-yaml.
    """
    return _text(path, ".cases")


def _text(path: Path, kind: str) -> str:
    if str(path) in SHIPPED and not path.exists():
        return (files("stillwatch.gate") / "policies" / f"{path}{kind}.yaml").read_text(encoding="utf-8")
    return read_text(path)
