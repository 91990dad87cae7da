"""A gate keeps the last good snapshot whatever comes, and says what is wrong with what came."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stillwatch.gate.contract import Decision
from stillwatch.gate.holder import Holder
from tests.gate.snapshots import DAY_US, NOW_US, SECRET, TEMPLATE, Signer, call, given, run_of

pytest.importorskip("cryptography")


@dataclass
class Counted:
    """A meter that counts alarms."""

    alarms: Counter[str] = field(default_factory=Counter)

    def decided(self, door: str, decision: Decision, seconds: float) -> None: ...

    def alarm(self, ident: str) -> None:
        self.alarms[ident] += 1

    def taken(self) -> dict[str, int]:
        taken, self.alarms = dict(self.alarms), Counter()
        return taken


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
def meter() -> Counted:
    return Counted()


def holder(signer: Signer, meter: Counted, memory: Path | None = None) -> Holder:
    return Holder(signer.path, signer.trusted, SECRET, meter, memory)


def test_a_gate_begins_without_one_and_takes_the_first_that_is_good(signer: Signer, meter: Counted) -> None:
    held = holder(signer, meter)
    assert (held.refresh(NOW_US), held.current(), meter.taken()) == (False, None, {"no-such-snapshot": 1})
    ident = signer.write(given(run_of()))
    assert held.refresh(NOW_US)
    assert held.current() is not None
    assert held.current().ident == ident  # type: ignore[union-attr]
    assert (held.refresh(NOW_US), meter.taken()) == (False, {})


def test_a_newer_one_is_swapped_in_and_whoever_holds_the_older_may_go_on(signer: Signer, meter: Counted) -> None:
    held = holder(signer, meter)
    signer.write(given(run_of()))
    held.refresh(NOW_US)
    older = held.current()
    assert older is not None
    signer.write(given(run_of(named=("acct-9",)), sequence=8))
    assert held.refresh(NOW_US)
    newer = held.current()
    assert newer is not None
    assert (older.recognise(call("acct-1")).tier, newer.recognise(call("acct-1")).tier) == ("suspected", "none")
    assert newer.recognise(call("acct-9", TEMPLATE)).tier == "suspected"


def test_whatever_is_wrong_keeps_the_last_good_one_and_alarms_until_it_is_put_right(
    signer: Signer, meter: Counted
) -> None:
    held = holder(signer, meter)
    good = signer.write(given(run_of()))
    whole = signer.path.read_bytes()
    held.refresh(NOW_US)
    signer.write(given(run_of(), sequence=6))
    older = signer.path.read_bytes()
    signer.write(given(run_of(), sequence=8, now_us=NOW_US + DAY_US))
    future = signer.path.read_bytes()
    Signer(signer.folder).write(given(run_of(), sequence=9))
    untrusted = signer.path.read_bytes()
    for bad, ident in (
        (whole[:-1], "snapshot-cut"),
        (whole[:600] + b"?" + whole[601:], "snapshot-forged"),
        (older, "snapshot-old"),
        (future, "snapshot-future"),
        (untrusted, "snapshot-untrusted"),
        (b"a text of another kind, longer than a header", "snapshot-broken"),
    ):
        signer.path.write_bytes(bad)
        assert [held.refresh(NOW_US), held.refresh(NOW_US)] == [False, False]
        assert meter.taken() == {ident: 2}
        assert held.current().ident == good  # type: ignore[union-attr]
    signer.path.unlink()
    assert (held.refresh(NOW_US), meter.taken()) == (False, {"no-such-snapshot": 1})
    signer.path.write_bytes(whole)
    assert (held.refresh(NOW_US), meter.taken()) == (False, {})


def test_one_of_the_future_is_taken_when_its_time_has_come(signer: Signer, meter: Counted) -> None:
    held = holder(signer, meter)
    signer.write(given(run_of(), now_us=NOW_US + DAY_US))
    assert not held.refresh(NOW_US)
    assert held.refresh(NOW_US + DAY_US)
    assert meter.taken() == {"snapshot-future": 1}


def test_one_that_expires_in_force_knows_nobody_and_alarms(signer: Signer, meter: Counted) -> None:
    held = holder(signer, meter)
    signer.write(given(run_of()))
    held.refresh(NOW_US)
    late = NOW_US + 31 * DAY_US
    assert (held.refresh(late), meter.taken()) == (False, {"snapshot-expired": 1})
    current = held.current()
    assert current is not None
    assert current.recognise(call("acct-1", TEMPLATE, time_us=late)).tier == "none"


def test_a_gate_that_is_started_again_takes_what_it_had_or_newer_and_nothing_older(
    signer: Signer, meter: Counted, tmp_path: Path
) -> None:
    memory = tmp_path / "sequence"
    signer.write(given(run_of(), sequence=6))
    assert holder(signer, meter, memory).refresh(NOW_US)
    assert holder(signer, meter, memory).refresh(NOW_US)
    signer.write(given(run_of(), sequence=5))
    again = holder(signer, meter, memory)
    assert (again.refresh(NOW_US), again.current(), meter.taken()) == (False, None, {"snapshot-old": 1})
    signer.write(given(run_of(), sequence=7))
    assert again.refresh(NOW_US)


def test_a_memory_that_cannot_be_read_takes_nothing_and_one_that_cannot_be_kept_is_told(
    signer: Signer, meter: Counted, tmp_path: Path
) -> None:
    signer.write(given(run_of(), sequence=6))
    broken = tmp_path / "broken"
    broken.write_text("no number")
    assert not holder(signer, meter, broken).refresh(NOW_US)
    assert meter.taken() == {"sequence-unreadable": 1}
    assert holder(signer, meter, tmp_path / "nowhere" / "sequence").refresh(NOW_US)
    assert meter.taken() == {"sequence-not-kept": 1}


def test_who_writes_over_the_file_in_its_place_changes_nothing_in_force(signer: Signer, meter: Counted) -> None:
    held = holder(signer, meter)
    signer.write(given(run_of()))
    assert held.refresh(NOW_US)
    in_force = held.current()
    assert in_force is not None
    for content in (bytes(signer.path.stat().st_size), b""):
        # Not by a rename: the same file, as a copy over it leaves it for a while.
        signer.path.write_bytes(content)
        assert in_force.recognise(call("acct-1")).tier == "suspected"
        assert not held.refresh(NOW_US)
    assert held.current() is in_force
    assert meter.alarms["snapshot-cut"] == 1
