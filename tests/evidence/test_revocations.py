from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.errors import Error
from stillwatch.evidence import grants, revocations, signing
from stillwatch.grant import Grant, Revocation, micros
from tests.evidence.grants import PLAIN

pytest.importorskip("cryptography")

GRANT = replace(PLAIN, grant_id=grants.grant_ident(PLAIN))
ENDED = Revocation(GRANT.grant_id, "2026-11-10T12:00:00Z", "the contract ended")


@pytest.fixture(scope="module")
def private() -> bytes:
    return signing.new_private_key()


@pytest.fixture(scope="module")
def trusted(private: bytes) -> dict[str, bytes]:
    return {"ours.pem": signing.public_key(private)}


def refused(text: str, keys: dict[str, bytes]) -> str:
    with pytest.raises(Error) as error:
        revocations.verified(text, keys)
    return error.value.ident


def test_a_revocation_that_was_issued_verifies_and_says_what_was_said(
    private: bytes, trusted: dict[str, bytes]
) -> None:
    text = revocations.issue(ENDED, private)
    assert revocations.verified(text, trusted) == ENDED
    assert revocations.inspect(text) == ENDED


def test_a_stranger_revokes_nothing(private: bytes, trusted: dict[str, bytes]) -> None:
    assert refused(revocations.issue(ENDED, signing.new_private_key()), trusted) == "untrusted-key"
    assert refused(revocations.issue(ENDED, private), {}) == "untrusted-key"


@pytest.mark.parametrize(
    ("field", "value"),
    [("grant_id", "g-0123456789abcdef"), ("revoked_from", "2020-01-01T00:00:00Z"), ("reason", "another")],
)
def test_a_changed_revocation_does_not_verify(
    field: str, value: str, private: bytes, trusted: dict[str, bytes]
) -> None:
    envelope = json.loads(revocations.issue(ENDED, private))
    envelope["revocation"][field] = value
    assert refused(json.dumps(envelope), trusted) == "bad-signature"


def test_a_signature_under_a_grant_is_none_under_a_revocation(private: bytes, trusted: dict[str, bytes]) -> None:
    envelope = json.loads(revocations.issue(ENDED, private))
    message = signing.canonical(envelope["revocation"])
    envelope["signature"] = signing.sign(message, grants.PURPOSE, private)
    assert refused(json.dumps(envelope), trusted) == "bad-signature"


@pytest.mark.parametrize(
    "change",
    [
        {"grant_id": "g-"},
        {"grant_id": ""},
        {"reason": "  "},
        {"reason": "x" * 3_000},
        {"revoked_from": "yesterday"},
        {"revoked_from": "2026-11-10T12:00:00"},
        {"revoked_from": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_nobody_issues_a_revocation_that_makes_no_sense(change: dict[str, str], private: bytes) -> None:
    with pytest.raises(Error) as error:
        revocations.issue(replace(ENDED, **change), private)
    assert error.value.ident == "bad-revocation"


@pytest.mark.parametrize("extra", [{"models": ["model-a"]}, {"reason": 3}])
def test_even_a_signed_revocation_says_nothing_that_could_limit_it(
    extra: dict[str, object], private: bytes, trusted: dict[str, bytes]
) -> None:
    body = {**json.loads(revocations.issue(ENDED, private))["revocation"], **extra}
    signature = signing.sign(signing.canonical(body), revocations.PURPOSE, private)
    text = json.dumps({"version": 1, "revocation": body, "signature": signature})
    assert refused(text, trusted) == "bad-revocation"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "revocation": [], "signature": {}}', "[" * 9999]
)
def test_a_file_that_is_no_revocation_is_refused(text: str, trusted: dict[str, bytes]) -> None:
    assert refused(text, trusted) == "bad-revocation"


def test_of_several_revocations_of_a_grant_the_earliest_holds(private: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(signing.public_key(private))
    for name, at in (("a", "2026-11-20T00:00:00Z"), ("b", "2026-11-10T02:00:00+02:00"), ("c", "2026-11-15T00:00:00Z")):
        (tmp_path / name).write_text(revocations.issue(replace(ENDED, revoked_from=at), private))
    found = revocations.load([tmp_path / name for name in "abc"], [tmp_path / "key.pem"])
    assert found == {GRANT.grant_id: micros("2026-11-10T00:00:00Z")}
    assert revocations.load_unverified([tmp_path / "a"]) == {GRANT.grant_id: micros("2026-11-20T00:00:00Z")}
    with pytest.raises(Error) as error:
        revocations.load([tmp_path / "absent"], [tmp_path / "key.pem"])
    assert error.value.ident == "no-such-revocation"


def ending(grant: Grant, at: str) -> str:
    return revocations.apply([grant], {grant.grant_id: micros(at)})[0].expires


def test_a_revoked_grant_ends_sooner_and_never_later() -> None:
    assert ending(GRANT, "2026-11-10T12:00:00Z") == "2026-11-10T12:00:00Z"
    assert ending(GRANT, "2026-11-10T12:00:00.000001Z") == "2026-11-10T12:00:00.000001Z"
    assert ending(GRANT, "2030-01-01T00:00:00Z") == GRANT.expires
    assert revocations.apply([GRANT], {"g-0123456789abcdef": 0}) == [GRANT]
    assert revocations.apply([GRANT], {GRANT.grant_id: 0})[0].grant_id == GRANT.grant_id
