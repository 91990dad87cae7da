from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from stillwatch.adapters.growing import Looks, digest_of, whole_lines
from stillwatch.adapters.source import json_values, list_files
from stillwatch.errors import Error

PATIENCE = 3_600.0


class Watched:
    """A folder that is looked at once a minute; `look` returns what is taken, by name, and how far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looks = Looks()
        self.now = 0.0

    def look(self) -> dict[str, int | None]:
        self.now += 60.0
        ready = self.looks.look((str(self.folder),), self.now, PATIENCE)
        for file in ready:
            self.looks.take(file, self.now)
        return {Path(file.uri).name: file.end_bytes for file in ready}


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_file_is_taken_once_it_rests_and_then_never_again(watched: Watched) -> None:
    assert watched.look() == {}
    (watched.folder / "a.jsonl").write_text('{"n": 1}\n')
    assert watched.look() == {}
    assert watched.look() == {"a.jsonl": None}
    assert watched.look() == {}


def test_a_file_that_grows_after_it_was_taken_is_taken_again_when_it_rests(watched: Watched) -> None:
    path = watched.folder / "a.jsonl"
    path.write_text('{"n": 1}\n')
    assert [watched.look(), watched.look()] == [{}, {"a.jsonl": None}]
    with path.open("a") as stream:
        stream.write('{"n": 2}\n')
    assert [watched.look(), watched.look(), watched.look()] == [{}, {"a.jsonl": None}, {}]


def grow(path: Path, watched: Watched, text: str = '{"n": 1}\n') -> dict[str, int | None]:
    with path.open("a") as stream:
        stream.write(text)
    return watched.look()


def test_lines_that_never_rest_are_taken_as_they_stand_once_in_a_while_without_the_unfinished_one(
    watched: Watched,
) -> None:
    path = watched.folder / "a.jsonl"
    said = [grow(path, watched) for _ in range(60)]
    assert not any(said)
    assert grow(path, watched, '{"unfini') == {"a.jsonl": 60 * 9}
    assert not any(grow(path, watched, 'shed": 1}\n' + '{"n": 1}\n') for _ in range(59))
    assert grow(path, watched, '{"a": 1}\n{"b"')["a.jsonl"] is not None
    assert watched.look() == {"a.jsonl": None}, "and whole, once it rests"


@pytest.mark.parametrize(
    ("name", "body"),
    [("a.jsonl.gz", gzip.compress), ("a.jsonl", gzip.compress), ("a.json", bytes), ("a.parquet", bytes)],
)
def test_what_cannot_be_cut_at_a_line_waits_until_it_rests(
    watched: Watched, name: str, body: Callable[[bytes], bytes]
) -> None:
    path = watched.folder / name
    for _ in range(70):
        with path.open("ab") as stream:
            stream.write(body(b'{"n": 1}\n'))
        assert watched.look() == {}
    assert watched.look() == {name: None}


def test_a_file_that_is_gone_is_forgotten(watched: Watched) -> None:
    path = watched.folder / "a.jsonl"
    path.write_text('{"n": 1}\n')
    assert [watched.look(), watched.look()] == [{}, {"a.jsonl": None}]
    path.unlink()
    watched.look()
    assert watched.looks == Looks()


def test_a_folder_that_is_not_there_is_an_error_and_an_empty_one_is_none(tmp_path: Path) -> None:
    looks = Looks()
    assert looks.look((str(tmp_path), str(tmp_path / "*.jsonl")), 0.0, PATIENCE) == []
    with pytest.raises(Error) as refused:
        looks.look((str(tmp_path / "typo"),), 0.0, PATIENCE)
    assert refused.value.ident == "no-such-input"


def test_a_file_up_to_its_last_whole_line_reads_as_if_it_ended_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}\n{"unfin')
    (file,) = list_files((str(path),))
    lines = whole_lines(file)
    assert lines is not None
    rejected: list[object] = []
    assert [value for _, value in json_values(lines, rejected.append)] == [{"n": 1}, {"n": 2}]
    assert rejected == []
    before = digest_of(lines)
    path.write_text('{"n": 1}\n{"n": 2}\n{"unfinished": 1}\n')
    assert digest_of(lines) == before
    (file,) = list_files((str(path),))
    assert digest_of(file) != before


def test_a_file_without_a_whole_line_has_nothing_to_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"unfin')
    (file,) = list_files((str(path),))
    assert whole_lines(file) is None
