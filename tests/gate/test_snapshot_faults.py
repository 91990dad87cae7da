"""Whatever is put in a snapshot's place while a gate runs, the last good one stays in force and an alarm rises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stillwatch.evidence import signing
from tests.gate.gates import until
from tests.gate.snapshots import DAY_US
from tests.gate.whole_gate import CONFIRMED, HONEST, Running, Supplier, gate, replaced, sanction, shipped

pytest.importorskip("cryptography")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def supplier(tmp_path_factory: pytest.TempPathFactory) -> Supplier:
    made = Supplier(tmp_path_factory.mktemp("gate"))
    made.prepare(shipped("cautious"))
    return made


@pytest.fixture(scope="module")
def running(supplier: Supplier) -> Iterator[Running]:
    with gate(supplier.folder) as started:
        yield started


def cut(supplier: Supplier, good: bytes) -> None:
    replaced(supplier.path, good[: len(good) // 2])


def cut_in_its_place(supplier: Supplier, good: bytes) -> None:
    supplier.path.write_bytes(good[: len(good) // 2])


def emptied_in_its_place(supplier: Supplier, good: bytes) -> None:
    supplier.path.write_bytes(b"")


def forged(supplier: Supplier, good: bytes) -> None:
    middle = len(good) // 2
    replaced(supplier.path, good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])


def forged_in_its_place(supplier: Supplier, good: bytes) -> None:
    with supplier.path.open("r+b") as stream:
        stream.write(bytes(len(good)))


def signed_by_a_stranger(supplier: Supplier, good: bytes) -> None:
    supplier.write(signing.new_private_key(), sequence=99, sanctions=())


def rolled_back(supplier: Supplier, good: bytes) -> None:
    supplier.write(sequence=supplier.sequence - 1, sanctions=())


def of_the_future(supplier: Supplier, good: bytes) -> None:
    ahead = supplier.given().now_us + 2 * DAY_US
    supplier.write(sequence=99, sanctions=(), now_us=ahead, expires_us=ahead + DAY_US)


def expired(supplier: Supplier, good: bytes) -> None:
    before = supplier.given().now_us - 3 * DAY_US
    supplier.write(sequence=99, sanctions=(), now_us=before, expires_us=before + DAY_US)


def under_another_secret(supplier: Supplier, good: bytes) -> None:
    supplier.write(sequence=99, sanctions=(), runs=(), secret=b"another secret that is long enough")


def taken_away(supplier: Supplier, good: bytes) -> None:
    supplier.path.unlink()


@pytest.mark.parametrize(
    ("fault", "alarm"),
    [
        (cut, "snapshot-cut"),
        (cut_in_its_place, "snapshot-cut"),
        (emptied_in_its_place, "snapshot-cut"),
        (forged, "snapshot-forged"),
        (forged_in_its_place, "snapshot-broken"),
        (signed_by_a_stranger, "snapshot-untrusted"),
        (rolled_back, "snapshot-old"),
        (of_the_future, "snapshot-future"),
        (expired, "snapshot-expired"),
        (under_another_secret, "snapshot-other-key"),
        (taken_away, "no-such-snapshot"),
    ],
)
def test_the_last_good_one_stays_in_force_and_an_alarm_rises(
    supplier: Supplier, running: Running, fault: object, alarm: str
) -> None:
    good = supplier.write()
    until(lambda: running.snapshot()["snapshot_sequence"] == supplier.sequence, 30)
    in_force = running.snapshot()["snapshot"]
    before = running.alarm(alarm)
    fault(supplier, good)  # type: ignore[operator]
    until(lambda: running.alarm(alarm) > before, 30)
    assert running.snapshot()["snapshot"] == in_force
    assert running.decide(CONFIRMED)["rung"] == "deny"
    assert running.decide(HONEST)["rung"] == "allow"
    # And a good one that is newer is taken after all.
    supplier.sequence += 1
    supplier.write()
    until(lambda: running.snapshot()["snapshot_sequence"] == supplier.sequence, 30)
    assert running.decide(CONFIRMED)["rung"] == "deny"


def test_a_pardon_is_in_force_as_soon_as_it_is_there(supplier: Supplier, running: Running) -> None:
    supplier.sequence += 1
    supplier.write(sanctions=(sanction("cleared", CONFIRMED),))
    until(lambda: running.decide(CONFIRMED)["rung"] == "allow", 30)
