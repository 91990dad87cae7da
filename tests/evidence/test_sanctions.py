"""A list of sanctions holds where a trusted key signed it and all in it is bounded; nothing else is taken."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.evidence import grants, sanctions, signing
from tests.evidence.sanctions import CONFIRMED, PLAIN

pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def private() -> bytes:
    return signing.new_private_key()


@pytest.fixture(scope="module")
def trusted(private: bytes) -> dict[str, bytes]:
    return {"ours.pub": signing.public_key(private)}


def refused(text: str, keys: dict[str, bytes]) -> str:
    with pytest.raises(Error) as error:
        sanctions.verified(text, keys)
    return error.value.ident


def test_a_list_that_was_issued_verifies_and_says_what_was_said(private: bytes, trusted: dict[str, bytes]) -> None:
    text = sanctions.issue(PLAIN, private)
    signed = sanctions.verified(text, trusted)
    (one,) = signed.listed.sanctions
    assert replace(one, sanction_id="") == CONFIRMED
    assert one.sanction_id == sanctions.sanction_ident(CONFIRMED)
    assert (signed.key, signed.listed.issuer) == (signing.key_ident(trusted["ours.pub"]), PLAIN.issuer)
    assert sanctions.inspect(text) == signed


@pytest.mark.parametrize(
    ("field", "value"),
    [("standing", "cleared"), ("expires", "2027-10-01T00:00:00Z"), ("accounts", ["acct-2"]), ("campaigns", [])],
)
def test_a_changed_list_does_not_verify(field: str, value: object, private: bytes, trusted: dict[str, bytes]) -> None:
    envelope = json.loads(sanctions.issue(PLAIN, private))
    envelope["list"]["sanctions"][0][field] = value
    assert refused(json.dumps(envelope), trusted) == "bad-signature"


def test_a_list_of_a_stranger_and_a_signature_under_something_else_are_not_trusted(
    private: bytes, trusted: dict[str, bytes]
) -> None:
    assert refused(sanctions.issue(PLAIN, signing.new_private_key()), trusted) == "untrusted-key"
    envelope = json.loads(sanctions.issue(PLAIN, private))
    envelope["signature"] = signing.sign(signing.canonical(envelope["list"]), grants.PURPOSE, private)
    assert refused(json.dumps(envelope), trusted) == "bad-signature"
    assert refused(json.dumps({**envelope, "signature": None}), trusted) == "bad-signature"


def resigned(body: dict[str, Any], private: bytes) -> str:
    signature = signing.sign(signing.canonical(body), sanctions.PURPOSE, private)
    return json.dumps({"version": 1, "list": body, "signature": signature})


@pytest.mark.parametrize(
    "change",
    [
        {"accounts": [], "organizations": [], "campaigns": []},
        {"accounts": ["pseudonym:xyz"]},
        {"accounts": [" "]},
        {"campaigns": ["c-1"]},
        {"standing": "guilty"},
        {"reason": "Because we said so"},
        {"reference": ""},
        {"decided_by": " "},
        {"expires": "2026-10-01T00:00:00Z"},
        {"expires": "2028-10-01T00:00:00Z"},
        {"expires": "soon"},
        {"not_before": "2026-11-01T00:00:00"},
        {"exempt": []},
        {"sanction_id": "s-0000000000000000"},
    ],
)
def test_even_a_signed_sanction_must_have_bounds_and_make_sense(
    change: dict[str, Any], private: bytes, trusted: dict[str, bytes]
) -> None:
    known = replace(CONFIRMED, **{name: change[name] for name in change if name in asdict(CONFIRMED)})
    named = {**asdict(CONFIRMED), "sanction_id": sanctions.sanction_ident(known), **change}
    body = {**asdict(PLAIN), "sanctions": [named]}
    body["list_id"] = sanctions.list_ident(
        replace(PLAIN, sanctions=(replace(known, sanction_id=named["sanction_id"]),))
    )
    assert refused(resigned(body, private), trusted) == "bad-sanctions"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 1}', '{"version": 1, "version": 1}', "[" * 100_000])
def test_what_is_no_list_is_refused(text: str, trusted: dict[str, bytes]) -> None:
    assert refused(text, trusted) == "bad-sanctions"


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_list(text: str) -> None:
    with pytest.raises(Error) as error:
        sanctions.inspect(text)
    assert error.value.ident == "bad-sanctions"


def test_decisions_are_read_line_by_line_and_a_bad_one_is_told_by_its_line() -> None:
    said = {name: value for name, value in asdict(CONFIRMED).items() if name != "sanction_id"}
    bare = {name: value for name, value in said.items() if name not in ("organizations", "campaigns")}
    text = json.dumps(said) + "\n\n" + json.dumps(bare) + "\n"
    whole, less = sanctions.entries(text, "decisions.jsonl")
    assert (whole, less) == (CONFIRMED, replace(CONFIRMED, organizations=(), campaigns=()))
    for bad in ("no json", json.dumps({**said, "standing": 3}), json.dumps({**said, "more": 1}), "[]"):
        with pytest.raises(Error) as error:
            sanctions.entries(text + bad, "decisions.jsonl")
        assert (error.value.ident, error.value.where) == ("bad-sanctions", "decisions.jsonl, line 4")


def test_lists_are_loaded_together_each_sanction_once_and_a_bad_one_ends_the_work(
    tmp_path: Path, private: bytes
) -> None:
    (tmp_path / "ours.pub").write_bytes(signing.public_key(private))
    other = replace(PLAIN, sanctions=(CONFIRMED, replace(CONFIRMED, standing="cleared")))
    for name, listed in (("one", PLAIN), ("two", other)):
        (tmp_path / f"{name}.json").write_text(sanctions.issue(listed, private))
    found = sanctions.load([tmp_path / "one.json", tmp_path / "two.json"], [tmp_path / "ours.pub"])
    assert sorted(one.standing for one in found) == ["cleared", "confirmed"]
    with pytest.raises(Error) as error:
        sanctions.load([tmp_path / "three.json"], [tmp_path / "ours.pub"])
    assert error.value.ident == "no-such-sanctions"
