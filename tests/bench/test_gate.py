"""The gate's measurements on as little as they take, and their page from figures written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import gate
from bench.gate_page import PAGE, kept, whole
from bench.gate_world import Place, Size

PLAN = gate.Plan(
    Size(4_000, 300), rounds=1, decisions=50, seconds=0.2, proxy_seconds=0.2, proxy_rate=50, litellm_seconds=0.2,
    checks=20, swaps=1, swap_rate=50.0, state_calls=100, state_asks=200,
)  # fmt: skip

ABSENT = Path("there-is-no-litellm")

STEPS = tuple(gate.STEPS)

pytestmark = pytest.mark.timeout(600)
"""It starts ten servers one after another, on a machine that may have other things to do."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "gate"


@pytest.fixture(scope="module")
def found(work: Path) -> dict[str, Any]:
    return gate.measured(PLAN, work, ABSENT)


def test_the_snapshot_has_every_account_and_signature_that_was_asked_for(found: dict[str, Any], work: Path) -> None:
    assert (found["world"]["accounts"], found["world"]["signatures"]) == (4_000, 300)
    assert found["world"]["left_out"] == {}
    assert found["world"]["file_bytes"] == Place(work / "world").snapshot.stat().st_size


def test_a_stranger_passes_a_confirmed_account_is_refused_and_a_replacement_is_felt(found: dict[str, Any]) -> None:
    one = found["core"]["median"]
    assert one["unknown"]["rungs"] == {"allow": PLAN.decisions}
    assert one["confirmed"]["rungs"] == {"deny": PLAN.decisions}
    assert one["recognised"]["rungs"] == {"cap": PLAN.decisions}
    for kind in ("unknown", "confirmed", "recognised"):
        assert 0 < one[kind]["p50_us"] <= one[kind]["p99_us"]
    assert one["sketch"]["p50_us"] < one["unknown"]["p50_us"]


def test_door_and_look_up_answer_every_call(found: dict[str, Any]) -> None:
    one = found["door"]["median"]
    for pair in one.values():
        assert pair["door"]["failed"] == pair["bare"]["failed"] == 0
        assert pair["share_of_bare"] == pytest.approx(pair["door"]["per_second"] / pair["bare"]["per_second"])


def test_a_proxy_with_a_whole_gate_answers_every_call(found: dict[str, Any]) -> None:
    assert all(found["proxy"]["median"][name]["failed"] == 0 for name in ("direct", "off", "on"))


def test_every_check_of_envoy_is_answered_ok(found: dict[str, Any]) -> None:
    for pair in found["envoy"]["median"].values():
        assert pair["door"]["checks"] == pair["bare"]["checks"] > 0
        assert pair["door"]["not_ok"] == pair["bare"]["not_ok"] == 0


def test_no_call_fails_while_a_snapshot_is_swapped(found: dict[str, Any]) -> None:
    (one,) = found["swap"]["rounds"]
    assert (one["swaps_in_force"], one["failed"]) == (1, 0)
    assert one["calls"] > 0


def test_what_is_not_installed_is_said(found: dict[str, Any]) -> None:
    assert found["litellm"]["absent"] == "LiteLLM is not installed: tools/setup.sh litellm"
    assert found["litellm"]["absent"] in whole({"gate": found, "immunisation": None})


def test_what_is_measured_is_not_measured_again(found: dict[str, Any], work: Path) -> None:
    again = gate.measured(PLAN, work, ABSENT)
    assert {name: again[name] for name in STEPS} == {name: found[name] for name in STEPS}


def test_a_median_is_of_each_number_by_itself() -> None:
    rounds = [{"a": at, "b": {"c": 10.0 - at, "name": f"n{at}", "none": None}} for at in (3, 1, 2)]
    assert gate.medians(rounds) == {"a": 2.0, "b": {"c": 8.0, "name": "n3", "none": None}}


def seen(**changed: int) -> dict[str, int]:
    names = ("accounts", "calls", "recognised_calls", "acted_calls", "recognised_accounts", "acted_accounts")
    tries = [f"{what}_by_{at}" for what in ("recognised", "refused") for at in (1, 2, 3)]
    return {**dict.fromkeys((*names, *tries), 0), **changed}


def immune(acted: int = 0, calls: int = 400_000) -> dict[str, Any]:
    """Return what bench.immunisation would write of one world of 100 standby accounts."""
    standby = seen(accounts=100, calls=900, recognised_by_1=96, recognised_by_2=97, recognised_by_3=98, refused_by_1=90)
    honest = {"students": seen(accounts=50, calls=calls, recognised_calls=acted, acted_calls=acted, acted_accounts=1)}
    world = {"standby": {"c": standby}, "honest": honest}
    row = {
        "scenario": "ledger-c7", "seed": 6201, "standby_by": "half", "found_campaigns": 1, "counts": {"signatures": 4},
        "own_world": world, "unseen_world": {"standby": {}, "honest": {}},
    }  # fmt: skip
    machine = {"processor": "p", "processors": 2, "memory_bytes": 10**9, "system": "s", "python": "3"}
    return {
        "code": {"tool_version": "1", "commit": "abc", "uncommitted": False}, "machine": machine, "policy": "strict",
        "standby_accounts": 100, "standby_accounts_of_marked": 100,
        **{name: value for name, value in standby.items() if "_by_" in name},
        "honest_calls": calls, "honest_accounts": 50, "honest_recognised_calls": acted, "honest_acted_calls": acted,
        "honest_acted_accounts": int(acted > 0), "rows": [row],
    }  # fmt: skip


def lines_of(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line and line.startswith("|")]


def test_the_page_has_what_was_measured(found: dict[str, Any]) -> None:
    text = whole({"gate": found, "immunisation": immune()})
    assert f"{found['core']['median']['unknown']['p50_us']:,.1f} µs" in text
    assert f"4,000 accounts and 300 signatures take {found['world']['file_bytes'] / 1e6:.1f} MB" in text.replace(
        "\n", " "
    )
    (snapshot,) = lines_of(text, "snapshot of 1,000,000 accounts")
    assert "not measured yet" in snapshot, "a small snapshot says nothing of a large one"


def test_a_promise_is_kept_missed_or_not_shown() -> None:
    text = whole({"gate": None, "immunisation": immune()})
    first, third, honest = (
        lines_of(text, word)[0] for word in ("their first call", "their third call", "honest calls")
    )
    assert first.endswith("| yes |")
    assert third.endswith("| no |")
    assert honest.endswith("| yes |")
    assert "**Missed: standby accounts recognised by their third call.**" in text
    few = whole({"gate": None, "immunisation": immune(calls=1_000)})
    assert lines_of(few, "honest calls")[0].endswith("| not shown |")
    touched = whole({"gate": None, "immunisation": immune(acted=400)})
    assert lines_of(touched, "honest calls")[0].endswith("| no |")
    assert lines_of(touched, "students")


def test_what_was_never_measured_is_said_to_be_missing() -> None:
    text = whole({"gate": None, "immunisation": None})
    promised = text.partition("## What was promised")[2].partition("## ")[0]
    rows = [line for line in promised.splitlines() if line.startswith("| ")][2:]
    assert rows
    assert all("not measured yet" in row for row in rows)


def test_the_page_is_what_its_figures_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == whole(kept())
