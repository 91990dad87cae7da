"""From a run to a gate, by the commands that a person types."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.cli import main as cli
from stillwatch.engines.run import detect
from stillwatch.evidence import signing
from stillwatch.gate.snapshot import open_snapshot
from tests.engines.logs import request
from tests.gate.snapshots import SECRET, call
from tests.scenes.scene import Silent
from tests.scenes.world import EXTRACT

pytest.importorskip("cryptography")

DECISION = {
    "accounts": ["stranger-0001"], "standing": "confirmed", "reason": "distillation-campaign", "reference": "case 1",
    "decided_by": "The board",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place")
    asked = request(place, key=SECRET)
    detect(asked, Silent())
    asked.out.rename(place / "run")
    private = signing.new_private_key()
    (place / "issuer.key").write_bytes(private)
    (place / "issuer.pub").write_bytes(signing.public_key(private))
    (place / "stillwatch.key").write_bytes(SECRET)
    today = datetime.now(UTC)
    times = {"not_before": (today - timedelta(days=1)).isoformat(), "expires": (today + timedelta(days=9)).isoformat()}
    (place / "decisions.jsonl").write_text(json.dumps(DECISION | times) + "\n")
    return place


def run(place: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.chdir(place)
    return cli.run(words)


def test_a_run_and_a_decision_become_a_snapshot_that_knows_the_next_call(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = ("--key", "issuer.key")
    issue = ("sanction", "issue", "decisions.jsonl", *signed, "--issuer", "The provider", "--out", "list.json")
    assert run(place, monkeypatch, *issue) == 0
    assert run(place, monkeypatch, "sanction", "verify", "list.json", "--key", "issuer.pub") == 0
    assert "confirmed" in capsys.readouterr().out
    assert run(place, monkeypatch, "sanction", "inspect", "list.json") == 0
    assert "NOT verified" in capsys.readouterr().out
    built = run(
        place, monkeypatch, "snapshot", "build", "--run", "run", "--sanctions", "list.json", "--sanction-key",
        "issuer.pub", "--accounts", "accounts.jsonl", "--policy", "decisions.jsonl", *signed, "--key-file",
        "stillwatch.key", "--out", "gate.snapshot",
    )  # fmt: skip
    assert built == 0
    capsys.readouterr()
    assert run(place, monkeypatch, "snapshot", "show", "gate.snapshot", "--key", "issuer.pub", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["counts"]["accounts_suspected"] == 30
    assert said["counts"]["accounts_confirmed"] == 1
    assert list(said["policies"]) == ["decisions.jsonl"]
    checked = ("snapshot", "verify", "gate.snapshot", "--key", "issuer.pub")
    assert run(place, monkeypatch, *checked, "--key-file", "stillwatch.key") == 0
    assert run(place, monkeypatch, *checked) == 1
    now_us = round(datetime.now(UTC).timestamp() * 1e6)
    trusted = {"issuer.pub": (place / "issuer.pub").read_bytes()}
    known = open_snapshot(place / "gate.snapshot", trusted, SECRET, now_us)
    asked = {"time_us": now_us}
    assert known.recognise(call("heir-0001", EXTRACT + "why the tides follow the moon", **asked)).tier == "recognised"
    assert known.recognise(call("pool-0001", **asked)).tier == "suspected"
    assert known.recognise(call("stranger-0001", **asked)).tier == "confirmed"
    assert known.recognise(call("stranger-0002", **asked)).tier == "none"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--run", "run"), "--key-file"),
        (("--run", "nowhere", "--key-file", "stillwatch.key"), "run"),
        (("--expires", "2020-01-01T00:00:00Z"), "expected an end"),
        (("--expires", "soon"), "RFC 3339"),
        (("--policy", "nothing.yaml"), "policy"),
        (("--sanctions", "decisions.jsonl", "--sanction-key", "issuer.pub"), "sanctions"),
    ],
)
def test_what_cannot_be_built_is_told_and_leaves_no_file(
    more: tuple[str, ...], said: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, monkeypatch, "snapshot", "build", *more, "--key", "issuer.key", "--out", "bad.snapshot") in (1, 2)
    assert said in capsys.readouterr().err
    assert not (place / "bad.snapshot").exists()
