"""Which dialect a log is in: told, or found out from content where exactly one fits."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from stillwatch.adapters.choice import ADAPTERS, adapter_named, choose
from stillwatch.adapters.contract import ReadSettings, Rejection
from stillwatch.adapters.source import list_files
from stillwatch.errors import Error
from stillwatch.event import EVENT_SCHEMA, LOSSES

CANONICAL = {"event_id": "e", "time": 1_790_000_000, "account_id": "a", "request_model": "m"}
ENVOY = {"start_time": "2026-09-21T14:13:20Z", "gen_ai.request.model": "m", "response_code": 200}
KONG = {"request": {}, "response": {}, "ai": {"proxy": {"meta": {"request_model": "m"}, "usage": {}}}}
OTLP = {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": []}]}]}]}


def logged(folder: Path, name: str, *records: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def chosen(folder: Path, wanted: str = "auto") -> str:
    choice = choose(list_files([str(folder)]), wanted)
    assert choice.reason
    return choice.adapter.DIALECT.ident


def refusal(folder: Path) -> Error:
    with pytest.raises(Error) as caught:
        chosen(folder)
    return caught.value


@pytest.mark.parametrize(
    ("record", "ident"), [(CANONICAL, "canonical"), (ENVOY, "gateway"), (KONG, "gateway"), (OTLP, "otel")]
)
def test_the_dialect_is_told_by_content_not_by_name(tmp_path: Path, record: object, ident: str) -> None:
    logged(tmp_path, "bedrock-litellm-otel-canonical.jsonl", record)
    assert chosen(tmp_path) == ident


def test_a_log_that_changes_its_dialect_is_not_guessed_at(tmp_path: Path) -> None:
    logged(tmp_path, "1.jsonl", CANONICAL)
    logged(tmp_path, "2.jsonl", ENVOY)
    error = refusal(tmp_path)
    assert error.ident == "format-unknown"
    assert "canonical, gateway" in error.message


def test_a_record_that_fits_two_dialects_is_not_guessed_at(tmp_path: Path) -> None:
    logged(tmp_path, "1.jsonl", CANONICAL | ENVOY)
    error = refusal(tmp_path)
    assert error.ident == "format-ambiguous"
    assert "canonical: " in error.message
    assert "gateway: " in error.message


@pytest.mark.parametrize(
    "octets", [b'{"level":"info"}\n', b"plain text\n", b"\xff\xfe\0\0", gzip.compress(b"x", mtime=0)[:9]]
)
def test_what_no_dialect_fits_is_an_error_with_a_way_out(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "app.log").write_bytes(octets)
    error = refusal(tmp_path)
    assert error.ident == "format-unknown"
    assert "stillwatch formats" in error.hint


def test_empty_files_do_not_hide_the_dialect(tmp_path: Path) -> None:
    for name in ("0", "1", "3", "9"):
        logged(tmp_path, f"{name}.jsonl")
    logged(tmp_path, "2.jsonl", CANONICAL)
    assert chosen(tmp_path) == "canonical"


def test_empty_files_alone_are_an_error(tmp_path: Path) -> None:
    logged(tmp_path, "0.jsonl")
    assert refusal(tmp_path).message == "no record could be read from the files"


@pytest.mark.parametrize("ident", [adapter.DIALECT.ident for adapter in ADAPTERS])
def test_a_format_that_is_named_is_taken_and_the_wrong_one_rejects_and_does_not_fail(
    tmp_path: Path, ident: str
) -> None:
    logged(tmp_path, "1.jsonl", "text", 7, [1])
    assert chosen(tmp_path, ident) == ident
    rejected: list[Rejection] = []
    for file in list_files([str(tmp_path)]):
        assert list(adapter_named(ident).read(file, ReadSettings(), rejected.append)) == []
    assert rejected


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        adapter_named("syslog")
    assert caught.value.ident == "unknown-format"
    assert "raw-pairs" in caught.value.hint


def test_every_dialect_declares_columns_and_losses_that_exist() -> None:
    assert len({adapter.DIALECT.ident for adapter in ADAPTERS}) == 6
    for adapter in ADAPTERS:
        assert adapter.DIALECT.columns <= set(EVENT_SCHEMA.names)
        assert set(adapter.DIALECT.losses) <= set(LOSSES)
