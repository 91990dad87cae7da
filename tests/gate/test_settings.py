"""One file says what a gate is told; unknown names, values that cannot be and secrets in it are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stillwatch.errors import Error
from stillwatch.gate import settings
from stillwatch.gate.example import EXAMPLE

LEAST = """
key-file = "stillwatch.key"
[snapshot]
file = "snapshot.bin"
keys = ["issuer.pub"]
[policy]
file = "policy.yaml"
"""


def loaded(tmp_path: Path, text: str) -> settings.GateSettings:
    file = tmp_path / "gate.toml"
    file.write_text(text)
    return settings.load(file)


def refused(tmp_path: Path, text: str) -> Error:
    with pytest.raises(Error) as caught:
        loaded(tmp_path, text)
    return caught.value


def test_three_lines_are_enough_and_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, LEAST)
    assert (found.listen.host, found.admin.host) == ("127.0.0.1", "127.0.0.1")
    assert found.path(found.policy.file) == tmp_path / "policy.yaml"


def test_the_example_says_what_holds_anyway(tmp_path: Path) -> None:
    assert loaded(tmp_path, EXAMPLE) == loaded(tmp_path, LEAST)


def test_the_example_names_every_setting() -> None:
    text = "\n".join(line.removeprefix("# ") for line in EXAMPLE.splitlines() if "=" in line or "[" in line)
    said = tomllib.loads("\n".join(line for line in text.splitlines() if line[:1] == "[" or " = " in line))

    def names(kind: type[msgspec.Struct], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for each in msgspec.structs.fields(kind):
            inner = settings._struct_in(each.type)
            found |= names(inner, f"{prefix}{each.encode_name}.") if inner else {prefix + each.encode_name}
        return found

    def told(table: dict[str, Any], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for name, value in table.items():
            found |= told(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
        return found

    wanted = names(settings.GateSettings) - {"folder", "identity"}
    assert wanted == {name for name in told(said) if not name.startswith("identity.")}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("[limits]\nbody-bytes = 2000", "did you mean body-bytes-max"),
        ("[listn]", "did you mean listen"),
        ("[listen]\nhots = '::1'", "did you mean host"),
        ("[identity]\naccount = ['x-user-id']", "did you mean account_id"),
        ("folder = '/etc'", "known are"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest(tmp_path: Path, line: str, hint: str) -> None:
    error = refused(tmp_path, line + "\n" + LEAST if line.startswith("folder") else LEAST + line)
    assert error.ident == "unknown-setting"
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    "lines",
    [
        "[limits]\nbody-bytes-max = 2",
        "[limits]\ndeadline-ms = 'soon'",
        "[listen]\nport = 70000",
        "[admin]\nport = 8440",
        "[doors]\nproxy = true",
        "[upstream]\nurl = 'file:///etc/passwd'",
        "[upstream]\nurl = 'https://user:secret@models.example'",
        "[state]\nurl = 'redis://:secret@127.0.0.1'",
        "[state]\nurl = 'http://127.0.0.1'",
        "[telemetry]\notlp-endpoint = 'gopher://x'",
        "[identity]\naccount_id = true",
        "[identity]\naccount_by_key = ['x']",
        "[telemetry]\nlog-level = 'loud'",
    ],
)
def test_a_value_that_cannot_be_is_refused_and_not_repeated(tmp_path: Path, lines: str) -> None:
    error = refused(tmp_path, LEAST + lines)
    assert error.ident == "wrong-gate-setting"
    assert "secret" not in error.message.replace("holds a secret", "")


def test_an_admin_address_that_others_reach_needs_a_token(tmp_path: Path) -> None:
    assert refused(tmp_path, LEAST + "[admin]\nhost = '0.0.0.0'").ident == "admin-needs-token"
    assert loaded(tmp_path, LEAST + "[admin]\nhost = '0.0.0.0'\ntoken-file = 'admin.token'").admin.token_file


@pytest.mark.parametrize("text", [LEAST.replace("[policy]", "[polic"), LEAST.replace('keys = ["issuer.pub"]', "")])
def test_half_a_file_is_refused(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text).ident in {"config-not-toml", "wrong-gate-setting"}


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 5_000])
def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Error) as caught:
        settings.read_token(tmp_path / "token")
    assert caught.value.ident == "no-such-token-file"
    with pytest.raises(Error):
        settings.read_token(tmp_path / "none")
