from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch import config
from stillwatch.errors import Error


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold() -> None:
    assert config.load(None, {}, {}) == config.Settings()


def test_an_option_goes_before_the_environment_and_the_environment_before_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "s.toml", 'fdr = 0.1\nseed = 7\nengine = "embedded"\n')
    settings = config.load(file, {"STILLWATCH_FDR": "0.2", "STILLWATCH_SEED": "8"}, {"fdr": 0.3})
    assert (settings.fdr, settings.seed) == (0.3, 8)


def test_fields_of_the_file_and_of_the_command_are_joined(tmp_path: Path) -> None:
    file = write(tmp_path / "s.toml", '[fields]\naccount_id = "a"\nclient_ip = "b"\n')
    settings = config.load(file, {}, {"fields": {"account_id": "c"}})
    assert settings.fields == {"account_id": "c", "client_ip": "b"}


def test_companions_come_from_a_variable_by_commas() -> None:
    assert config.load(None, {"STILLWATCH_COMPANIONS": "a.json,b.json"}, {}).companions == (
        "a.json",
        "b.json",
    )


def test_other_programs_variables_are_none_of_ours() -> None:
    assert config.load(None, {"HOME": "/", "STILLWATCH_DEBUG": "1"}, {}) == config.Settings()


def test_a_misspelt_setting_is_refused_and_the_nearest_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "s.toml", "rejected_max = 0.5\n")
    with pytest.raises(Error) as refused:
        config.load(file, {}, {})
    assert refused.value.ident == "unknown-setting"
    assert refused.value.hint == "did you mean rejected-max"


def test_a_misspelt_variable_is_refused_lest_a_run_go_without_its_key() -> None:
    with pytest.raises(Error) as refused:
        config.load(None, {"STILLWATCH_KEYFILE": "k"}, {})
    assert refused.value.ident == "unknown-setting"
    assert refused.value.hint == "did you mean key-file"


def test_a_misspelt_column_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(Error) as refused:
        config.load(None, {}, {"fields": {"acount_id": "tenant"}})
    assert refused.value.ident == "unknown-column"
    assert refused.value.hint == "did you mean account_id"


@pytest.mark.parametrize(
    "line",
    ['fdr = "high"', "fdr = 0", "fdr = 0.9", "seed = -1", "seed = 1.5", "rejected-max = 2", "companions = 3",
     "sampled-weight = 0.5", "fields = 3", "[fields]\naccount_id = 3", "key-file = 1"],
)  # fmt: skip
def test_a_value_out_of_its_range_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(Error) as refused:
        config.load(write(tmp_path / "s.toml", line), {}, {})
    assert refused.value.ident == "wrong-setting"
    assert refused.value.where.endswith("s.toml")


@given(st.text(max_size=40))
def test_no_value_of_a_variable_ends_in_anything_but_a_setting_or_an_error(value: str) -> None:
    for name in ("STILLWATCH_FDR", "STILLWATCH_SEED", "STILLWATCH_FORMAT", "STILLWATCH_FIELDS"):
        with contextlib.suppress(Error):
            config.load(None, {name: value}, {})


@pytest.mark.parametrize("content", [b"fdr =", b"\xff\xfe\x00", b"# " + b"x" * config.CONFIG_BYTES_MAX])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s.toml"
    file.write_bytes(content)
    with pytest.raises(Error) as refused:
        config.load(file, {}, {})
    assert refused.value.ident == "config-not-toml"


def test_a_settings_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Error) as refused:
        config.load(tmp_path / "none.toml", {}, {})
    assert refused.value.ident == "no-such-config"


def test_a_key_is_read_without_the_white_space_an_editor_adds(tmp_path: Path) -> None:
    file = write(tmp_path / "key", "  sixteen bytes or more\n")
    assert config.read_key(str(file)) == b"sixteen bytes or more"


def test_without_a_key_file_there_is_no_key() -> None:
    assert config.read_key(None) is None


@pytest.mark.parametrize(
    ("content", "ident"),
    [("short\n", "key-too-short"), ("x" * 5000, "key-too-long"), (None, "no-such-key-file")],
)
def test_an_unfit_key_file_is_refused_without_showing_it(tmp_path: Path, content: str | None, ident: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Error) as refused:
        config.read_key(str(file))
    assert refused.value.ident == ident
    assert "short" not in refused.value.message.replace("too-short", "")
