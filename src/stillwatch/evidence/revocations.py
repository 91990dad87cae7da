"""Signed revocations: a grant that ends before it said it would. Who may sign a grant may end one.

Nothing looks for revocations by itself: a run, a snapshot or a check takes those that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from stillwatch.errors import Error
from stillwatch.evidence import envelope
from stillwatch.evidence.grants import GRANTS_MAX, WORDS_CHARS_MAX
from stillwatch.evidence.signing import canonical, read_key, sign
from stillwatch.grant import REVOCATION_VERSION, Grant, Revocation, micros

PURPOSE = f"revocation {REVOCATION_VERSION}"

REVOCATION_BYTES_MAX = 100_000
"""A revocation is three lines, of which the reason is a paragraph at most; what is larger is another file."""

NAME = "revocation"


def issue(revocation: Revocation, private_pem: bytes) -> str:
    """Return the text of a revocation file.

    Raises:  bad-revocation, bad-signing-key, missing-extra.
    """
    _check(revocation, "")
    body = asdict(revocation)
    try:
        signature = sign(canonical(body), PURPOSE, private_pem)
    except UnicodeEncodeError as error:
        raise _bad("it holds text that is no UTF-8", "") from error
    return envelope.write(NAME, REVOCATION_VERSION, body, signature)


def inspect(text: str, where: str = "") -> Revocation:
    """Read a revocation file **without** checking who signed it.

    Raises:  bad-revocation.
    """
    return _revocation(_parts(text, where)[0], where)


def verified(text: str, public_pems: dict[str, bytes], where: str = "") -> Revocation:
    """Read a revocation file that one of the trusted keys (file name → PEM) has signed.

    Raises:  bad-revocation, bad-signature, untrusted-key, bad-signing-key, missing-extra.
    """
    body, signature = _parts(text, where)
    try:
        envelope.verified(body, signature, PURPOSE, public_pems, where)
    except ValueError as error:
        raise _bad(str(error), where) from error
    return _revocation(body, where)


def load(paths: Sequence[Path], key_paths: Sequence[Path]) -> dict[str, int]:
    """Read revocations and return from when each grant is revoked, in µs since the epoch: of several, the earliest.

    One that does not verify ends the run, as a grant does: who passes it believes that the grant has ended.

    Raises:  what `verified` raises; no-such-revocation, no-such-signing-key, too-many-grants.
    """
    keys = {str(path): read_key(path) for path in key_paths}
    return _earliest([verified(read_text(path), keys, str(path)) for path in _bounded(paths)])


def load_unverified(paths: Sequence[Path]) -> dict[str, int]:
    """Read what revocations say, **without** checking who signed them, as `load` does otherwise.

    Raises:  bad-revocation, no-such-revocation, too-many-grants.
    """
    return _earliest([inspect(read_text(path), str(path)) for path in _bounded(paths)])


def apply(grants: Sequence[Grant], revocations: Mapping[str, int]) -> list[Grant]:
    """Return the grants, each ending where it was revoked, if that is sooner; one that was revoked before it began
    covers nothing. Grants keep their names, by which their use is counted."""
    return [
        replace(grant, expires=rfc3339(revocations[grant.grant_id]))
        if revocations.get(grant.grant_id, micros(grant.expires)) < micros(grant.expires)
        else grant
        for grant in grants
    ]


def read_text(path: Path) -> str:
    """Read a revocation file's text.

    Raises:  no-such-revocation, bad-revocation.
    """
    try:
        return envelope.read_text(path, REVOCATION_BYTES_MAX)
    except OSError as error:
        raise Error("no-such-revocation", "the revocation file cannot be read", where=str(path)) from error
    except ValueError as error:
        raise _bad(str(error), str(path)) from error


def rfc3339(time_us: int) -> str:
    """Write microseconds since the epoch as RFC 3339 in UTC; the other way round is `grant.micros`."""
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return time.isoformat().replace("+00:00", "Z")


def _bounded(paths: Sequence[Path]) -> Sequence[Path]:
    if len(paths) > GRANTS_MAX:
        raise Error("too-many-grants", f"expected {GRANTS_MAX} revocations at most, got {len(paths)}")
    return paths


def _earliest(revocations: Sequence[Revocation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in revocations:
        from_us = micros(one.revoked_from)
        found[one.grant_id] = min(from_us, found.get(one.grant_id, from_us))
    return dict(sorted(found.items()))


def _parts(text: str, where: str) -> tuple[dict[str, object], object]:
    try:
        return envelope.parts(text, NAME, REVOCATION_VERSION)
    except ValueError as error:
        raise _bad(str(error), where) from error


def _revocation(body: dict[str, object], where: str) -> Revocation:
    try:
        revocation = msgspec.convert(body, Revocation)
    except msgspec.ValidationError as error:
        raise _bad("a field is missing or has another type", where) from error
    if set(body) != set(asdict(revocation)):
        raise _bad("it has a field that this version does not know, and could limit it", where)
    _check(revocation, where)
    return revocation


def _check(revocation: Revocation, where: str) -> None:
    if not re.fullmatch("g-[0-9a-f]{16}", revocation.grant_id):
        raise _bad("it names no grant", where)
    if not revocation.reason.strip() or len(revocation.reason) > WORDS_CHARS_MAX:
        raise _bad("its reason is empty or far too long", where)
    try:
        rfc3339(micros(revocation.revoked_from))
    except (ValueError, OverflowError) as error:
        raise _bad("its time is not RFC 3339 with an offset", where) from error


def _bad(reason: str, where: str) -> Error:
    return Error("bad-revocation", f"the revocation cannot be taken: {reason}", where=where)
