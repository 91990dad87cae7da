"""TOML and environment → frozen settings; only doors read it.

A command's option goes before the environment, the environment before the file. The three share one
spelling: `--rejected-max`, `STILLWATCH_REJECTED_MAX`, `rejected-max`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from stillwatch.errors import Error

ENVIRONMENT_PREFIX = "STILLWATCH_"

ENVIRONMENT_ONLY = ("STILLWATCH_CONFIG", "STILLWATCH_DEBUG")
"""Variables that are no settings: which file to read, and whether to show a trace back."""

CONFIG_BYTES_MAX = 1 << 20
"""A settings file is written by hand; a larger one is some other file."""

KEY_BYTES_MIN = 16
"""A shorter secret could be guessed, and with it every pseudonym turned back into an account."""

KEY_BYTES_MAX = 4096
"""A key file holds one secret; a larger one is some other file."""


BOUNDS: Mapping[str, tuple[float, float]] = {
    "fdr": (1e-9, 0.5),
    "rejected-max": (0.0, 1.0),
    "sampled-weight": (1.0, 1e9),
    "seed": (0, 2**63 - 1),
}
"""fdr: e-BH divides by it, and past one half a finding would be wrong more often than right.
rejected-max: a share. sampled-weight: 1 / sampling rate. seed: fits the signed 64 bits of every engine."""


MAPPINGS = frozenset({"fields", "spark_conf"})
"""Settings of names and values: a part of the file, an option that may be repeated, and no variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person can set once for every run of one log."""

    format: str = "auto"
    engine: str = "embedded"
    fdr: float = 0.05
    seed: int = 0
    rejected_max: float = 0.01
    calibration: str | None = None
    semantic: str | None = None
    key_file: str | None = None
    model_default: str | None = None
    sampled_weight: float | None = None
    body_root: str | None = None
    kafka_config: str | None = None
    companions: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    spark_master: str | None = None
    spark_remote: str | None = None
    spark_conf: Mapping[str, str] = field(default_factory=dict)


def load(path: Path | None, environment: Mapping[str, str], options: Mapping[str, object]) -> Settings:
    """Merge a settings file, the environment and a command's options, each checked the same way.

    `options` holds what was given on the command line; None and the empty tuple stand for what was not.
    The mappings (MAPPINGS) of the file and of the command are joined, the command's first.

    Raises:  Error `no-such-config`, `config-not-toml`, `unknown-setting`, `unknown-column`, `wrong-setting`.
    """
    merged: dict[str, object] = {}
    if path is not None:
        merged.update(_checked(read_toml(path), str(path)))
    merged.update(_checked(_from_environment(environment), "environment"))
    given = {name: value for name, value in options.items() if value not in (None, ())}
    for name in MAPPINGS & given.keys():
        given[name] = {**_mapping(merged.get(name)), **_mapping(given[name])}
    merged.update(_checked({_spelling(name): value for name, value in given.items()}, "command line"))
    return Settings(**merged)  # type: ignore[arg-type]  # _checked converted each value to its field's type


def read_key(path: str | None) -> bytes | None:
    """Return the secret in a key file, without white space at its ends; None where no file is named.

    Raises:  Error `no-such-key-file`, `key-too-short`, `key-too-long`.
    """
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file:
            secret = file.read(KEY_BYTES_MAX + 1)
    except OSError as error:
        raise Error(
            "no-such-key-file",
            "the key file cannot be read",
            where=path,
            hint="make one with: head -c 32 /dev/urandom | base64 > stillwatch.key",
        ) from error
    if len(secret) > KEY_BYTES_MAX:
        raise Error(
            "key-too-long",
            f"the key file holds more than {KEY_BYTES_MAX} bytes",
            where=path,
            hint="name the file that holds the secret alone",
        )
    secret = secret.strip()
    if len(secret) < KEY_BYTES_MIN:
        raise Error(
            "key-too-short",
            f"the key file holds {len(secret)} bytes, and at least {KEY_BYTES_MIN} are needed",
            where=path,
            hint="make one with: head -c 32 /dev/urandom | base64 > stillwatch.key",
        )
    return secret


def nearest(name: str, known: Collection[str]) -> str:
    """Return "did you mean …" for a misspelt name, or the list of all names where none is near."""
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {found[0]}" if found else "known are: " + ", ".join(sorted(known))


def read_toml(path: Path) -> dict[str, object]:
    """Read a settings file.

    Raises:  Error `no-such-config`, `config-not-toml`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise Error(
            "no-such-config",
            "the settings file cannot be read",
            where=str(path),
            hint="name a TOML file with --config, or leave it out",
        ) from error
    if len(content) > CONFIG_BYTES_MAX:
        raise Error(
            "config-not-toml",
            f"the settings file is larger than {CONFIG_BYTES_MAX >> 20} MiB",
            where=str(path),
            hint="name a TOML file with --config",
        )
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Error(
            "config-not-toml",
            "the settings file is not TOML",
            where=str(path),
            hint="a setting is a line such as: fdr = 0.01",
        ) from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    """A list is separated by commas in a variable; mappings have no variable."""
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name not in ENVIRONMENT_ONLY
    }


def _checked(raw: Mapping[str, object], where: str) -> dict[str, object]:
    types = get_type_hints(Settings)
    known = {_spelling(each.name): each.name for each in fields(Settings)}
    checked: dict[str, object] = {}
    for spelling, value in raw.items():
        if spelling not in known:
            raise Error(
                "unknown-setting",
                f"there is no setting named {spelling[:40]!r}",
                where=where,
                hint=nearest(spelling, known),
            )
        checked[known[spelling]] = _converted(spelling, value, types[known[spelling]], where)
    return checked


def _converted(spelling: str, value: object, kind: Any, where: str) -> object:
    if where == "environment" and spelling == "companions":
        value = [each for each in str(value).split(",") if each]
    try:
        # Values of the environment are strings; strictness would refuse their numbers.
        converted = msgspec.convert(value, kind, strict=where != "environment")
    except msgspec.ValidationError as error:
        raise _wrong(spelling, str(error).lower(), where) from error
    if spelling == "fields":
        _check_columns(_mapping(converted), where)
    low, high = BOUNDS.get(spelling, (None, None))
    if low is not None and high is not None and converted is not None and not low <= converted <= high:
        raise _wrong(spelling, f"expected {low:g} to {high:g}", where)
    return converted


def _check_columns(mapped: Mapping[str, str], where: str) -> None:
    # Here and not above: Arrow takes longer to load than `--help` should to answer.
    from stillwatch.event import EVENT_SCHEMA

    for column in mapped:
        if column not in EVENT_SCHEMA.names:
            raise Error(
                "unknown-column",
                f"there is no column named {column[:40]!r}",
                where=where,
                hint=nearest(column, EVENT_SCHEMA.names),
            )


def _wrong(spelling: str, why: str, where: str) -> Error:
    return Error(
        "wrong-setting",
        f"{spelling} has a wrong value: {why}",
        where=where,
        hint="docs/configuration.md says what each setting takes",
    )


def _spelling(name: str) -> str:
    return name.replace("_", "-")


def _mapping(value: object) -> Mapping[str, str]:
    return value if isinstance(value, Mapping) else {}
