"""Dotted paths into foreign records, as `--field` names them."""

from __future__ import annotations

import re

from stillwatch.adapters.bodies import embedded_json


def value_at(record: object, path: str) -> object:
    """Return the value at a dotted path, or None where it leads nowhere or to an empty string.

    Names may hold dots: `a.b` is found in `{"a.b": 1}`, else in `{"a": {"b": 1}}`. JSON inside strings is
    looked through, and a number steps into a list.
    """
    if isinstance(record, str):
        record = embedded_json(record)
    if isinstance(record, list):
        step, _, rest = path.partition(".")
        if not re.fullmatch(r"[0-9]{1,6}", step) or int(step) >= len(record):
            return None
        value = record[int(step)]
        return value_at(value, rest) if rest else _present(value)
    if not isinstance(record, dict):
        return None
    if path in record:
        return _present(record[path])
    dot = path.find(".")
    while dot >= 0:
        if path[:dot] in record and (value := value_at(record[path[:dot]], path[dot + 1 :])) is not None:
            return value
        dot = path.find(".", dot + 1)
    return None


def first_at(record: object, paths: tuple[str, ...]) -> object:
    """Return the first value that one of the paths leads to."""
    return next((value for path in paths if (value := value_at(record, path)) is not None), None)


def _present(value: object) -> object:
    return None if isinstance(value, str) and not value else value
