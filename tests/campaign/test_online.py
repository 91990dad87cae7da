from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.campaign.calibration import Calibration
from stillwatch.campaign.claims import Claims
from stillwatch.campaign.conclusion import conclude, judge_all
from stillwatch.campaign.fusion import Axes, Verdict
from stillwatch.campaign.online import (
    OnlineState,
    begin,
    decide,
    gamma,
    load_state,
    open_stream,
    save_state,
)
from stillwatch.campaign.power import PLANS, Ground, draw
from stillwatch.errors import Error
from stillwatch.signals.contract import Population
from stillwatch.signals.registry import SIGNALS
from tests.signals.panels import HOUR_US

FDR = 0.05


def reference(count: int = 428, ident: str = "c-1") -> Calibration:
    return Calibration(ident, "made up", tuple(np.linspace(0, 1, count)))


def axes(log_e: float, p_value: float) -> Axes:
    return Axes(log_e, np.zeros(1), p_value, 0.0)


def window(number: int) -> tuple[int, int]:
    return 1_000 * number, 1_000 * number + 999


FINEST = 1 / 429
CAMPAIGN = axes(80.0, FINEST)
RESELLER = axes(80.0, 0.4)
STRANGERS = axes(-0.7, 0.4)


def go(state: OnlineState, number: int, families: list[tuple[str, Axes]]) -> tuple[list[str], OnlineState]:
    verdicts, after = decide(state, window(number), [([name], of) for name, of in families])
    return [name for (name, _), verdict in zip(families, verdicts, strict=True) if verdict.rejected], after


def test_a_campaign_is_named_and_honest_families_are_not() -> None:
    state = begin(reference(), FDR, "k")
    families = [("f-1", STRANGERS), ("f-2", CAMPAIGN), ("f-3", RESELLER), ("f-4", axes(0.0, FINEST))]
    named, after = go(state, 1, families)
    assert named == ["f-2"]
    assert after.named == {"f-2": 1}


def test_a_campaign_that_comes_after_weeks_of_nothing_is_found_with_few_honest_families() -> None:
    """428 families allow ten coordinated ones before the first campaign: here one comes every third day."""
    state = begin(reference(), FDR, "k")
    for day in range(1, 21):
        coordinated = [("reseller", RESELLER)] if day % 3 == 0 else []
        named, state = go(state, day, [(f"f-{day}-{at}", STRANGERS) for at in range(100)] + coordinated)
        assert not named
    named, state = go(state, 21, [(f"f-21-{at}", STRANGERS) for at in range(100)] + [("late", CAMPAIGN)])
    assert named == ["late"]


def test_what_was_named_stays_named_while_both_axes_speak_and_counts_once() -> None:
    _, state = go(begin(reference(), FDR, "k"), 1, [("f", CAMPAIGN)])
    spent = state.spent
    named, state = go(state, 2, [("f", axes(8.0, 0.04))])
    assert named == ["f"]
    assert (state.named, state.spent) == ({"f": 1}, spent)
    for quiet in (axes(8.0, 0.3), axes(1.0, FINEST)):
        assert go(state, 3, [("f", quiet)])[0] == []


def test_each_campaign_that_is_named_makes_the_next_question_cheaper() -> None:
    state = begin(reference(), FDR, "k")
    left = [state.asks_left()]
    for day in range(1, 6):
        _, state = go(state, day, [(f"f-{day}", CAMPAIGN)])
        left.append(state.asks_left())
    assert left[0] == 10
    assert left == sorted(left)


def test_when_nothing_is_left_nobody_is_named_and_it_is_said() -> None:
    state = begin(reference(), FDR, "k")
    for day in range(1, 11):
        _, state = go(state, day, [("reseller", RESELLER)])
    assert state.asks_left() == 0
    named, state = go(state, 11, [("late", CAMPAIGN)])
    assert named == []
    assert state.passed_over == 1


def test_if_not_all_can_be_asked_the_most_coordinated_are() -> None:
    state = begin(reference(), FDR, "k")
    families = [(f"f-{at:02}", axes(100.0 + at, FINEST)) for at in range(14)]
    named, state = go(state, 1, families)
    assert named == [f"f-{at:02}" for at in range(4, 14)]
    assert state.passed_over == 4


def test_a_finer_calibration_has_more_patience() -> None:
    assert begin(reference(428), FDR, "k").asks_left() == 10
    assert begin(reference(2000), FDR, "k").asks_left() >= 20
    with pytest.raises(Error) as refused:
        begin(reference(38), FDR, "k")
    assert refused.value.ident == "calibration-too-coarse"
    assert begin(reference(39), FDR, "k").asks_left() == 1


def test_the_shares_of_the_rate_sum_to_one() -> None:
    assert sum(gamma(at) for at in range(1, 100_000)) == pytest.approx(1 - 1 / 100_000)


def test_the_order_of_families_in_a_window_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    families = [
        (f"f-{at:02}", axes(float(e), float(p)))
        for at, (e, p) in enumerate(zip(rng.uniform(0, 40, 40), rng.choice([FINEST, 0.3], 40), strict=True))
    ]
    state = replace(begin(reference(), FDR, "k"), named={"f-03": 1, "f-90": 1}, named_count=2)
    named, after = go(state, 1, families)
    for _ in range(5):
        shuffled = [families[at] for at in rng.permutation(40)]
        other, same = go(state, 1, shuffled)
        assert sorted(other) == sorted(named)
        assert same == after


def test_a_pool_is_known_by_any_of_its_families_and_charged_once() -> None:
    _, first = decide(begin(reference(), FDR, "k"), window(1), [(["f-1", "f-2"], CAMPAIGN)])
    verdicts, second = decide(first, window(2), [(["f-2", "f-3"], CAMPAIGN)])
    assert verdicts[0].rejected
    assert (second.spent, second.named_count) == (first.spent, 1)
    _, third = decide(second, window(3), [(["f-3"], CAMPAIGN)])
    assert third.named == {"f-1": 1, "f-2": 1, "f-3": 1}
    assert (third.spent, third.named_count) == (first.spent, 1)


def test_a_window_counts_once_and_in_its_order() -> None:
    _, state = go(begin(reference(), FDR, "k"), 5, [("f", CAMPAIGN)])
    for number in (5, 4):
        with pytest.raises(Error) as refused:
            decide(state, window(number), [(["f"], CAMPAIGN)])
        assert refused.value.ident == "window-not-later"


def test_a_window_without_families_costs_nothing() -> None:
    state = begin(reference(), FDR, "k")
    _, after = decide(state, window(1), [])
    assert replace(after, until_us=-1) == state


def test_a_stream_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    before, state = open_stream(path, reference(), FDR, "k")
    assert before is None
    _, after = go(state, 1, [("f", CAMPAIGN)])
    save_state(path, before, after)
    assert load_state(path) == after
    assert open_stream(path, reference(), FDR, "k") == (after, after)
    assert [each.name for each in tmp_path.iterdir()] == ["stream.json"]


@pytest.mark.parametrize(
    "other", [(reference(ident="c-2"), FDR, "k"), (reference(), 0.1, "k"), (reference(), FDR, "z")]
)
def test_a_stream_goes_on_only_with_what_it_was_begun_with(
    other: tuple[Calibration, float, str], tmp_path: Path
) -> None:
    path = tmp_path / "stream.json"
    save_state(path, None, begin(reference(), FDR, "k"))
    with pytest.raises(Error) as refused:
        open_stream(path, *other)
    assert refused.value.ident == "stream-differs"


def test_of_two_runs_at_once_the_slower_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    before, state = open_stream(path, reference(), FDR, "k")
    save_state(path, before, go(state, 1, [("f", CAMPAIGN)])[1])
    with pytest.raises(Error) as refused:
        save_state(path, before, go(state, 2, [("g", CAMPAIGN)])[1])
    assert refused.value.ident == "stream-moved"


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "x"])
def test_a_file_that_is_no_stream_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    path.write_text(text)
    with pytest.raises(Error) as refused:
        load_state(path)
    assert refused.value.ident == "bad-stream"


@pytest.mark.parametrize("change", [{"version": 99}, {"spent": 0.9}, {"level": 0.5}, {"fdr": 1.5}])
def test_a_stream_that_promises_what_cannot_be_is_an_error(change: dict[str, float], tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    save_state(path, None, begin(reference(), FDR, "k"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(Error):
        load_state(path)


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from stillwatch.campaign.online import load_state, save_state
path = Path(sys.argv[1])
state = load_state(path)
print("ready", flush=True)
while True:
    after = replace(state, windows_count=state.windows_count + 1, named={f"f-{at}": 1 for at in range(5000)})
    save_state(path, state, after)
    state = after
"""


def test_a_crash_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    save_state(path, None, begin(reference(), FDR, "k"))
    rng = np.random.default_rng(1)
    counts = [0]
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            until = time.monotonic() + float(rng.uniform(0.05, 0.3))
            while time.monotonic() < until:
                assert load_state(path) is not None
            writer.send_signal(signal.SIGKILL)
        state = load_state(path)
        assert state is not None
        counts.append(state.windows_count)
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_a_run_that_decides_by_the_stream_names_the_campaign_once_and_again() -> None:
    """Two days of one pool, as `conclude` hands them over."""
    calibration = Calibration("c-1", "made up", (0.0,) * 428)
    blocks = 48
    tested = np.arange(blocks) % 2 == 0
    population = Population(5_000, np.zeros(0, dtype=np.int64), HOUR_US, 0, np.full(blocks, 1_000), tested)
    ground = Ground(population, frozenset({"input_text", "time"}), 1, 0, calibration, FDR)
    pool = next(plan for plan in PLANS if plan.name == "least-loaded-pool")
    states = [begin(calibration, FDR, "k")]

    def by_stream(hypotheses: Sequence[tuple[Sequence[str], Axes]]) -> list[Verdict]:
        verdicts, after = decide(states[-1], window(len(states)), hypotheses)
        states.append(after)
        return verdicts

    for _ in range(2):
        panel = draw(ground, pool, 120, np.random.default_rng(9))
        said = [signal.conclude(panel) for signal in SIGNALS if signal.NEEDS & ground.available]
        judged = judge_all([(0, panel.pool(), said)], calibration, FDR, by_stream)
        calls = panel.accounts[panel.calls.account]
        concluded = conclude(judged, Claims.of(np.zeros(len(calls)), calls), 0)
        assert len(concluded.campaigns) == 1
        assert concluded.campaigns[0].q_value == FDR
    assert states[-1].named == {"f-drawn": 1}
