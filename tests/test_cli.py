from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch import __version__
from stillwatch.cli import main as cli
from stillwatch.cli.options import DIALECTS
from stillwatch.errors import Error
from tests.scenes.scene import write_calibration

Captured = pytest.CaptureFixture[str]

LOG = "".join(
    json.dumps(
        {
            "event_id": f"e{n}",
            "time": 1_780_000_000 + n * 60,
            "account_id": f"account-{n % 7}",
            "request_model": "model-a",
            "input_text": f"please tell me about subject {n}",
        }
    )
    + "\n"
    for n in range(60)
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "events.jsonl").write_text(LOG)
    return folder


def detect(log: Path, out: Path, *more: str) -> int:
    return cli.run(["detect", str(log), "--out", str(out), "--no-progress", *more])


def test_a_run_that_finds_nothing_ends_well_and_leaves_every_file(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert detect(log, tmp_path / "run") == 0
    assert "No campaign" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written >= {
        "run.json", "campaigns.jsonl", "accounts.parquet", "exchanges.parquet", "rejected.jsonl",
        "report.html",
    }  # fmt: skip


def ingest(log: Path, store: Path, *more: str) -> int:
    return cli.run(["ingest", str(log), "--store", str(store), "--no-progress", "--json", *more])


def test_a_store_is_filled_looked_at_closed_checked_and_pruned(log: Path, tmp_path: Path, capsys: Captured) -> None:
    store = str(tmp_path / "store")
    assert ingest(log, tmp_path / "store") == 0
    assert json.loads(capsys.readouterr().out)["events_count"] == 60
    assert ingest(log, tmp_path / "store") == 0
    assert json.loads(capsys.readouterr().out) | {"manifest_number": 0} == {
        "store": store, "manifest_number": 0, "files_count": 0, "known_files_count": 1, "events_count": 0,
        "too_old_count": 0, "rejected_count": 0, "days_closed": 0,
    }  # fmt: skip
    out = str(tmp_path / "run")
    assert cli.run(["detect", "--store", store, "--window", "2h", "--out", out, "--no-progress", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events_count"] == 60
    assert cli.run(["store", "close", store, "--before", "2027-01-01", "--json", "--no-progress"]) == 0
    assert json.loads(capsys.readouterr().out)["days_closed"] == 1
    assert cli.run(["store", "check", store, "--json", "--no-progress"]) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    assert cli.run(["store", "prune", store, "--keep", "1w"]) == 0
    assert cli.run(["store", "show", store, "--columns"]) == 0
    assert "closed" in capsys.readouterr().out


def test_a_damaged_store_is_told_with_status_one_and_repaired(log: Path, tmp_path: Path, capsys: Captured) -> None:
    store = tmp_path / "store"
    assert ingest(log, store) == 0
    part = next(store.rglob("*.traces.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    check = ["store", "check", str(store), "--no-progress"]
    capsys.readouterr()
    assert cli.run(check) == cli.EXIT_ERROR
    assert part.name in capsys.readouterr().out
    assert cli.run([*check, "--repair"]) == cli.EXIT_ERROR
    assert cli.run(check) == 0
    assert ingest(log, store) == 0


@pytest.mark.parametrize("window", ["30", "0d", "30 days", "-1d", "30m"])
def test_a_window_that_is_none_is_said(window: str, log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert ingest(log, tmp_path / "store") == 0
    words = ["detect", "--store", str(tmp_path / "store"), "--window", window, "--out", str(tmp_path / "run")]
    assert cli.run(words) == cli.EXIT_ERROR
    assert "30d" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_store_that_is_not_there_says_how_to_make_one(tmp_path: Path, capsys: Captured) -> None:
    assert cli.run(["store", "show", str(tmp_path / "store")]) == cli.EXIT_ERROR
    assert "stillwatch ingest" in capsys.readouterr().err


def test_bad_records_of_an_ingest_are_listed_where_it_says(log: Path, tmp_path: Path) -> None:
    (log / "more.jsonl").write_text("this is not JSON\n" * 3)
    rejected = tmp_path / "bad.jsonl"
    assert ingest(log, tmp_path / "store", "--rejected-max", "0.5", "--rejected", str(rejected)) == 0
    assert [json.loads(line)["line"] for line in rejected.read_text().splitlines()] == [1, 2, 3]


def test_json_goes_to_standard_output_alone_and_is_json(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert detect(log, tmp_path / "run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["events_count"] == 60


def test_the_dialect_that_was_chosen_and_why_is_said(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert detect(log, tmp_path / "run") == 0
    assert "canonical" in capsys.readouterr().err


def test_plain_lines_tell_where_a_run_is_when_nobody_watches(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert cli.run(["detect", str(log), "--out", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("stillwatch: ") for line in lines)
    assert any(line.startswith("stillwatch: read") for line in lines)


def test_fail_on_campaign_is_quiet_where_there_is_none(log: Path, tmp_path: Path) -> None:
    assert detect(log, tmp_path / "run", "--fail-on-campaign") == 0


def test_an_earlier_run_is_never_overwritten_without_force(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert detect(log, tmp_path / "run") == 0
    assert detect(log, tmp_path / "run") == cli.EXIT_ERROR
    assert "--force" in capsys.readouterr().err
    assert detect(log, tmp_path / "run", "--force") == 0


def test_an_error_is_a_line_and_a_hint_and_leaves_nothing_behind(tmp_path: Path, capsys: Captured) -> None:
    assert detect(tmp_path / "nowhere", tmp_path / "run") == cli.EXIT_ERROR
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith(("stillwatch: error: ", "stillwatch: hint: "))
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_too_many_bad_records_end_a_run_and_leave_no_output_that_looks_whole(log: Path, tmp_path: Path) -> None:
    (log / "more.jsonl").write_text("this is not JSON\n" * 30)
    assert detect(log, tmp_path / "run") == cli.EXIT_ERROR
    assert not (tmp_path / "run" / "run.json").exists()
    assert detect(log, tmp_path / "run", "--rejected-max", "0.5", "--force") == 0


def access(n: int, **caller: str) -> str:
    moment = f"2026-09-21T14:{n % 60:02d}:20.123Z"
    call = {"start_time": moment, "response_code": 200, "x-request-id": f"r{n}", "gen_ai.request.model": "model-a"}
    return json.dumps(call | caller) + "\n"


def test_a_file_of_anonymous_calls_is_rejected_and_does_not_end_a_run_over_others(tmp_path: Path) -> None:
    log = tmp_path / "logs"
    log.mkdir()
    (log / "a.jsonl").write_text(access(0))
    (log / "b.jsonl").write_text("".join(access(n, consumer=f"c-{n % 7}") for n in range(1, 200)))
    assert detect(log, tmp_path / "run") == 0
    rejected = [json.loads(line) for line in (tmp_path / "run" / "rejected.jsonl").read_text().splitlines()]
    assert [(each["line"], each["reason"], each["detail"]) for each in rejected] == [(1, "missing-field", "account_id")]


@pytest.mark.parametrize("named", [0, 20])
def test_a_log_that_mostly_names_nobody_says_how_to_map_somebody(tmp_path: Path, capsys: Captured, named: int) -> None:
    log = tmp_path / "logs.jsonl"
    log.write_text("".join(access(n, **({"consumer": f"c-{n}"} if n < named else {})) for n in range(60)))
    assert detect(log, tmp_path / "run") == cli.EXIT_ERROR
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert error == f"stillwatch: error: no account is named in {60 - named} of 60 records"
    assert "--field account_id=tenant.id" in hint
    assert ("--rejected-max" in hint) == (named > 0)
    assert not (tmp_path / "run").exists()


def test_a_table_without_accounts_says_how_to_map_them(log: Path, tmp_path: Path, capsys: Captured) -> None:
    (log / "events.jsonl").write_text(LOG.replace("account_id", "tenant"))
    assert detect(log, tmp_path / "run", "--format", "canonical") == cli.EXIT_ERROR
    assert "--field account_id=PATH" in capsys.readouterr().err
    assert detect(log, tmp_path / "run", "--format", "canonical", "--field", "account_id=tenant") == 0


def test_other_faults_are_not_put_down_to_missing_accounts(log: Path, tmp_path: Path, capsys: Captured) -> None:
    nameless = json.dumps({"event_id": "x", "time": 1_780_000_000, "request_model": "model-a"}) + "\n"
    (log / "events.jsonl").write_text(LOG + "this is not JSON\n" * 5 + nameless * 5)
    assert detect(log, tmp_path / "run") == cli.EXIT_ERROR
    assert "were rejected" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["detct"],
        ["detect"],
        ["detect", "logs"],
        ["detect", "--out", "run"],
        ["detect", "logs", "--store", "store", "--out", "run"],
        ["detect", "logs", "--window", "30d", "--out", "run"],
        ["ingest", "logs"],
        ["ingest", "--store", "store"],
        ["store", "prune", "store"],
        ["detect", "logs", "--out", "run", "--fdr", "high"],
        ["detect", "logs", "--out", "run", "--format", "spreadsheet"],
        ["detect", "logs", "--out", "run", "--field", "account_id"],
        ["detect", "logs", "--out", "run", "--field", "=tenant"],
    ],
)
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: Captured) -> None:
    assert cli.run(arguments) == cli.EXIT_USAGE
    assert capsys.readouterr().out == ""


def test_a_misspelt_column_is_answered_with_the_nearest(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert detect(log, tmp_path / "run", "--field", "acount_id=tenant") == cli.EXIT_ERROR
    assert "did you mean account_id" in capsys.readouterr().err


def test_a_settings_file_named_by_a_variable_is_read(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "stillwatch.toml"
    settings.write_text("fdr = 0.01\n")
    monkeypatch.setenv("STILLWATCH_CONFIG", str(settings))
    assert detect(log, tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["fdr"] == 0.01


def test_another_key_gives_another_run_the_same_accounts(log: Path, tmp_path: Path, capsys: Captured) -> None:
    key = tmp_path / "key"
    key.write_text("a secret of more than sixteen bytes")
    assert detect(log, tmp_path / "run", "--key-file", str(key)) == 0
    assert cli.run(["explain", "account-3", "--run", str(tmp_path / "run"), "--key-file", str(key)]) == 0
    assert "account" in capsys.readouterr().out


def test_explain_answers_for_an_account_in_no_family_and_in_json(log: Path, tmp_path: Path, capsys: Captured) -> None:
    assert detect(log, tmp_path / "run") == 0
    capsys.readouterr()
    assert cli.run(["explain", "account-3", "--run", str(tmp_path / "run"), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"what", "why", "why_not", "what_would_change"}


def test_explain_refuses_a_folder_that_is_no_run(tmp_path: Path, capsys: Captured) -> None:
    assert cli.run(["explain", "account-3", "--run", str(tmp_path)]) == cli.EXIT_ERROR
    assert "stillwatch: error: " in capsys.readouterr().err


def test_the_dialects_of_the_command_line_are_the_adapters() -> None:
    from stillwatch.adapters.choice import ADAPTERS

    assert {adapter.DIALECT.ident for adapter in ADAPTERS} == set(DIALECTS)


def test_the_engines_of_the_command_line_are_the_engines() -> None:
    from stillwatch.engines.run import ENGINES

    option = next(each for each in cli.detect.params if each.name == "engine")
    assert tuple(getattr(option.type, "choices", ())) == ENGINES


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str, capsys: Captured) -> None:
    assert cli.run(["completion", shell]) == 0
    assert "_STILLWATCH_COMPLETE" in capsys.readouterr().out


def test_the_version_is_said(capsys: Captured) -> None:
    assert cli.run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def reported(error: Exception, capsys: Captured) -> str:
    assert cli._report(error) == cli.EXIT_ERROR
    return capsys.readouterr().err


def test_a_full_disk_is_said_in_plain_words(capsys: Captured) -> None:
    assert "the disk is full" in reported(OSError(errno.ENOSPC, "No space left on device"), capsys)


def test_an_unforeseen_error_shows_its_kind_and_not_what_it_quotes(capsys: Captured) -> None:
    shown = reported(ValueError("could not parse 'my secret prompt'"), capsys)
    assert "ValueError" in shown
    assert "secret" not in shown


def test_an_error_names_its_place(capsys: Captured) -> None:
    error = Error("example", "a record is not JSON", where="events.jsonl, line 3", hint="look at it")
    assert reported(error, capsys) == (
        "stillwatch: error: a record is not JSON (events.jsonl, line 3)\nstillwatch: hint: look at it\n"
    )


CODE = "import sys; from stillwatch.cli.main import run; sys.exit(run(sys.argv[1:]))"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}


def test_a_reader_that_goes_away_hears_no_complaint() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outcome = subprocess.run(
        [sys.executable, "-c", CODE, "formats", "--json"],
        env=ENVIRONMENT,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert outcome.returncode == cli.EXIT_PIPE
    assert outcome.stderr == b""


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_leaves_nothing_and_says_so(log: Path, tmp_path: Path) -> None:
    """The log takes seconds to read, and the run says that it has begun to."""
    with (log / "more.jsonl").open("w") as more:
        more.writelines(LOG for _ in range(4000))
    running = subprocess.Popen(
        [sys.executable, "-c", CODE, "detect", str(log), "--out", str(tmp_path / "run")],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        # Tests that a shell runs in the background ignore interrupts, and what they start would, too.
        preexec_fn=_heed_interrupts,
    )
    assert running.stderr is not None
    assert running.stderr.readline().startswith(b"stillwatch: read")
    running.send_signal(signal.SIGINT)
    try:
        _, said = running.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        # A library that is just being loaded can swallow the first one; a person presses again.
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == cli.EXIT_INTERRUPTED
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_the_profiles_of_the_command_line_are_the_benchmarks() -> None:
    from stillwatch.cli import benching
    from stillwatch.lab.benchmark import plan

    assert benching.PROFILES == plan.PROFILES


def test_the_scenarios_are_listed_with_their_use(capsys: Captured) -> None:
    from stillwatch.lab.scenario import HELD_OUT, SCENARIOS

    assert cli.run(["simulate", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["scenario"] for row in listed] == list(SCENARIOS)
    assert {row["scenario"] for row in listed if row["use"] == "held out"} == set(HELD_OUT)
    assert cli.run(["simulate", "--list"]) == 0
    assert "held out" in capsys.readouterr().out


def test_a_world_is_cut_from_a_published_campaign_with_prompts_of_the_users_own(
    tmp_path: Path, capsys: Captured
) -> None:
    import pyarrow.parquet as pq

    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a prompt that nobody invented\n")
    world = ["simulate", "--out", str(tmp_path / "world"), "--scenario", "ledger-c2", "--prompts", str(prompts)]
    assert cli.run([*world, "--scale", "0.02", "--days", "2", "--no-progress", "--json"]) == 0
    events = pq.read_table(json.loads(capsys.readouterr().out)["events"])
    times = events["time"].to_pylist()
    assert 24 < (max(times) - min(times)).total_seconds() / 3600 < 48
    assert "a prompt that nobody invented" in set(events["input_text"].to_pylist())


def test_a_scenario_of_one_size_cannot_be_scaled(tmp_path: Path, capsys: Captured) -> None:
    assert cli.run(["simulate", "--out", str(tmp_path / "world"), "--scale", "0.5"]) == cli.EXIT_ERROR
    assert "could be scaled" in capsys.readouterr().err


def test_a_calibration_named_by_a_setting_is_the_one_that_a_run_compares_with(log: Path, tmp_path: Path) -> None:
    mine = write_calibration(tmp_path)
    settings = tmp_path / "stillwatch.toml"
    settings.write_text(f'calibration = "{mine}"\n')
    assert detect(log, tmp_path / "run", "--config", str(settings)) == 0
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["calibration"] == {"ident": "scenes-1", "shipped": False, "families_count": 599}


def test_calibrations_are_merged_shown_and_never_replaced_unasked(tmp_path: Path, capsys: Captured) -> None:
    mine, out = write_calibration(tmp_path), tmp_path / "merged.json"
    assert cli.run(["calibrate", "--calibration", str(mine), "--out", str(out)]) == 0
    assert cli.run(["calibrate", "--calibration", str(mine), "--out", str(out)]) == cli.EXIT_ERROR
    assert "--force" in capsys.readouterr().err
    assert cli.run(["calibrate", "--show", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["families_count"] == 599


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--show", "mine.json"], ["--out", "mine.json"]])
def test_calibrate_wants_either_something_to_fit_or_something_to_show(arguments: list[str], capsys: Captured) -> None:
    assert cli.run(["calibrate", *arguments]) == cli.EXIT_USAGE
    assert "--show" in capsys.readouterr().err


def test_a_grant_is_issued_inspected_and_verified_by_the_right_key_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("issuer", "stranger"):
        assert cli.run(["grant", "keygen", "--out", name]) == 0
    assert Path("issuer.key").stat().st_mode & 0o077 == 0
    said = ["--grantee", "g", "--account", "a", "--model", "m", "--purpose", "p", "--issuer", "i", "--calls-max", "9"]
    said += ["--output-tokens-max", "9", "--not-before", "2026-01-01T00:00:00Z", "--expires", "2027-01-01T00:00:00Z"]
    assert cli.run(["grant", "issue", "--key", "issuer.key", *said, "--out", "grant.json"]) == 0
    capsys.readouterr()
    assert cli.run(["grant", "inspect", "grant.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is False
    assert cli.run(["grant", "verify", "grant.json", "--key", "issuer.pub", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["calls_max"], found["issued"][-1]) == (True, 9, "Z")
    assert cli.run(["grant", "verify", "grant.json", "--key", "stranger.pub"]) == cli.EXIT_ERROR
    assert "none of the 1 keys that you trust" in capsys.readouterr().err


def test_a_grant_is_ended_and_its_use_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.chdir(tmp_path)
    for name in ("issuer", "stranger"):
        assert cli.run(["grant", "keygen", "--out", name]) == 0
    said = ["--grantee", "g", "--account", "a", "--model", "m", "--purpose", "p", "--issuer", "i", "--calls-max", "9"]
    said += ["--output-tokens-max", "9", "--not-before", "2026-01-01T00:00:00Z", "--expires", "2027-01-01T00:00:00Z"]
    assert cli.run(["grant", "issue", "--key", "issuer.key", *said, "--out", "grant.json"]) == 0
    for key in ("issuer", "stranger"):
        revoke = ["grant", "revoke", "grant.json", "--key", f"{key}.key", "--reason", "it is over"]
        assert cli.run([*revoke, "--from", "2026-05-01T00:00:00Z", "--out", f"by-{key}.json"]) == 0
    capsys.readouterr()
    assert cli.run(["grant", "verify", "grant.json", "--key", "issuer.pub", "--revocations", "by-issuer.json"]) == 0
    assert "revoked       from 1 May 2026, 00:00 UTC\n" in capsys.readouterr().out
    assert cli.run(["grant", "inspect", "grant.json", "--revocations", "by-stranger.json"]) == 0
    assert "revoked       from 1 May 2026, 00:00 UTC; NOT verified" in capsys.readouterr().out
    wrong = ["grant", "verify", "grant.json", "--key", "issuer.pub", "--revocations", "by-stranger.json"]
    assert cli.run(wrong) == cli.EXIT_ERROR
    assert "none of the 1 keys" in capsys.readouterr().err
    assert cli.run(["grant", "report", "grant.json", "--revocations", "by-issuer.json", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["ends"], told["revoked"], told["calls_left"]) == ("2026-05-01T00:00:00Z", True, 9)


def test_a_key_pair_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("issuer.pub").write_text("somebody's")
    assert cli.run(["grant", "keygen", "--out", "issuer"]) == cli.EXIT_ERROR
    assert [path.name for path in tmp_path.iterdir()] == ["issuer.pub"]


def test_a_watch_takes_what_is_there_and_prints_events_as_lines_of_json(
    log: Path, tmp_path: Path, capsys: Captured
) -> None:
    # The log ends within an hour, and three calls a day later close that day.
    later = [
        json.loads(line) | {"event_id": f"later-{n}", "time": 1_780_200_000 + n}
        for n, line in enumerate(LOG.splitlines()[:3])
    ]
    (log / "later.jsonl").write_text("".join(json.dumps(event) + "\n" for event in later))
    asked = ["watch", "--store", str(tmp_path / "store"), "--source", str(log), "--out", str(tmp_path / "watched")]
    assert cli.run([*asked, "--once", "--json", "--no-progress"]) == 0
    assert capsys.readouterr().out == "", "a log without a campaign has nothing to tell"
    runs = sorted((tmp_path / "watched" / "runs").iterdir())
    assert [json.loads((run / "run.json").read_text())["events_count"] for run in runs] == [60]
    assert (runs[0] / "report.html").exists()


def test_a_watch_prints_what_became_of_campaigns_for_a_person(capsys: Captured) -> None:
    from stillwatch.campaign.succession import Event
    from stillwatch.cli.options import console
    from stillwatch.report import succession

    grown = Event(7, "grown", "L000001", None, (0, 1), "r", "abc", 0, 0, 42, ("00ff",), 1_234, 1, 0.05)
    merged = Event(8, "merged", "L000002", "L000001", (0, 1), "r", None, 0, 0, 12, (), None, None, None)
    succession.show((grown, merged), console())
    out = capsys.readouterr().out
    assert "1,234" in out
    assert "L000002 into L000001" in out


@pytest.mark.parametrize(
    "more",
    [
        ["--every", "often"],
        ["--source", "kafka://broker"],
        ["--online", "state.json", "--window", "30d"],
        ["--kafka-config", "nowhere.properties"],
    ],
)
def test_a_watch_that_is_asked_nonsense_says_so_before_it_begins(
    log: Path, tmp_path: Path, capsys: Captured, more: list[str]
) -> None:
    asked = ["watch", "--store", str(tmp_path / "store"), "--source", str(log), "--out", str(tmp_path / "watched")]
    assert cli.run([*asked, "--once", "--no-progress", *more]) == cli.EXIT_ERROR
    assert "stillwatch: error: " in capsys.readouterr().err
    assert not (tmp_path / "store" / "parts").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watch_that_is_asked_to_stop_ends_well(log: Path, tmp_path: Path, number: signal.Signals) -> None:
    asked = ["watch", "--store", str(tmp_path / "store"), "--source", str(log), "--out", str(tmp_path / "watched")]
    running = subprocess.Popen(
        [sys.executable, "-c", CODE, *asked, "--look-every", "0.1"], env=ENVIRONMENT, stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    # Handlers are in place before anything is read.
    while not running.stderr.readline().startswith(b"stillwatch: ingest: "):
        assert running.poll() is None
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0
    assert b"error" not in said
