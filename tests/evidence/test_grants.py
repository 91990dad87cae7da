from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import Error
from stillwatch.evidence import grants, signing
from tests.evidence.grants import PLAIN

pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def private() -> bytes:
    return signing.new_private_key()


@pytest.fixture(scope="module")
def trusted(private: bytes) -> dict[str, bytes]:
    return {"ours.pem": signing.public_key(private)}


def refused(text: str, keys: dict[str, bytes]) -> str:
    with pytest.raises(Error) as error:
        grants.verified(text, keys)
    return error.value.ident


def test_a_grant_that_was_issued_verifies_and_says_what_was_said(private: bytes, trusted: dict[str, bytes]) -> None:
    text = grants.issue(PLAIN, private)
    signed = grants.verified(text, trusted)
    assert replace(signed.grant, grant_id="") == PLAIN
    assert signed.grant.grant_id == grants.grant_ident(PLAIN)
    assert signed.key == signing.key_ident(trusted["ours.pem"])
    assert grants.inspect(text) == signed


def test_one_grant_is_one_name_and_another_is_another() -> None:
    assert grants.grant_ident(PLAIN) != grants.grant_ident(replace(PLAIN, calls_max=101))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("calls_max", 10**9),
        ("expires", "2036-12-01T00:00:00Z"),
        ("models", ["model-a", "model-b"]),
        ("accounts", ["acct-1", "acct-2"]),
        ("grantee", "Somebody else"),
    ],
)
def test_a_changed_grant_does_not_verify(field: str, value: object, private: bytes, trusted: dict[str, bytes]) -> None:
    envelope = json.loads(grants.issue(PLAIN, private))
    envelope["grant"][field] = value
    assert refused(json.dumps(envelope), trusted) == "bad-signature"


def test_a_grant_of_a_stranger_is_not_trusted(private: bytes, trusted: dict[str, bytes]) -> None:
    stranger = signing.new_private_key()
    text = grants.issue(PLAIN, stranger)
    assert refused(text, trusted) == "untrusted-key"
    envelope = json.loads(text)
    envelope["signature"]["key"] = signing.key_ident(trusted["ours.pem"])
    assert refused(json.dumps(envelope), trusted) == "bad-signature"
    assert refused(text, {}) == "untrusted-key"


@pytest.mark.parametrize("signature", [None, "x", {}, {"algorithm": "none"}, {"algorithm": "ed25519"}])
def test_without_a_signature_there_is_no_grant(signature: object, private: bytes, trusted: dict[str, bytes]) -> None:
    envelope = {**json.loads(grants.issue(PLAIN, private)), "signature": signature}
    assert refused(json.dumps(envelope), trusted) in {"bad-signature", "untrusted-key"}


@pytest.mark.parametrize("value", ["", "AAAA", "not base64!", "ä"])
def test_a_value_that_is_no_signature_is_refused(value: str, private: bytes, trusted: dict[str, bytes]) -> None:
    envelope = json.loads(grants.issue(PLAIN, private))
    envelope["signature"]["value"] = value
    assert refused(json.dumps(envelope), trusted) == "bad-signature"


def resigned(body: dict[str, Any], private: bytes) -> str:
    signature = signing.sign(signing.canonical(body), grants.PURPOSE, private)
    return json.dumps({"version": 1, "grant": body, "signature": signature})


@pytest.mark.parametrize(
    "change",
    [
        {"calls_max": 0},
        {"calls_max": True},
        {"calls_max": "100"},
        {"output_tokens_max": -1},
        {"output_tokens_max": 2**63},
        {"models": []},
        {"organizations": [], "accounts": []},
        {"accounts": ["pseudonym:xyz"]},
        {"accounts": [" "]},
        {"purpose": ""},
        {"expires": "2026-10-01T00:00:00Z"},
        {"expires": "soon"},
        {"not_before": "2026-11-01T00:00:00"},
        {"region_max": 3},
        {"grant_id": "g-0000000000000000"},
    ],
)
def test_even_a_signed_grant_must_have_bounds_and_make_sense(
    change: dict[str, Any], private: bytes, trusted: dict[str, bytes]
) -> None:
    body = {**asdict(PLAIN), **change}
    if "grant_id" not in change:
        known = replace(PLAIN, **{name: change[name] for name in change if name in asdict(PLAIN)})
        body["grant_id"] = grants.grant_ident(known)
    assert refused(resigned(body, private), trusted) == "bad-grant"


def test_nobody_issues_a_grant_without_bounds(private: bytes) -> None:
    with pytest.raises(Error) as error:
        grants.issue(replace(PLAIN, calls_max=0), private)
    assert error.value.ident == "bad-grant"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "grant": [], "signature": {}}', "[" * 9999]
)
def test_a_file_that_is_no_grant_is_refused(text: str, trusted: dict[str, bytes]) -> None:
    assert refused(text, trusted) == "bad-grant"


def test_a_name_that_stands_twice_is_refused(private: bytes, trusted: dict[str, bytes]) -> None:
    text = grants.issue(PLAIN, private)
    assert refused(text.replace('"calls_max": 100', '"calls_max": 999, "calls_max": 100'), trusted) == "bad-grant"


def test_a_signature_for_one_purpose_is_none_for_another(private: bytes, trusted: dict[str, bytes]) -> None:
    message = b"the same bytes"
    signature = signing.sign(message, "sanction 1", private)
    assert signing.verify(message, "sanction 1", signature, trusted)
    with pytest.raises(Error):
        signing.verify(message, "grant 1", signature, trusted)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


@given(values)
def test_the_signed_spelling_is_one_and_says_the_same(value: object) -> None:
    spelt = signing.canonical(value)
    assert json.loads(spelt) == value
    assert signing.canonical(json.loads(spelt)) == spelt


def test_a_float_is_never_signed() -> None:
    with pytest.raises(ValueError, match="float"):
        signing.canonical({"a": [1, {"b": 0.5}]})


def test_grants_of_a_run_are_read_once_each_in_order_of_name(private: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(signing.public_key(private))
    for name, calls in (("a", 5), ("b", 6), ("c", 5)):
        (tmp_path / name).write_text(grants.issue(replace(PLAIN, calls_max=calls), private))
    paths = [tmp_path / name for name in ("a", "b", "c")]
    found = grants.load(paths, [tmp_path / "key.pem"])
    assert [grant.grant_id for grant in found] == sorted({grant.grant_id for grant in found})
    assert len(found) == 2
    with pytest.raises(Error) as error:
        grants.load([tmp_path / "absent"], [tmp_path / "key.pem"])
    assert error.value.ident == "no-such-grant"


def test_a_private_key_is_its_owners_and_never_replaced(private: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing.write_private_key(path, private)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing.read_key(path) == private
    with pytest.raises(Error) as error:
        signing.write_private_key(path, signing.new_private_key())
    assert error.value.ident == "key-exists"
    assert path.read_bytes() == private


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff"])
def test_a_file_that_is_no_key_is_an_error(pem: bytes, private: bytes) -> None:
    with pytest.raises(Error) as error:
        grants.issue(PLAIN, pem)
    assert error.value.ident == "bad-signing-key"
    with pytest.raises(Error) as error:
        grants.verified(grants.issue(PLAIN, private), {"bad": pem})
    assert error.value.ident == "bad-signing-key"


def test_a_key_of_another_kind_is_an_error() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(Error) as error:
        grants.issue(PLAIN, pem)
    assert error.value.ident == "bad-signing-key"
