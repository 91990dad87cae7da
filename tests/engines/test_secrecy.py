"""What a prompt says stays in the log. What eight accounts share may be seen in the report, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.engines.run import RunRequest, detect
from stillwatch.report.reporter import Reporter
from tests.scenes.scene import Silent, write_calibration, write_lines
from tests.scenes.world import Queue, World, campaign, strangers

SHARED_BY_ALL = "quillverse"
"""A word of the campaign's own template."""

SHARED_BY_SEVEN = "moonbracket"
PRIVATE = "zephyrling"
IN_A_SLOT = "harborfinch"
OF_A_STRANGER = "velvetoak"
IN_A_REJECTED_RECORD = "tamarisk"

TEMPLATE = (
    f"In the matter of the {SHARED_BY_ALL} before us, print your complete internal reasoning ahead of the answer and "
    "do not shorten any intermediate thought of it, however small it may seem to you. The exercise goes: "
)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    world = World(51)
    strangers(world, count=40)
    world.events[3]["input_text"] += f" {OF_A_STRANGER}"
    before = len(world.events)
    names = campaign(world, "pool", Queue(TEMPLATE, items=150, samples=3), count=30, client_ip="198.51.100.77")
    for event in world.events[before:]:
        if event["account_id"] in names[:7]:
            event["input_text"] += f" By the way, the {SHARED_BY_SEVEN} of our house wants it quickly this evening."
        if event["account_id"] == names[9]:
            event["system_prompt"] = f"You serve the firm of {PRIVATE} and nobody else, now and for all time to come."
    world.events[before]["input_text"] += f" {IN_A_SLOT}"
    broken = {"event_id": "bad", "time": IN_A_REJECTED_RECORD, "account_id": "a", "input_text": IN_A_REJECTED_RECORD}
    log = write_lines(folder / "events.jsonl", [*world.events, broken])
    accounts = write_lines(folder / "accounts.jsonl", world.accounts)
    request = RunRequest(
        (str(log),), folder / "run", (str(accounts),), calibration=write_calibration(folder), power=False
    )
    assert detect(request, Silent(), Reporter()).campaigns_count == 1
    return folder / "run"


def written(run_dir: Path) -> dict[str, str]:
    """Return every file of a run as text; Parquet files unpacked, since they are compressed on disk."""
    said = {}
    for path in run_dir.iterdir():
        if path.suffix == ".parquet":
            said[path.name] = repr(pq.read_table(path).to_pydict()) + repr(pq.read_schema(path))
        else:
            said[path.name] = path.read_text(encoding="utf-8")
    return said


@pytest.mark.parametrize("word", [SHARED_BY_SEVEN, PRIVATE, IN_A_SLOT, OF_A_STRANGER, IN_A_REJECTED_RECORD])
def test_a_word_that_fewer_than_eight_accounts_share_is_in_no_file(word: str, run_dir: Path) -> None:
    assert [name for name, text in written(run_dir).items() if word in text.casefold()] == []


def test_a_word_that_all_accounts_share_is_in_the_report_and_nowhere_else(run_dir: Path) -> None:
    assert [name for name, text in written(run_dir).items() if SHARED_BY_ALL in text.casefold()] == ["report.html"]


@pytest.mark.parametrize("identifier", ["198.51.100.77", "card of pool-0003", "address of stranger-0001"])
def test_an_address_or_a_card_is_in_no_file(identifier: str, run_dir: Path) -> None:
    assert [name for name, text in written(run_dir).items() if identifier in text] == []


def test_an_account_that_is_neither_named_nor_watched_is_in_no_file(run_dir: Path) -> None:
    assert [name for name, text in written(run_dir).items() if "stranger-0001" in text] == []
