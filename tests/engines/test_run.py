from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.cli import main as cli
from stillwatch.engines.run import detect
from stillwatch.errors import Error
from tests.engines.logs import WORLD, ActsAt, BrokenError, FailsAt, request
from tests.scenes.scene import Found, Silent, write_lines

STAGES = ["read", "families", "test", "look again", "power"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("where", ["add", "finish"])
def test_a_run_that_fails_leaves_nothing(where: str, tmp_path: Path) -> None:
    asked = request(tmp_path)
    with pytest.raises(BrokenError):
        detect(asked, Silent(), FailsAt(where))
    assert list(asked.out.parent.iterdir()) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_is_interrupted_leaves_nothing(stage: str, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    asked = request(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        detect(asked, ActsAt(stage, interrupt))
    assert list(asked.out.parent.iterdir()) == []


def test_force_keeps_the_earlier_run_until_the_new_one_is_whole(tmp_path: Path) -> None:
    asked = request(tmp_path)
    detect(asked, Silent())
    before = contents(asked.out)
    again = replace(asked, force=True, seed=5)
    with pytest.raises(BrokenError):
        detect(again, Silent(), FailsAt("finish"))
    assert contents(asked.out) == before
    detect(again, Silent())
    assert contents(asked.out) != before
    assert [path.name for path in asked.out.parent.iterdir()] == ["run"]


def test_an_earlier_run_is_in_place_while_the_new_one_is_made(tmp_path: Path) -> None:
    asked = request(tmp_path)
    detect(asked, Silent())
    seen = []
    detect(replace(asked, force=True), ActsAt("look again", lambda: seen.append((asked.out / "run.json").exists())))
    assert seen == [True]


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    asked = request(tmp_path)
    asked.out.mkdir(parents=True)
    (asked.out / "notes.txt").write_text("mine")
    for force, ident in ((False, "out-not-empty"), (True, "out-not-a-run")):
        with pytest.raises(Error) as refused:
            detect(replace(asked, force=force), Silent())
        assert refused.value.ident == ident
    assert contents(asked.out) == {"notes.txt": b"mine"}


def test_an_empty_folder_is_as_good_as_none(tmp_path: Path) -> None:
    asked = request(tmp_path)
    asked.out.mkdir(parents=True)
    assert detect(asked, Silent()).campaigns_count == 1


def test_a_run_writes_its_files_and_no_working_files(tmp_path: Path) -> None:
    asked = request(tmp_path)
    outcome = detect(asked, Silent())
    assert outcome.run_dir == asked.out
    assert sorted(contents(asked.out)) == [
        "accounts.parquet", "activity.parquet", "campaigns.jsonl", "considered.parquet", "exchanges.parquet",
        "groups.jsonl", "rejected.jsonl", "run.json", "signatures.jsonl",
    ]  # fmt: skip
    told = json.loads((asked.out / "run.json").read_text())
    assert [stage["name"] for stage in told["stages"]] == STAGES
    assert told["events_count"] == len(WORLD.events)
    assert told["window"]["start"] < told["window"]["end"]


def test_repeats_are_counted_once_and_told(tmp_path: Path) -> None:
    asked = request(tmp_path, [*WORLD.events, *WORLD.events[:300]])
    detect(asked, Silent())
    told = Found.read(asked.out).run
    assert (told["events_count"], told["duplicates_count"]) == (len(WORLD.events), 300)


def test_bad_records_are_kept_by_line_and_reason_and_too_many_of_them_end_the_run(tmp_path: Path) -> None:
    bad = [{"event_id": f"bad-{n}", "time": "no time", "account_id": "a", "request_model": "m"} for n in range(9)]
    asked = request(tmp_path, [*WORLD.events, *bad])
    with pytest.raises(Error) as refused:
        detect(replace(asked, rejected_max=0.001), Silent())
    assert refused.value.ident == "too-many-rejected"
    assert not asked.out.exists()
    detect(replace(asked, rejected_max=0.1), Silent())
    kept = [json.loads(line) for line in (asked.out / "rejected.jsonl").read_text().splitlines()]
    assert [row["line"] for row in kept] == list(range(len(WORLD.events) + 1, len(WORLD.events) + 10))
    assert "no time" not in (asked.out / "rejected.jsonl").read_text()
    assert Found.read(asked.out).run["rejected_count"] == 9


def test_a_log_without_an_event_is_an_error(tmp_path: Path) -> None:
    asked = request(tmp_path, [{"event_id": "e", "time": "no time", "account_id": "a", "request_model": "m"}])
    with pytest.raises(Error) as refused:
        detect(asked, Silent())
    assert refused.value.ident == "no-events"


def test_a_log_that_is_gone_at_the_second_look_is_an_error_and_no_half_answer(tmp_path: Path) -> None:
    asked = request(tmp_path)
    with pytest.raises(Error) as refused:
        detect(asked, ActsAt("look again", Path(asked.events[0]).unlink))
    assert refused.value.ident == "input-vanished"
    assert list(asked.out.parent.iterdir()) == []


def test_a_log_that_lost_some_flagged_calls_in_the_meantime_is_an_error_too(tmp_path: Path) -> None:
    asked = request(tmp_path)
    shorter = [event for at, event in enumerate(WORLD.events) if at % 50]
    with pytest.raises(Error) as refused:
        detect(asked, ActsAt("look again", lambda: write_lines(Path(asked.events[0]), shorter)))
    assert refused.value.ident == "log-changed"
    assert list(asked.out.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "ident"),
    [({"engine": "steam"}, "unknown-engine"), ({"fdr": 0.0}, "bad-fdr"), ({"fdr": 1.0}, "bad-fdr")],
)
def test_a_request_that_makes_no_sense_is_refused_before_anything_is_written(
    settings: dict, ident: str, tmp_path: Path
) -> None:
    asked = request(tmp_path, **settings)
    with pytest.raises(Error) as refused:
        detect(asked, Silent())
    assert refused.value.ident == ident
    assert not asked.out.parent.exists()


def test_a_calibration_that_is_none_is_refused(tmp_path: Path) -> None:
    asked = request(tmp_path)
    assert asked.calibration is not None
    asked.calibration.write_text('{"scores": 99}')
    with pytest.raises(Error) as refused:
        detect(asked, Silent())
    assert refused.value.ident == "bad-calibration"
    assert not asked.out.parent.exists()


def test_without_accounts_the_signals_that_need_them_say_so(tmp_path: Path) -> None:
    asked = replace(request(tmp_path), accounts=())
    detect(asked, Silent())
    states = {state["ident"]: state for state in Found.read(asked.out).run["signals"]}
    assert states["birth-cohort"]["status"] == "skipped"
    assert "created_at" in states["birth-cohort"]["reason"]
    assert states["pool-dispatch"]["status"] == "ran"


def test_two_keys_give_two_sets_of_pseudonyms_and_one_answer(tmp_path: Path) -> None:
    found = []
    for key in (b"the key of one provider", b"the key of another one"):
        folder = tmp_path / key.decode().replace(" ", "-")
        folder.mkdir()
        asked = request(folder, key=key)
        detect(asked, Silent())
        found.append(Found.read(asked.out))
    one, other = found
    assert one.campaigns[0]["campaign_id"] != other.campaigns[0]["campaign_id"]
    assert {row["account_id"] for row in one.accounts} == {row["account_id"] for row in other.accounts}
    assert one.run["key_ident"] != other.run["key_ident"]


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of so many KiB; only root may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={request.param}k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root: " + " ".join(command))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# The sizes stop a run at its first file, among the traces, and in the statements that drop repeats.
@pytest.mark.parametrize("small_disk", [8, 64, 150], indirect=True)
def test_a_full_disk_is_said_in_plain_words_and_leaves_nothing(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_lines(tmp_path / "events.jsonl", [*WORLD.events, *WORLD.events])
    assert cli.run(["detect", str(log), "--out", str(small_disk / "run"), "--no-progress"]) == cli.EXIT_ERROR
    assert "the disk is full" in capsys.readouterr().err
    assert list(small_disk.iterdir()) == []


def test_a_run_says_what_it_could_have_found_and_the_same_each_time(tmp_path: Path) -> None:
    said = []
    for name in ("one", "other"):
        asked = request(tmp_path, power=True, out=tmp_path / name)
        detect(asked, Silent())
        said.append(Found.read(asked.out).run["power"])
    assert said[0] == said[1]
    assert any(each["accounts_half"] for each in said[0])
    assert all(each["accounts_half"] or each["reason_blind"] for each in said[0])
