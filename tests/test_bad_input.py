"""Bad input as a user meets it: a counted rejection, or a line that says what is wrong and one that says what to do."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillwatch.cli import main as cli

Captured = pytest.CaptureFixture[str]

CALLS = 400
"""With --rejected-max at its one per cent, up to four of them may be bad."""


def call(n: int, **changed: Any) -> bytes:
    plain = {
        "event_id": f"e{n}", "time": 1_780_000_000 + n * 60, "account_id": f"account-{n % 7}",
        "request_model": "model-a", "input_text": f"please tell me about subject {n}",
    }  # fmt: skip
    return json.dumps(plain | changed).encode() + b"\n"


GOOD = b"".join(call(n) for n in range(CALLS))


def detect(log: Path, out: Path, *more: str) -> int:
    return cli.run(["detect", str(log), "--out", str(out), "--no-progress", *more])


def rejected(run_dir: Path) -> list[tuple[int, str, str]]:
    lines = [json.loads(line) for line in (run_dir / "rejected.jsonl").read_text().splitlines()]
    return [(line["line"], line["reason"], line.get("detail", "")) for line in lines]


BAD_RECORDS = {
    "no JSON": (b"this is a line of text\n", "not-json", ""),
    "cut off in the middle": (call(999)[:40], "not-json", ""),
    "broken UTF-8": (call(999).replace(b"account-5", b"\xff\xfe"), "broken-utf8", ""),
    "a NUL byte": (call(999).replace(b"e999", b"\0"), "nul-byte", ""),
    "50 MB on a line": (call(999, input_text="x" * 50_000_000), "line-too-long", "over 16777216 bytes"),
    "nested without end": (b"[" * 100_000 + b"\n", "nested-too-deep", ""),
    "a number for a name": (call(999, account_id=7), "wrong-type", "account_id"),
    "a name for a number": (call(999, max_tokens="many"), "wrong-type", "max_tokens"),
    "nobody's call": (call(999, account_id=None), "missing-field", "account_id"),
    "a time in milliseconds": (call(999, time=1_780_000_000_000), "time-out-of-range", "time looks like milliseconds"),
    "a time in words": (call(999, time="yesterday"), "bad-time", "time"),
    "a text where a record should be": (b'"a text that is JSON"\n', "wrong-type", "record"),
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_a_bad_record_is_counted_by_its_line_and_reason_and_ends_nothing(
    name: str, tmp_path: Path, capsys: Captured
) -> None:
    record, reason, detail = BAD_RECORDS[name]
    (tmp_path / "log.jsonl").write_bytes(GOOD + record)
    assert detect(tmp_path / "log.jsonl", tmp_path / "run") == 0
    assert rejected(tmp_path / "run") == [(CALLS + 1, reason, detail)]
    assert f"1 × {reason}" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["events_count"] == CALLS


def test_a_cut_gzip_gives_the_calls_before_the_cut_and_says_that_it_was_cut(tmp_path: Path, capsys: Captured) -> None:
    packed = gzip.compress(GOOD)
    (tmp_path / "log.jsonl.gz").write_bytes(packed[: len(packed) * 9 // 10])
    assert detect(tmp_path / "log.jsonl.gz", tmp_path / "run") == 0
    assert [reason for _, reason, _ in rejected(tmp_path / "run")] == ["file-cut"]
    assert "1 × file-cut" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["events_count"] > CALLS // 2


def test_a_repeated_event_is_counted_once_and_said(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(GOOD + GOOD)
    assert detect(tmp_path / "log.jsonl", tmp_path / "run") == 0
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (facts["events_count"], facts["duplicates_count"]) == (CALLS, CALLS)


def an_empty_file(log: Path) -> None:
    (log / "events.jsonl").write_bytes(b"")


def a_folder_without_logs(log: Path) -> None:
    (log / "readme.txt").write_text("the logs are elsewhere")


def a_gzip_cut_in_its_head(log: Path) -> None:
    (log / "events.jsonl.gz").write_bytes(gzip.compress(GOOD)[:15])


def damaged_bytes(log: Path) -> None:
    (log / "events.parquet").write_bytes(b"PAR1" + b"\0" * 1000)


def times_in_another_unit(log: Path) -> None:
    (log / "events.jsonl").write_bytes(b"".join(call(n, time=1_780_000_000_000 + n) for n in range(CALLS)))


def a_pipe_in_a_folder(log: Path) -> None:
    os.mkfifo(log / "events.jsonl")


def some_other_json(log: Path) -> None:
    (log / "events.jsonl").write_bytes(b'{"colour": "red"}\n' * 50)


FATAL: list[tuple[Callable[[Path], None], str, str]] = [
    (an_empty_file, "no record could be read", "empty"),
    (a_folder_without_logs, "no log file in this folder", ".jsonl"),
    (a_gzip_cut_in_its_head, "no record could be read", "damaged"),
    (damaged_bytes, "no record could be read", "damaged"),
    (times_in_another_unit, "time looks like milliseconds", "stillwatch formats"),
    (a_pipe_in_a_folder, "no log file in this folder", ".jsonl"),
    (some_other_json, "no dialect fits", "--format"),
]


@pytest.mark.parametrize(("make", "said", "hinted"), FATAL, ids=[make.__name__ for make, _, _ in FATAL])
def test_a_log_that_cannot_be_used_is_refused_with_a_hint_and_leaves_nothing(
    make: Callable[[Path], None], said: str, hinted: str, tmp_path: Path, capsys: Captured
) -> None:
    log = tmp_path / "logs"
    log.mkdir()
    make(log)
    assert detect(log, tmp_path / "run") == cli.EXIT_ERROR
    error, hint = [line for line in capsys.readouterr().err.splitlines() if ": reading as" not in line]
    assert error.startswith("stillwatch: error: ")
    assert said in error
    assert hint.startswith("stillwatch: hint: ")
    assert hinted in hint
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


@pytest.mark.parametrize("name", ["a pipe", "a link to a pipe", "a device"])
def test_a_pipe_or_a_device_is_refused_before_anybody_waits_for_it(name: str, tmp_path: Path, capsys: Captured) -> None:
    os.mkfifo(tmp_path / "a pipe")
    (tmp_path / "a link to a pipe").symlink_to(tmp_path / "a pipe")
    (tmp_path / "a device").symlink_to("/dev/zero")
    assert detect(tmp_path / name, tmp_path / "run") == cli.EXIT_ERROR
    said = capsys.readouterr().err
    assert "it is a pipe or a device" in said
    assert "write it to a file first" in said
    assert not (tmp_path / "run").exists()


CODE = "import sys; from stillwatch.cli.main import run; sys.exit(run(sys.argv[1:]))"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}


def test_a_file_that_vanishes_while_another_is_read_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    """The first file takes seconds to read; the last one goes when the run has said that it reads."""
    log = tmp_path / "logs"
    log.mkdir()
    with (log / "a.jsonl").open("wb") as first:
        first.writelines(GOOD for _ in range(600))
    (log / "z.jsonl").write_bytes(GOOD)
    running = subprocess.Popen(
        [sys.executable, "-c", CODE, "detect", str(log), "--out", str(tmp_path / "run"), "--no-progress"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    assert running.stderr is not None
    assert b"reading as canonical" in running.stderr.readline()
    (log / "z.jsonl").unlink()
    _, said = running.communicate(timeout=60)
    assert running.returncode == cli.EXIT_ERROR
    assert b"a file was listed but is gone now" in said
    assert b"stillwatch: hint: run again once the log is no longer rotated" in said
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
