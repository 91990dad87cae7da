"""The commands that help and documents teach do run, on a log small enough for a test."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from stillwatch.cli import main as cli
from stillwatch.cli.detecting import EXIT_CAMPAIGN
from stillwatch.gate.shipped import cases_text, policy_text
from tests.house.repository import ROOT, fenced_commands
from tests.scenes.scene import write_calibration

DAY_CALLS = "81000"
"""The smallest day in which the demo's groups can still hide."""

LOG_CALLS = "13000"
"""The smallest world of any scenario."""

DECISION = (
    '{"accounts": ["acct-1"], "standing": "confirmed", "reason": "distillation-campaign", "reference": "case 117", '
    '"decided_by": "The review board", "not_before": "2026-11-01T00:00:00Z", "expires": "2027-02-01T00:00:00Z"}'
)
"""A line of the file of decisions that the examples sign."""

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "formats").glob("*.md")),
    *(ROOT / "docs" / f"{name}.md" for name in ("configuration", "calibration", "grants", "lab", "policy", "watch")),
]


TOO_LONG = ("stillwatch bench ", "stillwatch watch --store store --source kafka:", "stillwatch gate --")
"""Minutes at the least, or for ever: what the first does with its plan is tested in tests/bench/test_quality.py, what
the second reads of a broker in tests/engines/test_following.py, what the third answers in tests/gate/."""


def every_command(command: click.Command = cli.commands) -> list[click.Command]:
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return [command, *(each for one in inner for each in every_command(one))]


def help_examples() -> list[str]:
    examples: list[str] = []
    for command in every_command():
        text = re.sub(r"\\\n\s+", "", command.help or "")
        found = re.findall(r"^\s+(stillwatch .+)$", text, flags=re.MULTILINE)
        assert found, f"{command.name} teaches nothing"
        examples += found
    return [example for example in examples if not example.startswith(TOO_LONG)]


README_EXAMPLES = fenced_commands((ROOT / "README.md").read_text(encoding="utf-8"), "stillwatch")


def write_policy(place: Path) -> None:
    """A policy of one's own, begun with a shipped one, as the cookbook says: with dates that are still to come."""
    year = datetime.now(UTC).year + 1
    text = policy_text(Path("cautious"))
    (place / "policy.yaml").write_text(re.sub(r"expires: \d{4}", f"expires: {year}", text))
    (place / "policy.cases.yaml").write_text(cases_text(Path("cautious")))
    (place / "situation.json").write_text(
        '{"facts": {"tier": "recognised", "campaign_id": "c-1", "infrastructure": 1}}'
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name, and one finished run."""
    place = tmp_path_factory.mktemp("workplace")
    simulate = ["simulate", "--no-progress", "--scenario", "bench", "--calls", LOG_CALLS]
    assert cli.run([*simulate, "--out", str(place / "world")]) == 0
    (place / "world" / "events").rename(place / "logs")
    (place / "world" / "accounts.jsonl").rename(place / "accounts.jsonl")
    assert cli.run([*simulate, "--out", str(place / "otel"), "--format", "otel"]) == 0
    (place / "otel" / "events").rename(place / "spans")
    (place / "stillwatch.key").write_text("an example of a key that is long enough\n")
    (place / "stillwatch.toml").write_text("fdr = 0.01\n")
    write_policy(place)
    arguments = ["detect", str(place / "logs"), "--out", str(place / "run"), "--no-progress", "--no-power"]
    assert cli.run(arguments) == 0
    assert cli.run(["ingest", str(place / "logs"), "--store", str(place / "store"), "--no-progress"]) == 0
    # One small run has too few families to begin a stream with.
    write_calibration(place).rename(place / "mine.json")
    assert cli.run(["grant", "keygen", "--out", str(place / "issuer")]) == 0
    issue = next(each for each in help_examples() if each.startswith("stillwatch grant issue"))
    words = [
        str(place / word) if word in ("issuer.key", "example-grant.json") else word for word in shlex.split(issue)[1:]
    ]
    assert cli.run(words) == 0
    (place / "example-grant.json").rename(place / "grant.json")
    revoke = ["grant", "revoke", str(place / "grant.json"), "--key", str(place / "issuer.key"), "--reason", "ended"]
    assert cli.run([*revoke, "--out", str(place / "revocation.json")]) == 0
    (place / "decisions.jsonl").write_text(DECISION)
    decided = ["--key", str(place / "issuer.key"), "--issuer", "The provider", "--out", str(place / "sanctions.json")]
    assert cli.run(["sanction", "issue", str(place / "decisions.jsonl"), *decided]) == 0
    signed = ["--key", str(place / "issuer.key"), "--key-file", str(place / "stillwatch.key")]
    assert cli.run(["snapshot", "build", *signed, "--out", str(place / "new.snapshot")]) == 0
    return place


def runnable(example: str) -> list[str]:
    """The example as it stands, made small where it invents a day and repeatable where it writes one."""
    words = shlex.split(example)[1:]
    if words[0] in {"demo", "simulate"} and not {"--calls", "--list"} & set(words):
        words += ["--calls", DAY_CALLS]
    if words[0] == "detect" and "--no-power" not in words:
        words.append("--no-power")
    if words[0] in {"demo", "detect"} and "--force" not in words:
        words.append("--force")
    return words


@pytest.mark.parametrize("example", sorted({*help_examples(), *README_EXAMPLES}))
def test_a_taught_command_runs(
    example: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    words = runnable(example)
    status = cli.run(words)
    expected = {0, EXIT_CAMPAIGN} if "--fail-on-campaign" in words else {0}
    assert status in expected, capsys.readouterr().err


def test_every_option_that_a_page_names_exists() -> None:
    known = {option for command in every_command() for parameter in command.params for option in parameter.opts} | {
        "--help"
    }
    unknown = []
    for page in PAGES:
        for example in fenced_commands(page.read_text(encoding="utf-8"), "stillwatch"):
            unknown += [
                (page.name, word)
                for word in shlex.split(example)
                if re.match("--[a-z]", word) and word.split("=")[0] not in known
            ]
    assert not unknown


def test_every_option_that_a_hint_names_exists() -> None:
    known = {option for command in every_command() for parameter in command.params for option in parameter.opts} | {
        "--help"
    }
    source = ROOT / "src" / "stillwatch"
    unknown = []
    for path in sorted(source.rglob("*.py")):
        for hint in re.findall(r'hint=\s*f?"([^"]+)"', path.read_text(encoding="utf-8")):
            unknown += [(path.name, option) for option in re.findall(r"--[a-z][a-z-]+", hint) if option not in known]
    assert not unknown
