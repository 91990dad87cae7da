"""The file that a signed thing comes in: a JSON object of `version`, the thing, and `signature`."""

from __future__ import annotations

import json
from pathlib import Path

from stillwatch.evidence.signing import canonical, verify


def parts(text: str, name: str, version: int) -> tuple[dict[str, object], object]:
    """Return what was signed, an object, and its signature, which is anything as yet.

    Raises ValueError, whose words say what is wrong with the file.
    """
    try:
        envelope = json.loads(text, object_pairs_hook=once)
        got, body, signature = envelope["version"], envelope[name], envelope["signature"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it is no JSON object with version, {name} and signature") from error
    if got != version:
        raise ValueError(f"expected version {version}, got {str(got)[:20]}")
    if not isinstance(body, dict):
        raise ValueError(f"its {name} is no object")
    return body, signature


def verified(
    body: dict[str, object], signature: object, purpose: str, public_pems: dict[str, bytes], where: str
) -> str:
    """Return the name of the key, one of the trusted (file name → PEM), that signed a body for a purpose.

    Raises ValueError for a body that has no one spelling; what `signing.verify` raises.
    """
    try:
        message = canonical(body)
    except ValueError as error:
        raise ValueError("it holds a number that is not whole, or text that is no UTF-8") from error
    return verify(message, purpose, signature, public_pems, where)


def write(name: str, version: int, body: dict[str, object], signature: dict[str, str]) -> str:
    """Return the text of such a file."""
    return json.dumps({"version": version, name: body, "signature": signature}, indent=1) + "\n"


def read_text(path: Path, bytes_max: int) -> str:
    """Read a file's text. Raises OSError, or ValueError, whose words say what is wrong with it."""
    with path.open("rb") as stream:
        data = stream.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ValueError("it is far larger than such a file")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError("it is no UTF-8") from error


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that stands twice: two readers could take it two ways. For `json.loads(object_pairs_hook=)`."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
