"""Signed grants: issued, inspected, verified. A grant that cannot be verified exempts nobody."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from stillwatch.errors import Error
from stillwatch.evidence import envelope
from stillwatch.evidence.signing import canonical, read_key, sign
from stillwatch.grant import GRANT_VERSION, IDS_MAX, PSEUDONYM_PREFIX, Grant, micros

PURPOSE = f"grant {GRANT_VERSION}"

GRANT_BYTES_MAX = 20_000_000
"""A grant of the most accounts there may be has some 8 MB; what is larger is another file."""

GRANTS_MAX = 10_000
"""Grants of one run: licensed customers of one provider, each of whom negotiated a contract."""

WORDS_CHARS_MAX = 2_000
"""Length of an id or of what is said for people: a paragraph."""

VOLUME_MAX = 2**62
"""Calls and tokens are counted in 64 bits."""


@dataclass(frozen=True, slots=True)
class SignedGrant:
    """A grant with the name of the key that is said to have signed it."""

    grant: Grant
    key: str


def issue(grant: Grant, private_pem: bytes) -> str:
    """Return the text of a grant file: the grant, named by a digest of what it says, and a signature over it.

    Raises:  bad-grant, bad-signing-key, missing-extra.
    """
    named = replace(grant, grant_id=grant_ident(grant))
    _check(named, "")
    body = asdict(named)
    signature = sign(canonical(body), PURPOSE, private_pem)
    return envelope.write("grant", GRANT_VERSION, body, signature)


def inspect(text: str, where: str = "") -> SignedGrant:
    """Read a grant file **without** checking who signed it; for people who want to see what it says.

    Raises:  bad-grant.
    """
    body, signature = _parts(text, where)
    key = signature.get("key") if isinstance(signature, dict) else None
    return SignedGrant(_grant(body, where), str(key))


def verified(text: str, public_pems: dict[str, bytes], where: str = "") -> SignedGrant:
    """Read a grant file that one of the trusted keys (file name → PEM) has signed.

    Raises:  bad-grant, bad-signature, untrusted-key, bad-signing-key, missing-extra.
    """
    body, signature = _parts(text, where)
    try:
        key = envelope.verified(body, signature, PURPOSE, public_pems, where)
    except ValueError as error:
        raise _bad(str(error), where) from error
    return SignedGrant(_grant(body, where), key)


def load(paths: Sequence[Path], key_paths: Sequence[Path]) -> list[Grant]:
    """Read the grants that a run takes into account, each once, by name. One that does not verify ends the run: who
    passes it believes that it holds.

    Raises:  what `verified` raises; no-such-grant, no-such-signing-key, too-many-grants.
    """
    keys = {str(path): read_key(path) for path in key_paths}
    if len(paths) > GRANTS_MAX:
        raise Error("too-many-grants", f"expected {GRANTS_MAX} grants at most, got {len(paths)}")
    found = [verified(read_text(path), keys, str(path)).grant for path in paths]
    return [grant for _, grant in sorted({grant.grant_id: grant for grant in found}.items())]


def read_text(path: Path) -> str:
    """Read a grant file's text."""
    try:
        return envelope.read_text(path, GRANT_BYTES_MAX)
    except OSError as error:
        raise Error("no-such-grant", "the grant file cannot be read", where=str(path)) from error
    except ValueError as error:
        raise _bad(str(error), str(path)) from error


def grant_ident(grant: Grant) -> str:
    """Return a grant's name: a digest of everything else that it says.

    Raises:  bad-grant where it holds text that is no UTF-8.
    """
    try:
        said = canonical(asdict(replace(grant, grant_id="")))
    except ValueError as error:
        raise _bad("it holds a number that is not whole, or text that is no UTF-8", "") from error
    return "g-" + hashlib.blake2b(said, digest_size=8).hexdigest()


def _parts(text: str, where: str) -> tuple[dict[str, object], object]:
    try:
        return envelope.parts(text, "grant", GRANT_VERSION)
    except ValueError as error:
        raise _bad(str(error), where) from error


def _grant(body: dict[str, object], where: str) -> Grant:
    try:
        grant = msgspec.convert(body, Grant)
    except msgspec.ValidationError as error:
        raise _bad("a field is missing or has another type", where) from error
    if set(body) != set(asdict(grant)):
        raise _bad("it has a field that this version does not know, and could mean a bound", where)
    _check(grant, where)
    if grant.grant_id != grant_ident(grant):
        raise _bad("its name is no digest of what it says", where)
    return grant


def _check(grant: Grant, where: str) -> None:
    """Refuse a grant that is without bounds, or says what cannot be."""
    ids = grant.organizations + grant.accounts
    if not ids or not grant.models:
        raise _bad("it names no account and no organisation, or no model", where)
    if max(len(grant.organizations), len(grant.accounts), len(grant.models)) > IDS_MAX:
        raise _bad(f"it names more than {IDS_MAX} accounts, organisations or models", where)
    words = (*ids, *grant.models, grant.grantee, grant.purpose, grant.issuer)
    if not all(word.strip() and len(word) <= WORDS_CHARS_MAX for word in words):
        raise _bad("an id or a description is empty or far too long", where)
    pseudonyms = [name.removeprefix(PSEUDONYM_PREFIX) for name in ids if name.startswith(PSEUDONYM_PREFIX)]
    if not all(re.fullmatch("[0-9a-f]{16}", digits) and int(digits, 16) for digits in pseudonyms):
        raise _bad("a pseudonym is not 16 hex digits", where)
    if not (0 < grant.calls_max <= VOLUME_MAX and 0 < grant.output_tokens_max <= VOLUME_MAX):
        raise _bad("its volume is not bounded by positive numbers", where)
    try:
        begins, ends, _ = micros(grant.not_before), micros(grant.expires), micros(grant.issued)
    except (ValueError, OverflowError) as error:
        raise _bad("a time is not RFC 3339 with an offset", where) from error
    if begins >= ends:
        raise _bad("it ends before it begins", where)


def _bad(reason: str, where: str) -> Error:
    return Error("bad-grant", f"the grant cannot be taken: {reason}", where=where)
