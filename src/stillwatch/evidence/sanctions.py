"""Signed sanction lists: issued, inspected, verified. One that does not verify sanctions nobody and clears nobody."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec

from stillwatch.errors import Error
from stillwatch.evidence import envelope
from stillwatch.evidence.signing import canonical, read_key, sign
from stillwatch.grant import PSEUDONYM_PREFIX, micros
from stillwatch.sanction import IDS_MAX, SANCTION_VERSION, Sanction, Standing

PURPOSE = f"sanctions {SANCTION_VERSION}"

LIST_BYTES_MAX = 200_000_000
"""A million accounts by pseudonym, thirty bytes each, several times over; what is larger is another file."""

LISTS_MAX = 1_000
"""Lists of one snapshot: one a day for three years, of which most have expired."""

SANCTIONS_MAX = 100_000
"""Decisions of one list: more than a team of people takes in a year."""

SANCTION_DAYS_MAX = 366
"""A decision that nobody renewed within a year is no longer one that somebody stands behind."""

WORDS_CHARS_MAX = 2_000
"""Length of an id or of what is said for people: a paragraph."""

_CODE = "[a-z0-9]+(-[a-z0-9]+)*"

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class SanctionList:
    """Decisions that one issuer signed together. `list_id` is a digest of everything else.

    Units:   `issued` is RFC 3339 in UTC.
    """

    list_id: str
    issuer: str
    issued: str
    sanctions: tuple[Sanction, ...]


@dataclass(frozen=True, slots=True)
class SignedList:
    """A list with the name of the key that is said to have signed it."""

    listed: SanctionList
    key: str


def issue(listed: SanctionList, private_pem: bytes) -> str:
    """Return the text of a list file: the list and each sanction named by a digest of what it says, and a signature.

    Raises:  bad-sanctions, bad-signing-key, missing-extra.
    """
    named = replace(listed, sanctions=tuple(replace(one, sanction_id=sanction_ident(one)) for one in listed.sanctions))
    named = replace(named, list_id=list_ident(named))
    _check(named, "")
    body = asdict(named)
    signature = sign(canonical(body), PURPOSE, private_pem)
    return envelope.write("list", SANCTION_VERSION, body, signature)


def inspect(text: str, where: str = "") -> SignedList:
    """Read a list file **without** checking who signed it; for people who want to see what it says.

    Raises:  bad-sanctions.
    """
    body, signature = _parts(text, where)
    key = signature.get("key") if isinstance(signature, dict) else None
    return SignedList(_list(body, where), str(key))


def verified(text: str, public_pems: dict[str, bytes], where: str = "") -> SignedList:
    """Read a list file that one of the trusted keys (file name → PEM) has signed.

    Raises:  bad-sanctions, bad-signature, untrusted-key, bad-signing-key, missing-extra.
    """
    body, signature = _parts(text, where)
    try:
        key = envelope.verified(body, signature, PURPOSE, public_pems, where)
    except ValueError as error:
        raise _bad(str(error), where) from error
    return SignedList(_list(body, where), key)


def load(paths: Sequence[Path], key_paths: Sequence[Path]) -> list[Sanction]:
    """Read the sanctions of several lists, each once, by name. One list that does not verify ends the work: who passes
    it believes that it holds.

    Raises:  what `verified` raises; no-such-sanctions, no-such-signing-key, too-many-sanctions.
    """
    keys = {str(path): read_key(path) for path in key_paths}
    if len(paths) > LISTS_MAX:
        raise Error("too-many-sanctions", f"expected {LISTS_MAX} sanction lists at most, got {len(paths)}")
    found = [verified(read_text(path), keys, str(path)).listed for path in paths]
    by_name = {one.sanction_id: one for listed in found for one in listed.sanctions}
    return [one for _, one in sorted(by_name.items())]


def read_text(path: Path) -> str:
    """Read a list file's text.

    Raises:  no-such-sanctions, bad-sanctions.
    """
    try:
        return envelope.read_text(path, LIST_BYTES_MAX)
    except OSError as error:
        raise Error("no-such-sanctions", "the file of sanctions cannot be read", where=str(path)) from error
    except ValueError as error:
        raise _bad(str(error), str(path)) from error


def entries(text: str, where: str = "") -> tuple[Sanction, ...]:
    """Read decisions that are to be signed: JSON lines with the fields of `Sanction`, ids left out.

    Absent lists of subjects are empty.

    Raises:  bad-sanctions, with the line.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line, object_pairs_hook=envelope.once)
            named = {"sanction_id": "", "accounts": [], "organizations": [], "campaigns": [], **given}
        except (ValueError, TypeError, RecursionError) as error:
            raise _bad("a line is no JSON object", f"{where}, line {number}") from error
        found.append(_sanction(named, f"{where}, line {number}"))
    return tuple(found)


def sanction_ident(one: Sanction) -> str:
    """Return a sanction's name: a digest of everything else that it says.

    Raises:  bad-sanctions where it holds text that is no UTF-8.
    """
    return "s-" + _digest(asdict(replace(one, sanction_id="")))


def list_ident(listed: SanctionList) -> str:
    """Return a list's name: a digest of everything else that it says.

    Raises:  bad-sanctions where it holds text that is no UTF-8.
    """
    return "l-" + _digest(asdict(replace(listed, list_id="")))


def _digest(said: object) -> str:
    try:
        return hashlib.blake2b(canonical(said), digest_size=8).hexdigest()
    except ValueError as error:
        raise _bad("it holds a number that is not whole, or text that is no UTF-8", "") from error


def _parts(text: str, where: str) -> tuple[dict[str, object], object]:
    try:
        return envelope.parts(text, "list", SANCTION_VERSION)
    except ValueError as error:
        raise _bad(str(error), where) from error


_FIELDS = frozenset(Sanction.__dataclass_fields__)
_LIST_FIELDS = frozenset(SanctionList.__dataclass_fields__)


def _sanction(body: object, where: str) -> Sanction:
    if not isinstance(body, dict) or set(body) != _FIELDS:
        raise _bad("a sanction lacks a field, or has one that this version does not know", where)
    try:
        return msgspec.convert(body, Sanction)
    except msgspec.ValidationError as error:
        raise _bad("a field of a sanction has another type, or its standing is none that there is", where) from error


def _list(body: dict[str, object], where: str) -> SanctionList:
    told = body.get("sanctions")
    if set(body) != _LIST_FIELDS or not isinstance(told, list):
        raise _bad("it lacks a field, or has one that this version does not know", where)
    sanctions = tuple(_sanction(one, where) for one in told)
    try:
        listed = msgspec.convert({**body, "sanctions": []}, SanctionList)
    except msgspec.ValidationError as error:
        raise _bad("a field has another type", where) from error
    listed = replace(listed, sanctions=sanctions)
    _check(listed, where)
    if listed.list_id != list_ident(listed) or any(one.sanction_id != sanction_ident(one) for one in sanctions):
        raise _bad("a name is no digest of what it names", where)
    return listed


def _check(listed: SanctionList, where: str) -> None:
    """Refuse a list that is without bounds, or says what cannot be."""
    if not listed.sanctions or len(listed.sanctions) > SANCTIONS_MAX:
        raise _bad(f"it holds no sanction, or more than {SANCTIONS_MAX}", where)
    if not _are_words([listed.issuer]):
        raise _bad("an id or a description is empty or far too long", where)
    _time(listed.issued, where)
    for one in listed.sanctions:
        _check_one(one, where)


def _check_one(one: Sanction, where: str) -> None:
    names = (*one.accounts, *one.organizations)
    if not names and not one.campaigns:
        raise _bad("a sanction names no account, no organisation and no campaign", where)
    if max(len(one.accounts), len(one.organizations), len(one.campaigns)) > IDS_MAX:
        raise _bad(f"a sanction names more than {IDS_MAX} accounts, organisations or campaigns", where)
    if not _are_words([*names, *one.campaigns, one.reference, one.decided_by]):
        raise _bad("an id or a description is empty or far too long", where)
    hidden = [name.removeprefix(PSEUDONYM_PREFIX) for name in names if name.startswith(PSEUDONYM_PREFIX)]
    if not all(re.fullmatch("[0-9a-f]{16}", digits) and int(digits, 16) for digits in hidden):
        raise _bad("a pseudonym is not 16 hex digits", where)
    if not all(re.fullmatch("c-[0-9a-f]{16}", ident) for ident in one.campaigns):
        raise _bad("a campaign is not named as runs name theirs, c- and 16 hex digits", where)
    if not re.fullmatch(_CODE, one.reason) or one.standing not in get_args(Standing):
        raise _bad("a reason is no code of small letters, digits and hyphens, or a standing none that there is", where)
    begins, ends = _time(one.not_before, where), _time(one.expires, where)
    if not begins < ends <= begins + SANCTION_DAYS_MAX * _DAY_US:
        raise _bad(f"a sanction ends before it begins, or more than {SANCTION_DAYS_MAX} days after", where)


def _are_words(words: list[str]) -> bool:
    return all(word.strip() and len(word) <= WORDS_CHARS_MAX for word in words)


def _time(said: str, where: str) -> int:
    try:
        return micros(said)
    except (ValueError, OverflowError) as error:
        raise _bad("a time is not RFC 3339 with an offset", where) from error


def _bad(reason: str, where: str) -> Error:
    return Error("bad-sanctions", f"the sanctions cannot be taken: {reason}", where=where)
