"""Where files are found, and what becomes of bytes that are not what they should be."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters.contract import LogFile, Rejection
from stillwatch.adapters.source import (
    LINE_BYTES_MAX,
    decode_json,
    json_values,
    list_files,
    read_head,
)
from stillwatch.errors import Error

Pack = Callable[[bytes], bytes]


def as_zstd(octets: bytes) -> bytes:
    return bytes(pa.compress(octets, codec="zstd", asbytes=True))


each_packing = pytest.mark.parametrize("pack", [gzip.compress, as_zstd], ids=["gzip", "zstd"])


def numbered(count: int) -> bytes:
    """Lines that hardly compress, so that half a file holds about half of them."""
    return b"".join(b'{"n":%d,"t":"%s"}\n' % (n, os.urandom(20).hex().encode()) for n in range(count))


def written(folder: Path, octets: bytes, name: str = "log.jsonl") -> LogFile:
    path = folder / name
    path.write_bytes(octets)
    return LogFile(str(path), len(octets))


def values(folder: Path, octets: bytes) -> tuple[list[tuple[int, Any]], list[tuple[int, str]]]:
    rejected: list[Rejection] = []
    found = list(json_values(written(folder, octets), rejected.append))
    return found, [(rejection.line, rejection.reason) for rejection in rejected]


def names(files: list[LogFile], folder: Path) -> list[str]:
    return [Path(file.uri).relative_to(folder).as_posix() for file in files]


# Finding files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.jsonl",
        "a.json.gz",
        "day=2026-03-02/hour=04/part.parquet",
        "day=2026-03-02/part.ndjson.zst",
        "NOTES.txt",
        "_SUCCESS",
        ".hidden.jsonl",
        "_delta_log/0.json",
        "upper.JSONL",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}\n")
    return tmp_path


def test_a_folder_gives_its_logs_to_the_bottom_and_leaves_bookkeeping_out(folder: Path) -> None:
    assert names(list_files([str(folder)]), folder) == [
        "a.json.gz",
        "b.jsonl",
        "day=2026-03-02/hour=04/part.parquet",
        "day=2026-03-02/part.ndjson.zst",
        "upper.JSONL",
    ]


def test_a_file_named_twice_is_read_once_and_any_suffix_will_do(folder: Path) -> None:
    listed = list_files([str(folder / "NOTES.txt"), str(folder / "b.jsonl"), f"file://{folder}/b.jsonl"])
    assert names(listed, folder) == ["NOTES.txt", "b.jsonl"]
    assert [file.size_bytes for file in listed] == [3, 3]


def test_a_glob_is_expanded_and_a_name_with_brackets_is_still_a_name(folder: Path) -> None:
    (folder / "odd[1].jsonl").write_bytes(b"{}\n")
    assert names(list_files([str(folder / "*.json*")]), folder) == ["a.json.gz", "b.jsonl", "odd[1].jsonl"]
    assert names(list_files([str(folder / "odd[1].jsonl")]), folder) == ["odd[1].jsonl"]
    assert names(list_files([str(folder / "day=*")]), folder) == [
        "day=2026-03-02/hour=04/part.parquet",
        "day=2026-03-02/part.ndjson.zst",
    ]


def test_a_folder_that_links_to_itself_is_walked_once(folder: Path) -> None:
    (folder / "again").symlink_to(folder)
    assert len(list_files([str(folder)])) == 5


def test_any_location_that_fsspec_knows_can_be_read() -> None:
    place = f"memory://{uuid.uuid4().hex}"
    with fsspec.open(f"{place}/logs/part.jsonl", "wb") as file:
        file.write(b'{"a":1}\n')
    (listed,) = list_files([place])
    assert listed.uri.startswith("memory://")
    assert list(json_values(listed, pytest.fail)) == [(1, {"a": 1})]


def test_a_folder_without_logs_says_what_logs_are_called(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")
    with pytest.raises(Error, match="no log file") as caught:
        list_files([str(tmp_path)])
    assert caught.value.ident == "no-logs-found"
    assert ".parquet" in caught.value.hint


@pytest.mark.parametrize("missing", ["nowhere.jsonl", "nowhere/*.jsonl"])
def test_an_input_that_is_not_there_is_an_error(tmp_path: Path, missing: str) -> None:
    with pytest.raises(Error) as caught:
        list_files([str(tmp_path / missing)])
    assert caught.value.ident == "no-such-input"


def test_an_unknown_kind_of_location_is_an_error() -> None:
    with pytest.raises(Error) as caught:
        list_files(["nosuchprotocol://bucket/logs"])
    assert caught.value.ident == "input-protocol"


def test_a_file_that_vanishes_after_listing_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, b"{}\n")
    (file,) = list_files([str(tmp_path)])
    Path(file.uri).unlink()
    for read in (lambda: list(json_values(file, pytest.fail)), lambda: read_head(file)):
        with pytest.raises(Error) as caught:
            read()
        assert caught.value.ident == "input-vanished"


# Layouts


def test_lines_are_numbered_from_one_and_blank_ones_are_passed_over(tmp_path: Path) -> None:
    octets = b'\xef\xbb\xbf\n{"a":1}\r\n \n{"a":2}'
    assert values(tmp_path, octets) == ([(2, {"a": 1}), (4, {"a": 2})], [])


@pytest.mark.parametrize(
    "octets",
    [
        b'[{"a":{"b":[1]}},{"a":"],["}]',
        b' [\n{"a":{"b":[1]}},\n{"a":"],["}\n]\n',
        b'[{"a":{"b":[1]}}]\n[]\n[{"a":"],["}]\n',
        json.dumps([{"a": {"b": [1]}}, {"a": "],["}], indent=2).encode(),
        b"\n".join(json.dumps(one, indent=4).encode() for one in ({"a": {"b": [1]}}, {"a": "],["})),
    ],
    ids=["one line", "a member a line", "an array a line", "pretty array", "pretty objects"],
)
def test_arrays_and_pretty_objects_give_their_records(tmp_path: Path, octets: bytes) -> None:
    found, rejected = values(tmp_path, octets)
    assert [value for _, value in found] == [{"a": {"b": [1]}}, {"a": "],["}]
    assert rejected == []


def test_a_member_of_an_array_has_the_line_it_starts_on(tmp_path: Path) -> None:
    found, _ = values(tmp_path, b'[\n{"a":\n1},\n{"a":2}]\n[{"a":3}]')
    assert [line for line, _ in found] == [2, 4, 5]


@pytest.mark.parametrize("octets", [b"", b"\n\n", b"[]", gzip.compress(b"", mtime=0)])
def test_an_empty_file_has_no_values_and_no_faults(tmp_path: Path, octets: bytes) -> None:
    assert values(tmp_path, octets) == ([], [])


@given(
    records=st.lists(
        st.dictionaries(st.text(max_size=5), st.text() | st.integers(-(2**60), 2**60), min_size=1), max_size=8
    ),
    layout=st.sampled_from(["lines", "array", "pretty", "arrays"]),
    members=st.integers(1, 3),
)
def test_the_layout_does_not_change_the_records(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], layout: str, members: int
) -> None:
    text = {
        "lines": "\n".join(map(json.dumps, records)),
        "array": json.dumps(records),
        "pretty": "\n".join(json.dumps(record, indent=1) for record in records),
        "arrays": "\n".join(json.dumps(records[start : start + members]) for start in range(0, len(records), members)),
    }[layout]
    found, rejected = values(tmp_path_factory.mktemp("layout"), text.encode())
    assert [value for _, value in found] == records
    assert rejected == []


# Bad bytes


def test_each_broken_line_is_rejected_with_its_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [b'{"a":1}', b'{"a":"\xff"}', b'{"a":"\0"}', b'{"a":', b"[" * 20_000, b'{"a":1e999}', b'{"a":2}']
    assert values(tmp_path, b"\n".join(lines)) == (
        [(1, {"a": 1}), (7, {"a": 2})],
        [(2, "broken-utf8"), (3, "nul-byte"), (4, "not-json"), (5, "nested-too-deep"), (6, "not-json")],
    )


def test_a_broken_member_of_an_array_is_rejected_and_the_next_array_is_read(tmp_path: Path) -> None:
    octets = b'[{"a":1},{"a":"\xff"},{"a":"\0"},{"a":2},{"a":nothing},{"a":3}]\n[{"a":4}]\n'
    found, rejected = values(tmp_path, octets)
    assert [value["a"] for _, value in found] == [1, 2, 4]
    assert rejected == [(1, "broken-utf8"), (1, "nul-byte"), (1, "not-json")]


def test_half_a_surrogate_pair_hides_no_call(tmp_path: Path) -> None:
    """A client that adds one to every prompt would otherwise have all its records rejected."""
    found, rejected = values(tmp_path, rb'{"a":"cut \ud83d, kept \ud83d\ude00, text \\ud83d"}')
    assert found == [(1, {"a": "cut \ufffd, kept \U0001f600, text \\ud83d"})]
    assert rejected == []


@given(st.text())
def test_every_text_that_python_writes_as_json_is_read_back(text: str) -> None:
    assert decode_json(json.dumps(text)) == text


@pytest.mark.parametrize("before", [b'{"a":1}\n', b'[{"a":1},\n'], ids=["lines", "array"])
def test_a_line_of_fifty_megabytes_is_rejected_in_little_memory(tmp_path: Path, before: bytes) -> None:
    after = b'{"a":2}' + (b"]" if before.startswith(b"[") else b"")
    file = written(tmp_path, before + b'{"a":"' + b"x" * 50_000_000 + b'"},\n' + after)
    rejected: list[Rejection] = []
    tracemalloc.start()
    try:
        found = list(json_values(file, rejected.append))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [(1, {"a": 1}), (3, {"a": 2})]
    assert [(one.line, one.reason) for one in rejected] == [(2, "line-too-long")]
    assert peak_bytes < 6 * LINE_BYTES_MAX


def test_a_value_just_under_the_bound_is_read(tmp_path: Path) -> None:
    text = "x" * (LINE_BYTES_MAX - 100)
    for octets in (b'{"a":"%s"}' % text.encode(), b'[{"a":"%s"}]' % text.encode()):
        found, rejected = values(tmp_path, octets)
        assert found == [(1, {"a": text})]
        assert rejected == []


@each_packing
def test_a_compressed_file_is_known_by_its_bytes_and_may_have_several_members(tmp_path: Path, pack: Pack) -> None:
    found, rejected = values(tmp_path, pack(numbered(500)) + pack(numbered(500)))
    assert len(found) == 1000
    assert rejected == []


@each_packing
@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_cut_file_gives_its_whole_lines_and_says_that_it_was_cut(tmp_path: Path, pack: Pack, share: float) -> None:
    packed = pack(numbered(40_000))
    found, rejected = values(tmp_path, packed[: int(len(packed) * share)])
    assert [value["n"] for _, value in found] == list(range(len(found)))
    assert len(found) > 40_000 * share * 0.7
    assert rejected == [(len(found) + 1, "file-cut")]


@each_packing
def test_an_array_in_a_cut_file_gives_its_whole_members(tmp_path: Path, pack: Pack) -> None:
    packed = pack(b"[" + numbered(40_000).replace(b"\n", b",")[:-1] + b"]")
    found, rejected = values(tmp_path, packed[: len(packed) // 2])
    assert len(found) > 14_000
    assert [reason for _, reason in rejected] == ["file-cut"]


@each_packing
def test_rubbish_after_the_end_costs_no_line(tmp_path: Path, pack: Pack) -> None:
    found, rejected = values(tmp_path, pack(numbered(1000)) + b"rubbish after the end")
    assert len(found) == 1000
    assert rejected == [(1001, "file-damaged")]


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    folder = tmp_path_factory.mktemp("noise")
    for noise in (
        octets,
        b"[" + octets,
        b"{\n" + octets,
        b"\x1f\x8b\x08" + octets,
        b"\x28\xb5\x2f\xfd" + octets,
    ):
        values(folder, noise)
        read_head(written(folder, noise))
    read_head(written(folder, b"PAR1" + octets))


# Heads


def test_a_head_holds_the_first_records_only(tmp_path: Path) -> None:
    assert len(read_head(written(tmp_path, gzip.compress(numbered(1000)))).records) == 32
    large = b'{"a":"' + b"x" * 400_000 + b'"}\n'
    assert 1 <= len(read_head(written(tmp_path, large * 20)).records) <= 4


def test_a_head_passes_over_broken_records(tmp_path: Path) -> None:
    octets = b'\xff\n{"a":"' + b"x" * (LINE_BYTES_MAX + 1) + b'"}\n{"a":1}\n'
    assert read_head(written(tmp_path, octets)).records == ({"a": 1},)
