"""YAML that people write for the gate → plain values that know their lines; the one importer of PyYAML.

Of YAML only what a hand-written file needs: no aliases, no tags, no name twice, no time that turns into something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import Error

if TYPE_CHECKING:
    import yaml

YAML_BYTES_MAX = 200_000
"""Some four thousand lines: a longer file nobody has read before it went live."""

DEPTH_MAX = 12
"""A policy nests five deep; what goes deeper is no policy."""

NODES_MAX = 20_000
"""Some ten values a line in the longest file: more is made to be expensive."""

Place = tuple[str | int, ...]
"""Where a value stands: names of mappings and places of lists."""

TAG = "tag:yaml.org,2002:"

PLAIN = frozenset({"bool", "float", "int", "map", "null", "seq", "str", "timestamp", "value"})
"""Kinds of values that are read."""


@dataclass(frozen=True, slots=True)
class Document:
    """The plain value of a file, and the line on which each of its parts begins."""

    value: object
    lines: dict[Place, int]

    def line(self, path: Place) -> int:
        """Return the line of a part, or of the nearest part around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_text(path: Path) -> str:
    """Read a file of YAML.

    Raises:  no-such-policy, bad-yaml.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(YAML_BYTES_MAX + 1)
    except OSError as error:
        raise Error("no-such-policy", "the file cannot be read", where=str(path)) from error
    if len(data) > YAML_BYTES_MAX:
        raise _bad(f"it holds more than {YAML_BYTES_MAX:,} bytes", str(path))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _bad("it is no UTF-8", str(path)) from error


def parse(text: str, where: str = "") -> Document:
    """Read the one document of a text.

    Raises:  bad-yaml, missing-extra.
    """
    try:
        import yaml
    except ImportError as error:
        raise Error(
            "missing-extra",
            "policies are YAML, and PyYAML is not installed",
            hint='install the extra: pip install "stillwatch[gate]"',
        ) from error
    if len(text) > YAML_BYTES_MAX:
        raise _bad(f"it holds more than {YAML_BYTES_MAX:,} bytes", where)
    try:
        _measure(yaml, text, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _bad(f"it is not YAML: {error.problem or error.context}", where, mark.line + 1 if mark else 1) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _bad("it is not YAML", where) from error
    lines: dict[Place, int] = {}
    return Document(None if node is None else _value(yaml, node, (), lines, where), lines)


def _measure(yaml: Any, text: str, where: str) -> None:
    """Refuse what is nested too deep, too large or cyclic, before anything is built of it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _bad("it has an alias or an anchor, which are not read here", where, line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX or count > NODES_MAX:
            raise _bad("it is nested too deep or has too many values", where, line)


def _value(yaml: Any, node: yaml.Node, path: Place, lines: dict[Place, int], where: str) -> object:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    kind = node.tag.removeprefix(TAG)
    if kind not in PLAIN:
        raise _bad("it has a tag, which is not read here", where, line)
    if isinstance(node, yaml.SequenceNode):
        return [_value(yaml, each, (*path, at), lines, where) for at, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, object] = {}
        for name, inner in node.value:
            at = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode) or name.tag == f"{TAG}merge":
                raise _bad("a name is no plain text", where, at)
            if not _is_utf8(name.value):
                raise _bad("a name is no UTF-8", where, at)
            if name.value in found:
                raise _bad(f"the name {name.value[:40]!r} stands twice", where, at)
            lines[(*path, name.value)] = at
            found[name.value] = _value(yaml, inner, (*path, name.value), lines, where)
        return found
    assert isinstance(node, yaml.ScalarNode)
    try:
        return _scalar(yaml, node)
    except (ValueError, ArithmeticError) as error:
        raise _bad("a value cannot be read", where, line) from error


def _scalar(yaml: Any, node: yaml.ScalarNode) -> object:
    """Return text, a number, yes or no, or None; a time stays the text that it is."""
    reader = yaml.constructor.SafeConstructor()
    kind = node.tag.removeprefix(TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return reader.construct_yaml_bool(node)
    if kind == "int":
        return reader.construct_yaml_int(node)
    if kind == "float":
        return reader.construct_yaml_float(node)
    if not _is_utf8(node.value):
        raise ValueError
    return str(node.value)


def _is_utf8(text: str) -> bool:
    """Tell whether no half of a surrogate pair stands in a text, as an escape can put there."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bad(why: str, where: str, line: int = 0) -> Error:
    return Error("bad-yaml", why, where=f"{where}, line {line}" if line else where)
