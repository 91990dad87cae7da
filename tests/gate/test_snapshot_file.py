"""A snapshot is taken whole, as it was signed, in its time and under its secret, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.evidence import signing
from stillwatch.gate import snapshot_file
from stillwatch.gate.snapshot import open_snapshot
from stillwatch.gate.snapshot_build import build
from stillwatch.gate.snapshot_file import HEADER, MAGIC
from tests.gate.snapshots import DAY_US, NOW_US, SECRET, Signer, given, run_of

pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    made = Signer(tmp_path_factory.mktemp("signed"))
    made.write(given(run_of()))
    return made


def refused(path: Path, trusted: dict[str, bytes], now_us: int = NOW_US, secret: bytes = SECRET) -> str:
    with pytest.raises(Error) as error:
        open_snapshot(path, trusted, secret, now_us)
    return error.value.ident


def changed(signer: Signer, change: Callable[[bytearray], bytes | bytearray]) -> str:
    other = signer.folder / "changed"
    other.write_bytes(change(bytearray(signer.path.read_bytes())))
    return refused(other, signer.trusted)


def test_the_same_content_is_the_same_file_and_other_content_another_name(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    first = signer.write(given(run_of()))
    before = signer.path.read_bytes()
    assert signer.write(given(run_of())) == first
    assert signer.path.read_bytes() == before
    assert signer.write(given(run_of(), sequence=8)) != first


@examples(st.data())
def test_a_file_that_is_cut_anywhere_is_refused(signer: Signer, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, signer.path.stat().st_size - 1))
    assert changed(signer, lambda whole: whole[:size]) == "snapshot-cut"


@examples(st.data())
def test_a_file_with_a_bit_turned_anywhere_is_refused(signer: Signer, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, signer.path.stat().st_size - 1))
    bit = data.draw(st.integers(0, 7))

    def turn(whole: bytearray) -> bytearray:
        whole[place] ^= 1 << bit
        return whole

    ident = changed(signer, turn)
    if place >= HEADER.size:
        assert ident in {"snapshot-forged", "snapshot-untrusted"}
    assert ident.startswith("snapshot-")


@examples(st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_snapshot(signer: Signer, data: bytes) -> None:
    assert changed(signer, lambda _: data) in {"snapshot-cut", "snapshot-broken"}
    assert changed(signer, lambda _: MAGIC + data).startswith("snapshot-")


def test_more_than_the_whole_is_refused_as_well(signer: Signer) -> None:
    assert changed(signer, lambda whole: whole + b"\n") == "snapshot-cut"


def test_another_version_says_so(signer: Signer) -> None:
    def newer(whole: bytearray) -> bytearray:
        whole[8:12] = (2).to_bytes(4, "little")
        return whole

    assert changed(signer, newer) == "snapshot-version"


def test_who_is_not_trusted_signs_nothing(signer: Signer) -> None:
    stranger = {"stranger.pub": signing.public_key(signing.new_private_key())}
    assert refused(signer.path, stranger) == "snapshot-untrusted"
    assert refused(signer.path, {}) == "snapshot-untrusted"
    assert refused(signer.folder / "nothing", signer.trusted) == "no-such-snapshot"


def test_a_signature_over_something_else_is_none(signer: Signer) -> None:
    def borrowed(whole: bytearray) -> bytes:
        size = HEADER.unpack(whole[: HEADER.size])[3]
        tail = json.loads(whole[size:])
        made = signing.sign(b"another digest", snapshot_file.PURPOSE, signer.private)
        return bytes(whole[:size]) + json.dumps({**tail, "value": made["value"]}).encode()

    assert changed(signer, borrowed) == "snapshot-forged"


def test_it_holds_in_its_time_alone_and_under_its_secret(signer: Signer) -> None:
    minute = 60_000_000
    open_snapshot(signer.path, signer.trusted, SECRET, NOW_US - 5 * minute)
    assert refused(signer.path, signer.trusted, NOW_US - 6 * minute) == "snapshot-future"
    assert refused(signer.path, signer.trusted, NOW_US + 30 * DAY_US) == "snapshot-expired"
    assert refused(signer.path, signer.trusted, secret=b"another secret, long enough") == "snapshot-other-key"


def test_even_a_signed_snapshot_must_end_and_fit(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    signer.write(given(run_of(), expires_us=NOW_US + 91 * DAY_US))
    assert refused(signer.path, signer.trusted) == "snapshot-broken"
    head, columns = build(given(run_of()))
    for name, column in {
        "account_tier": columns["account_tier"][:-1],
        "account_cluster": columns["account_cluster"] + 9,
        "account_key": columns["account_key"][::-1],
        "signature_needed": columns["signature_needed"][:1],
        "own_signatures": columns["own_signatures"] + 1,
        "own_starts": columns["own_starts"][:-1],
        "core_starts": columns["core_starts"] * 2,
        "campaign_ban_us": np.zeros(0, dtype=np.int64),
    }.items():
        snapshot_file.write(signer.path, head, {**columns, name: column}, signer.private)
        assert refused(signer.path, signer.trusted) == "snapshot-broken", name


def test_a_column_lies_where_a_processor_likes_it_and_inside(signer: Signer) -> None:
    opened = snapshot_file.read(signer.path, signer.trusted)
    assert opened.head.columns
    assert all(one.offset % snapshot_file.ALIGNED == 0 for one in opened.head.columns)
    assert not any(column.flags.writeable for column in opened.columns.values() if len(column))
    assert msgspec.to_builtins(opened.head)["counts"]["signatures"] == 1
